//! What a finished job takes, as it stands in its place in the set of its state: `lua/keep.lua` says how.

/// A code of 12 bits, in place of reading the job when it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept(u16);

impl Kept {
    /// Of a job that takes about so many bytes, and may have a log and a body in keys of their own.
    pub(crate) fn new(bytes: u64, has_log: bool, has_body: bool) -> Self {
        let mut part = bytes.div_ceil(64);
        let mut exponent = u64::from(part >= 64);
        while part >= 128 {
            part = part.div_ceil(2);
            exponent += 1;
        }
        if exponent > 0 {
            part -= 64;
        }
        if exponent > 15 {
            (part, exponent) = (63, 15);
        }
        let flags = (u64::from(has_log) << 11) | (u64::from(has_body) << 10);
        let code = flags | (exponent << 6) | part;
        Self(u16::try_from(code).unwrap_or_default())
    }

    /// How many bytes that are: a little more than it was made of.
    pub(crate) const fn bytes(self) -> u64 {
        let exponent = self.0 >> 6 & 0xf;
        let part = (self.0 & 0x3f) as u64;
        64 * match exponent {
            0 => part,
            more => (64 + part) << (more - 1),
        }
    }

    /// What follows the milliseconds in the score: precise enough to be read as the same 4096th.
    pub(crate) fn fraction(self) -> String {
        format!("{:.4}", f64::from(self.0) / 4096.0)[1..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn bytes_are_told_within_two_percent_and_never_less() {
        for bytes in (0..100_000).chain((17..24).map(|bits| (1 << bits) + 1)) {
            let kept = Kept::new(bytes, false, true).bytes();
            assert!(kept >= bytes, "{kept} for {bytes}");
            assert!(kept <= bytes + 64 + bytes / 50, "{kept} for {bytes}");
        }
        assert_eq!(Kept::new(u64::MAX, true, true).bytes(), 64 * (127 << 14));
    }

    #[test]
    fn a_score_gives_the_code_back() {
        for code in 0..4096u16 {
            let score = format!("1700000000000{}", Kept(code).fraction());
            let read = (score.parse::<f64>().unwrap().fract() * 4096.0).round();
            assert!((read - f64::from(code)).abs() < 0.5, "{score}");
        }
    }
}
