//! What a Redis that syncs every second may forget at a kill: what is explained by that is told, and does not fail a
//! run.

use super::{
    history::{Down, History},
    judge::{NOTICE_MS, Verdict, Wrong},
    settings::{FaultArgs, Made},
};

/// How far back before a kill writes may be lost, in milliseconds.
const LOSS_WINDOW_MS: u64 = 2_000;

/// When Redis was killed that may forget.
#[derive(Clone, Debug, Default)]
pub struct Excuse {
    /// From when until when it was away, if there may be two that think they are Redis, and for a moment otherwise.
    kills: Vec<(u64, u64)>,
}

impl Excuse {
    /// The excuse of a run; a Redis that syncs before it answers, and is alone, has none.
    pub fn of(settings: &FaultArgs, history: &History) -> Self {
        let killed = |down: &&Down| settings.may_forget() && down.killed;
        let kills = history.down.iter().filter(killed);
        let until = |down: &Down| match settings.topology {
            Made::One => down.from,
            // One that was stopped goes on for a moment before it hears that it was replaced.
            _ => down.to.saturating_add(LOSS_WINDOW_MS),
        };
        Self {
            kills: kills.map(|down| (down.from, until(down))).collect(),
        }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.kills.is_empty()
    }

    /// How long before the next kill this was, in milliseconds, if any came.
    fn age(&self, at: u64) -> Option<u64> {
        let next = self.kills.iter().filter(|(_, until)| *until >= at).min();
        next.map(|(from, _)| from.saturating_sub(at))
    }

    /// The oldest age at a kill of what was lost, in milliseconds.
    pub fn window(&self, lost: &[Wrong]) -> Option<u64> {
        lost.iter().filter_map(|lost| self.age(lost.at)).max()
    }

    /// How many of those that began shortly before a kill are not explained by it.
    pub fn unexplained(&self, wrongs: &[Wrong]) -> usize {
        let explained =
            |wrong: &&Wrong| self.age(wrong.at).is_some_and(|age| age <= LOSS_WINDOW_MS);
        wrongs.len() - wrongs.iter().filter(explained).count()
    }

    /// How many of those that show after a kill are not explained by it: gaps, and what fell into them. A gap must
    /// have been told on the same channel.
    pub fn unexplained_after(&self, wrongs: &[Wrong], verdict: &Verdict) -> usize {
        let after = |(from, until): (u64, u64), at: u64| from <= at && at <= until + NOTICE_MS;
        let explained = |wrong: &&Wrong| {
            self.kills.iter().any(|kill| {
                let told = |gap: &Wrong| gap.topic == wrong.topic && after(*kill, gap.at);
                after(*kill, wrong.at) && verdict.gaps.iter().any(told)
            })
        };
        wrongs.len() - wrongs.iter().filter(explained).count()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Down, Excuse, FaultArgs, History, Verdict, Wrong};

    fn excuse(words: &str) -> Excuse {
        let killed = |from, killed| Down {
            from,
            to: from + 100,
            killed,
            lost_bytes: 0,
        };
        let history = History {
            down: vec![killed(10_000, true), killed(50_000, false)],
            ..History::default()
        };
        let settings = FaultArgs::parse_from(["faults"].into_iter().chain(words.split(' ')));
        Excuse::of(&settings, &history)
    }

    fn wrongs(times: &[u64]) -> Vec<Wrong> {
        let wrong = |at: &u64| Wrong {
            what: String::new(),
            why: String::new(),
            at: *at,
            topic: "lobby".to_owned(),
        };
        times.iter().map(wrong).collect()
    }

    #[test]
    fn only_what_was_young_at_a_kill_is_explained() {
        let lost = wrongs(&[5_000, 8_500, 9_900, 10_100, 49_900]);
        assert_eq!(excuse("--fsync everysec").unexplained(&lost), 3);
        assert_eq!(excuse("--fsync everysec").window(&lost), Some(5_000));
        assert_eq!(excuse("--fsync always").unexplained(&lost), 5);
        assert_eq!(excuse("--fsync always").window(&lost), None);
    }

    #[test]
    fn where_a_replica_took_over_two_may_have_answered_for_a_while() {
        let lost = wrongs(&[7_000, 8_500, 10_050, 12_100, 12_200]);
        assert_eq!(excuse("--topology cluster").unexplained(&lost), 2);
    }

    #[test]
    fn what_fell_into_a_gap_is_explained_only_if_the_gap_was_told() {
        let missing = wrongs(&[9_000, 10_500, 45_000]);
        let mut verdict = Verdict::default();
        let excuse = excuse("--fsync everysec");
        assert_eq!(excuse.unexplained_after(&missing, &verdict), 3);
        verdict.gaps = wrongs(&[10_400]);
        assert_eq!(excuse.unexplained_after(&missing, &verdict), 2);
        verdict.gaps[0].topic = "faults".to_owned();
        assert_eq!(excuse.unexplained_after(&missing, &verdict), 3);
    }
}
