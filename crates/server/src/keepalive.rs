//! When to ping a client, and when to believe that it is gone.
//!
//! A peer that vanished without a word leaves a socket that looks alive; only silence gives it away. Reads no
//! clock: the time is told to it.

use std::time::Duration;

use tokio::time::Instant;

/// What the time asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// A ping.
    Ping,
    /// The end: nothing was heard for too long.
    Idle,
}

/// When something was last heard of a client, and what follows from it.
#[derive(Debug)]
pub(crate) struct Keepalive {
    ping_interval: Duration,
    idle_timeout: Duration,
    heard: Instant,
    ping_at: Instant,
}

impl Keepalive {
    /// Starts now. `spread` moves the first ping, so that clients that came together are not pinged together.
    pub(crate) fn new(
        ping_interval: Duration,
        idle_timeout: Duration,
        spread: u64,
        now: Instant,
    ) -> Self {
        let sixteenths = u32::try_from(spread % 8).unwrap_or(0) + 9;
        let ping_at = now + ping_interval * sixteenths / 16;
        Self {
            ping_interval,
            idle_timeout,
            heard: now,
            ping_at,
        }
    }

    /// Something came from the client.
    pub(crate) const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Instant {
        self.ping_at.min(self.heard + self.idle_timeout)
    }

    /// What is due. A ping that is due is taken to be sent.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if now >= self.heard + self.idle_timeout {
            return Due::Idle;
        }
        if now >= self.ping_at {
            self.ping_at = now + self.ping_interval;
            return Due::Ping;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Due, Keepalive};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pings_go_out_until_silence_is_too_long() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(25 * SECOND, 60 * SECOND, 7, start);
        assert_eq!(keepalive.next(), start + 25 * SECOND);
        assert_eq!(keepalive.due(start + 24 * SECOND), Due::Nothing);
        assert_eq!(keepalive.due(start + 25 * SECOND), Due::Ping);
        assert_eq!(keepalive.next(), start + 50 * SECOND);
        keepalive.heard(start + 26 * SECOND);
        assert_eq!(keepalive.due(start + 61 * SECOND), Due::Ping);
        assert_eq!(keepalive.next(), start + 86 * SECOND);
        assert_eq!(keepalive.due(start + 86 * SECOND), Due::Idle);
    }

    #[test]
    fn first_pings_are_spread_over_half_the_interval() {
        let start = Instant::now();
        for spread in 0..100 {
            let next = Keepalive::new(16 * SECOND, 60 * SECOND, spread, start).next();
            assert!(next > start + 8 * SECOND && next <= start + 16 * SECOND);
        }
    }
}
