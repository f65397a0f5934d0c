//! What a connection can be asked for from outside.

/// What the process asks of a connection. Each takes precedence over those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// To go on.
    None,
    /// To finish what is under way, and close.
    Leave,
    /// To close now, for the reason that was given.
    Kick,
    /// To close now, because the client does not read what it is sent.
    Slow,
    /// To end now, without a word.
    Stop,
}
