//! The schedules of a trial, and by plain arithmetic the times that they name: not by the code that is tried.

use std::fmt::Write as _;

use crate::faults::WORK_KIND;

/// Zones whose offsets are whole minutes: they change nothing of when a second of a minute is.
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "Asia/Kolkata"];

/// Schedules that all run with one interval, spread over it; the even ones by a cron text, the odd ones by an interval.
pub(super) struct Roster {
    count: u64,
    every: u64,
}

impl Roster {
    pub(super) const fn new(count: u32, every_secs: u32) -> Self {
        Self {
            count: count as u64,
            every: every_secs as u64,
        }
    }

    /// How long after a full minute the first time of a schedule is, in milliseconds.
    const fn offset(&self, n: u64) -> u64 {
        if n.is_multiple_of(2) {
            n / 2 % self.every * 1_000
        } else {
            self.every * 1_000 * n / self.count
        }
    }

    /// The file that managers get.
    pub(super) fn file(&self) -> String {
        let mut text = "{\"source\":\"trial\",\"schedules\":[".to_owned();
        for n in 0..self.count {
            let offset = self.offset(n);
            let (when, missed) = if n.is_multiple_of(2) {
                let seconds: Vec<_> = (offset / 1_000..60)
                    .step_by(usize::try_from(self.every).expect("it is small"))
                    .map(|second| second.to_string())
                    .collect();
                let zone = ZONES[usize::try_from(n % 3).expect("it is small")];
                let seconds = seconds.join(",");
                let cron = format!(r#"{{"cron":"{seconds} * * * * *","zone":"{zone}"}}"#);
                (cron, "skip")
            } else {
                let every = self.every * 1_000;
                (
                    format!(r#"{{"every_ms":{every},"from":{offset}}}"#),
                    "catch_up",
                )
            };
            let comma = if n == 0 { "" } else { "," };
            let _ = write!(
                text,
                r#"{comma}{{"name":"s-{n}","queue":"chat","when":{when},"missed":"{missed}","job":{{"kind":"{WORK_KIND}","payload":{{"ms":1,"emits":0,"fails":"never","stubborn":false}},"events":"outcome"}}}}"#
            );
        }
        text + "]}"
    }

    /// All times from one to another, as `name/time`.
    pub(super) fn times(&self, from: u64, to: u64) -> Vec<String> {
        let every = self.every * 1_000;
        let mut times = Vec::new();
        for n in 0..self.count {
            let offset = self.offset(n);
            let first = offset + from.saturating_sub(offset).div_ceil(every) * every;
            let mut at = first;
            while at <= to {
                times.push(format!("s-{n}/{at}"));
                at += every;
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::Roster;

    #[test]
    fn times_are_spread_over_the_interval() {
        let roster = Roster::new(4, 2);
        assert_eq!(
            roster.times(10_000, 12_000),
            [
                "s-0/10000",
                "s-0/12000",
                "s-1/10500",
                "s-2/11000",
                "s-3/11500"
            ]
        );
        let file = roster.file();
        assert!(file.contains(r#""cron":"1,3,5,7,"#), "{file}");
        assert!(file.contains(r#""every_ms":2000,"from":1500"#), "{file}");
    }
}
