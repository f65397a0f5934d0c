//! From figures to places on an axis.

/// An axis' scale.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// Where ticks stand, rising; the ends are the axis' ends, or beyond them is nothing.
    pub(super) ticks: Vec<f64>,
    /// Whether each step multiplies.
    pub(super) logarithmic: bool,
    low: f64,
    high: f64,
}

impl Scale {
    /// From zero to a round number that is at least `most`, in about five steps.
    pub(super) fn linear(most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let raw = most / 5.0;
        let power = 10_f64.powf(raw.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
        let step = steps
            .map(|step| step * power)
            .into_iter()
            .find(|step| *step >= raw * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let count = (most / step * 0.999).ceil();
        let mut ticks = Vec::new();
        let mut index = 0.0;
        while index <= count {
            ticks.push(index * step);
            index += 1.0;
        }
        Self {
            ticks,
            logarithmic: false,
            low: 0.0,
            high: count * step,
        }
    }

    /// Over values above zero, which rise: a tick at each if there are few, else at powers of ten.
    pub(super) fn over(values: &[f64]) -> Self {
        let low = values.first().copied().unwrap_or(1.0);
        let high = values.last().copied().unwrap_or(1.0);
        let ticks = if values.len() <= 8 {
            values.to_vec()
        } else {
            powers(low, high)
        };
        Self {
            ticks,
            logarithmic: true,
            low,
            // One value alone stands on the left.
            high: if high > low { high } else { low * 10.0 },
        }
    }

    /// From the power of ten below the lowest to the one above the highest.
    pub(super) fn logarithmic(lowest: f64, highest: f64) -> Self {
        let low = 10_f64.powf(lowest.log10().floor());
        let high = 10_f64.powf(highest.log10().ceil());
        Self {
            ticks: powers(low, high),
            logarithmic: true,
            low,
            high: if high > low { high } else { low * 10.0 },
        }
    }

    /// Where a figure stands, from 0 at the low end to 1 at the high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

fn powers(low: f64, high: f64) -> Vec<f64> {
    let mut power = 10_f64.powf((low * 0.999).log10().ceil());
    let mut ticks = Vec::new();
    while power <= high * 1.001 {
        ticks.push(power);
        power *= 10.0;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_round() {
        let ends = [
            (8.7, 10.0),
            (48_213.0, 50_000.0),
            (1.0, 1.0),
            (0.31, 0.4),
            (0.0, 1.0),
        ];
        for (most, end) in ends {
            let scale = Scale::linear(most);
            assert!((scale.high - end).abs() < 1e-9, "{most} {scale:?}");
            assert!((4..=8).contains(&scale.ticks.len()), "{scale:?}");
        }
    }

    #[test]
    fn each_step_multiplies() {
        let scale = Scale::over(&[1.0, 10.0, 100.0]);
        assert_eq!(scale.ticks, [1.0, 10.0, 100.0]);
        assert!((scale.place(10.0) - 0.5).abs() < 1e-9);
        let scale = Scale::logarithmic(0.02, 300.0);
        assert_eq!(scale.ticks.len(), 6);
    }
}
