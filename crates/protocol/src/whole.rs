//! A whole number of JSON, which may be written `5` or `5.0`: to JSON Schema, and to many languages, they are one.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Up to where every whole number has a floating-point one of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number that is not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Of a number that was kept back, only this gives the one with a point as well.
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl serde::de::Visitor<'_> for Visitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        if number.fract() != 0.0 || !(0.0..=EXACT).contains(&number) {
            return Err(E::invalid_value(
                serde::de::Unexpected::Float(number),
                &self,
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and in the range"
        )]
        Ok(Whole(number as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::Whole;

    #[test]
    fn a_whole_number_may_have_a_point() {
        let read = |text| serde_json::from_str::<Whole>(text).ok();
        for (text, number) in [("5", 5), ("5.0", 5), ("5e3", 5000), ("0.0", 0), ("-0.0", 0)] {
            assert_eq!(read(text), Some(Whole(number)), "{text}");
        }
        assert_eq!(read("18446744073709551615"), Some(Whole(u64::MAX)));
        for text in ["5.5", "-1", "-1.0", "1e300", "\"5\"", "null", "[5]"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
