//! A published event as it travels: with its place in a log, and unread.
//!
//! Who only passes events on never looks into them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An event with its place in a feed's log. A message on a pub/sub channel holds one a line.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Envelope<'a> {
    /// Which incarnation of the log; empty for what is in none.
    pub epoch: &'a str,
    /// Which place in it, from 1; 0 for what is in none.
    pub offset: u64,
    /// What happened.
    #[serde(borrow)]
    pub event: &'a RawValue,
}
