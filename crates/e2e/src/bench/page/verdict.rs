//! What the samples of a row say: medians, who is better by how much, and whether the target was met.

use std::fmt;

use super::figure::figure;
use crate::bench::report::{Better, Row, Side, Target};

/// One side's samples in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The middle, or the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Summary {
    /// Of a side, unless it was skipped.
    pub fn of(side: &Side) -> Option<Self> {
        let mut samples = side.samples.clone();
        samples.sort_by(f64::total_cmp);
        let (low, high) = (*samples.first()?, *samples.last()?);
        let middle = samples.len() / 2;
        let median = if samples.len() % 2 == 1 {
            samples[middle]
        } else {
            f64::midpoint(samples[middle - 1], samples[middle])
        };
        Some(Self { median, low, high })
    }

    /// How far the samples lie apart, as a share of the median.
    pub fn spread(self) -> f64 {
        (self.high - self.low) / self.median
    }
}

/// What a row says about its target.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Reached.
    Met,
    /// Missed.
    NotMet,
    /// Nothing to say: no target, or a side that is needed was not measured.
    Open,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::Open => "–",
        })
    }
}

impl Row {
    /// This project's figures.
    pub fn ours(&self) -> Option<Summary> {
        Summary::of(self.sides.first()?)
    }

    /// The best peer's name and figures.
    pub fn best_peer(&self) -> Option<(&str, Summary)> {
        let peers = self.sides.iter().skip(1);
        let measured = peers.filter_map(|side| Some((side.name.as_str(), Summary::of(side)?)));
        measured.reduce(|best, other| {
            let better = match self.better {
                Better::Higher => other.1.median > best.1.median,
                Better::Lower => other.1.median < best.1.median,
            };
            if better { other } else { best }
        })
    }

    /// How many times better this project is than the best peer; below one, how much worse.
    pub fn times(&self) -> Option<f64> {
        let (_, best) = self.best_peer()?;
        Some(self.times_better(self.ours()?.median, best.median))
    }

    /// How many times better one figure is than another.
    pub fn times_better(&self, one: f64, other: f64) -> f64 {
        match self.better {
            Better::Higher => one / other,
            Better::Lower => other / one,
        }
    }

    /// The figure that this project's median must reach, in the row's unit.
    pub fn threshold(&self) -> Option<f64> {
        match self.target.as_ref()? {
            Target::AtMost(most) => Some(*most),
            Target::Times(times) => {
                let (_, best) = self.best_peer()?;
                Some(match self.better {
                    Better::Higher => best.median * times,
                    Better::Lower => best.median / times,
                })
            }
        }
    }

    /// Whether the target was met.
    pub fn verdict(&self) -> Verdict {
        let (Some(ours), Some(threshold)) = (self.ours(), self.threshold()) else {
            return Verdict::Open;
        };
        let met = match (&self.target, self.better) {
            (Some(Target::Times(_)), Better::Higher) => ours.median >= threshold,
            _ => ours.median <= threshold,
        };
        if met { Verdict::Met } else { Verdict::NotMet }
    }

    /// The target in words, if there is one.
    pub fn goal(&self) -> Option<String> {
        Some(match self.target.as_ref()? {
            Target::Times(times) => format!("{}× the best peer", trimmed(*times)),
            Target::AtMost(most) => format!("at most {} {}", trimmed(*most), self.unit),
        })
    }
}

fn trimmed(value: f64) -> String {
    let text = figure(value);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(better: Better, target: Target, sides: &[&[f64]]) -> Row {
        let side = |(index, samples): (usize, &&[f64])| Side {
            name: format!("side {index}"),
            samples: samples.to_vec(),
            note: None,
        };
        Row {
            name: "row".to_owned(),
            what: "What was done.".to_owned(),
            unit: "ms".to_owned(),
            better,
            target: Some(target),
            sides: sides.iter().enumerate().map(side).collect(),
        }
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        let row = row(Better::Lower, Target::AtMost(1.0), &[&[4.0, 1.0, 2.0, 3.0]]);
        let ours = row.ours().unwrap();
        assert!((ours.median - 2.5).abs() < 1e-9);
        assert!((ours.spread() - 1.2).abs() < 1e-9);
    }

    #[test]
    fn rates_are_met_above_and_costs_below() {
        let rate = row(
            Better::Higher,
            Target::Times(6.0),
            &[&[70.0], &[10.0], &[11.0], &[]],
        );
        assert_eq!(rate.best_peer().unwrap().0, "side 2");
        assert_eq!(rate.verdict(), Verdict::Met);
        let cost = row(
            Better::Lower,
            Target::Times(2.0),
            &[&[6.0], &[10.0], &[11.0]],
        );
        assert_eq!(cost.best_peer().unwrap().0, "side 1");
        assert_eq!(cost.verdict(), Verdict::NotMet);
        assert!((cost.times().unwrap() - 10.0 / 6.0).abs() < 1e-9);
        let most = row(Better::Lower, Target::AtMost(6.0), &[&[6.0], &[10.0]]);
        assert_eq!(most.verdict(), Verdict::Met);
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let row = row(Better::Higher, Target::Times(6.0), &[&[70.0], &[]]);
        assert_eq!(row.times(), None);
        assert_eq!(row.verdict(), Verdict::Open);
    }
}
