//! How much is measured: a whole run proves something, a quick one gives an impression.

use std::time::Duration;

/// How long and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether it is the short run.
    pub quick: bool,
    /// How often each side is asked.
    pub turns: usize,
    /// Only these rows and curves; all if there are none.
    pub only: Vec<String>,
    /// Whether peers are measured too.
    pub peers: bool,
    /// Whether Sockudo is built where it is missing, which takes up to half an hour.
    pub sockudo: bool,
}

impl Plan {
    /// One of two values.
    const fn pick<T: Copy>(&self, quick: T, whole: T) -> T {
        if self.quick { quick } else { whole }
    }

    pub(crate) const fn warm_up(&self) -> Duration {
        self.pick(Duration::from_millis(1_500), Duration::from_secs(3))
    }

    /// How long a rate is measured.
    pub(crate) const fn seconds(&self) -> Duration {
        self.pick(Duration::from_secs(2), Duration::from_secs(4))
    }

    /// How long something rare is measured, that takes many samples.
    pub(crate) const fn long(&self) -> Duration {
        self.pick(Duration::from_secs(5), Duration::from_secs(15))
    }

    /// How long a hundred messages a second are measured.
    pub(crate) const fn steady(&self) -> Duration {
        self.pick(Duration::from_secs(3), Duration::from_secs(6))
    }

    pub(crate) const fn jobs(&self) -> u32 {
        self.pick(20_000, 50_000)
    }

    pub(crate) const fn idle_connections(&self) -> usize {
        self.pick(2_000, 10_000)
    }

    /// How long commands of an idle system are counted.
    pub(crate) const fn idle_seconds(&self) -> u64 {
        self.pick(10, 30)
    }

    /// Whether a row or curve is asked for: by its name, or by the first word of it.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let is = |only: &String| {
            name.strip_prefix(only.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.only.is_empty() || self.only.iter().any(is)
    }

    /// Whether curves are drawn if they are not asked for by name.
    pub(crate) fn wants_curve(&self, name: &str) -> bool {
        self.wants(name) && (!self.quick || !self.only.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_first_word_stands_for_all_that_begin_with_it() {
        let plan = |only: &[&str], quick| Plan {
            quick,
            turns: 1,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            peers: false,
            sockudo: false,
        };
        let idle = plan(&["idle"], false);
        let wanted = ["idle-p50", "idle", "idles", "path-one"].map(|name| idle.wants(name));
        assert_eq!(wanted, [true, true, false, false]);
        assert!(plan(&[], true).wants("idle"));
        assert!(!plan(&[], true).wants_curve("curve-payload"));
        assert!(plan(&["curve"], true).wants_curve("curve-payload"));
    }
}
