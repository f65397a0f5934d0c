//! What samples come to: medians, how far they are apart, and whether a row reaches what it is to reach.

use super::report::{Better, Row, Side, Target};

/// The value that half of them are at most. There is none without samples.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 {
        upper
    } else {
        f64::midpoint(sorted[middle - 1], upper)
    })
}

/// How far the least and the most are apart, as a share of the median.
pub(crate) fn spread(samples: &[f64]) -> Option<f64> {
    let median = median(samples).filter(|median| *median > 0.0)?;
    let least = samples.iter().copied().min_by(f64::total_cmp)?;
    let most = samples.iter().copied().max_by(f64::total_cmp)?;
    Some((most - least) / median)
}

/// What a row came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How many times better this project is than the best peer; less than 1 if it is worse. None without a peer.
    pub times: Option<f64>,
    /// Whether its every turn was better than each peer's of the same turn. None without a peer.
    pub every_turn: Option<bool>,
    /// Whether it reaches its target. None without one, or if nothing was measured that could tell.
    pub reached: Option<bool>,
}

impl Verdict {
    /// Judges a row, whose first side is this project.
    pub fn of(row: &Row) -> Self {
        let (ours, peers) = match row.sides.split_first() {
            Some((ours, peers)) => (Some(ours), peers),
            None => (None, &[][..]),
        };
        let own = ours.and_then(|side| median(&side.samples));
        let times = own.and_then(|own| {
            let against = peers.iter().filter_map(|peer| median(&peer.samples));
            against
                .map(|peer| match row.better {
                    Better::Higher => own / peer,
                    Better::Lower => peer / own,
                })
                .min_by(f64::total_cmp)
        });
        let reached = match row.target {
            None => None,
            Some(Target::Times(wanted)) => times.map(|times| times >= wanted),
            Some(Target::AtMost(most)) => own.map(|own| own <= most),
        };
        Self {
            times,
            every_turn: ours.and_then(|ours| every_turn(row.better, ours, peers)),
            reached,
        }
    }
}

fn every_turn(better: Better, ours: &Side, peers: &[Side]) -> Option<bool> {
    let measured: Vec<_> = peers
        .iter()
        .filter(|peer| !peer.samples.is_empty())
        .collect();
    if measured.is_empty() || ours.samples.is_empty() {
        return None;
    }
    let all = measured.iter().all(|peer| {
        let turns = ours.samples.iter().zip(&peer.samples);
        turns.into_iter().all(|(ours, peer)| match better {
            Better::Higher => ours > peer,
            Better::Lower => ours < peer,
        })
    });
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::{Verdict, median, spread};
    use crate::bench::report::{Better, Row, Side, Target};

    fn row(better: Better, target: Target, sides: &[&[f64]]) -> Row {
        Row {
            name: String::new(),
            what: String::new(),
            unit: String::new(),
            better,
            target: Some(target),
            sides: sides
                .iter()
                .map(|samples| Side {
                    name: String::new(),
                    samples: samples.to_vec(),
                    note: None,
                })
                .collect(),
        }
    }

    #[test]
    fn the_middle_is_found() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(spread(&[4.0, 5.0, 6.0]), Some(0.4));
        assert_eq!(spread(&[0.0]), None);
    }

    #[test]
    fn a_rate_is_held_against_the_best_peer() {
        let sides: [&[f64]; 4] = [&[60.0, 70.0], &[10.0, 10.0], &[13.0, 13.0], &[]];
        let verdict = Verdict::of(&row(Better::Higher, Target::Times(5.0), &sides));
        assert_eq!(verdict.times, Some(5.0));
        assert_eq!(
            (verdict.every_turn, verdict.reached),
            (Some(true), Some(true))
        );
        let verdict = Verdict::of(&row(Better::Higher, Target::Times(6.0), &sides));
        assert_eq!(verdict.reached, Some(false));
    }

    #[test]
    fn a_cost_is_better_if_it_is_less() {
        let sides: [&[f64]; 2] = [&[2.0, 1.0, 1.0], &[4.0, 4.0, 0.5]];
        let verdict = Verdict::of(&row(Better::Lower, Target::AtMost(1.0), &sides));
        assert_eq!(verdict.times, Some(4.0));
        assert_eq!(
            (verdict.every_turn, verdict.reached),
            (Some(false), Some(true))
        );
    }

    #[test]
    fn without_peers_nothing_is_compared() {
        let verdict = Verdict::of(&row(Better::Higher, Target::Times(2.0), &[&[1.0], &[]]));
        let none = Verdict {
            times: None,
            every_turn: None,
            reached: None,
        };
        assert_eq!(verdict, none);
    }
}
