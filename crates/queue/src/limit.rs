//! A limit as an operator types it: a value, or `none` to take it away.

use std::str::FromStr;

use broker::Rate;

/// What becomes of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit<T> {
    /// There is to be none.
    None,
    /// It is to be this.
    To(T),
}

/// The largest number that Redis' scripts hold exactly.
const MOST: u64 = 1 << 53;

impl<T: Copy> Limit<T> {
    /// Puts it in place of another.
    pub(crate) const fn put(self, place: &mut Option<T>) {
        *place = match self {
            Self::None => None,
            Self::To(value) => Some(value),
        };
    }
}

impl FromStr for Limit<u64> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            _ => text
                .parse()
                .ok()
                .filter(|number| *number <= MOST)
                .map(Self::To)
                .ok_or_else(|| format!("say a whole number up to {MOST}, or none")),
        }
    }
}

impl FromStr for Limit<Rate> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            _ => text
                .parse()
                .map(Self::To)
                .map_err(|_| "say jobs/time, as 100/s, 20/500ms, 30/m or 5/h, or none".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use broker::Rate;

    use super::Limit;

    #[test]
    fn a_limit_is_a_value_or_none() {
        assert_eq!("5".parse(), Ok(Limit::To(5_u64)));
        assert_eq!("none".parse(), Ok(Limit::<u64>::None));
        assert_eq!("none".parse(), Ok(Limit::<Rate>::None));
        assert_eq!(
            "5/s".parse(),
            Ok(Limit::To(Rate {
                jobs: 5,
                per_ms: 1_000
            }))
        );
        for text in ["", "-1", "x", "None", "18446744073709551615"] {
            assert!(text.parse::<Limit<u64>>().is_err(), "{text}");
        }
        assert!("5".parse::<Limit<Rate>>().is_err());
    }
}
