//! Where a list goes on, as one word that a shell does not touch. Says nothing to people.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use broker::JobPlace;
use serde::{Serialize, Serializer};

/// A place in the list of a queue's jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub JobPlace);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = serde_json::to_vec(&self.0).map_err(|_| fmt::Error)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(place))
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = URL_SAFE_NO_PAD.decode(text).ok();
        let place = place.and_then(|place| serde_json::from_slice(&place).ok());
        place
            .map(Self)
            .ok_or_else(|| "say what a list gave out as `next`".to_owned())
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn a_place_comes_back() {
        let json = r#"{"set":"failed","score":"1714979289123","id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#;
        let cursor = Cursor(serde_json::from_str(json).unwrap());
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "x", "e30", "!"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
