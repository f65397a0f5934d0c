//! The settings of the gateway, each as an option and as an environment variable.
//!
//! Reads nothing else and starts nothing: contradictions are refused here, before anything is bound.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

use broker::{DurabilityArgs, QueueArgs, RedisArgs};
use clap::{Parser, value_parser};
use protocol::limits;
use service::{ExposureArgs, ShutdownArgs, TelemetryArgs};

use crate::auth::{AuthArgs, InvalidAuthArgs};
use crate::client::ClientArgs;
use crate::{Limits, Timing};

/// Where the server listens unless it is told.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// The WebSocket gateway: takes messages as durable jobs and delivers what becomes of them.
#[derive(Parser, Clone, Debug)]
#[command(name = "server", version, max_term_width = 100)]
pub struct ServerArgs {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:3000, or a free port if that is in use]
    #[arg(long, env = "LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Which web pages may connect, as a list with commas: origins in which `*` stands for any characters, such
    /// as `https://*.example.com` [default: only pages that this server serves]
    #[arg(
        long,
        env = "ALLOWED_ORIGINS",
        value_name = "PATTERNS",
        value_delimiter = ','
    )]
    pub allowed_origins: Vec<String>,
    /// How many connections there may be; more are answered with 503
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// How many HTTP requests may last at a time, as streams of events and waits do; more are answered with 503
    #[arg(long, env = "MAX_STREAMS", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub max_streams: u32,
    /// On how many threads connections are served [default: as many as there are processors]
    #[arg(long, env = "THREADS", value_name = "THREADS")]
    pub threads: Option<NonZeroUsize>,
    /// How long a message may be, in bytes; a longer one closes the connection with 1009
    #[arg(long, env = "MAX_FRAME_BYTES", default_value_t = limits::DEFAULT_MAX_FRAME_BYTES)]
    pub max_frame_bytes: usize,
    /// How many frames may wait for one slow client before it is closed with 1013; each takes some 50 bytes beside its own
    #[arg(long, env = "OUTBOX_FRAMES", default_value_t = 16 * 1024)]
    pub outbox_frames: usize,
    /// How many bytes may wait for one slow client before it is closed with 1013
    #[arg(long, env = "OUTBOX_BYTES", default_value_t = 1024 * 1024)]
    pub outbox_bytes: usize,
    /// How often a client is pinged, in milliseconds
    #[arg(long, env = "PING_INTERVAL_MS", default_value_t = 25_000, value_parser = value_parser!(u64).range(1..))]
    pub ping_interval_ms: u64,
    /// How long nothing at all may come from a client, answers to pings included, in milliseconds
    #[arg(long, env = "IDLE_TIMEOUT_MS", default_value_t = 60_000)]
    pub idle_timeout_ms: u64,
    /// How long a client may take to read what is written to it, 64 KiB at a time, in milliseconds
    #[arg(long, env = "WRITE_TIMEOUT_MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    pub write_timeout_ms: u64,
    /// How many messages of one connection may be on their way to Redis; then it is not read from
    #[arg(long, env = "MAX_IN_FLIGHT", default_value_t = 256, value_parser = value_parser!(u32).range(1..=65_536))]
    pub max_in_flight: u32,
    /// How long Redis may take to confirm a message before its sender is told that it did not, in milliseconds
    #[arg(long, env = "ACCEPT_TIMEOUT_MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    pub accept_timeout_ms: u64,
    /// How long to go on as usual, but not ready, before connections are closed at the end, in milliseconds
    #[arg(long, env = "DRAIN_DELAY_MS", default_value_t = 0)]
    pub drain_delay_ms: u64,
    /// Over how long closes are spread at the end, in milliseconds
    #[arg(long, env = "DRAIN_WINDOW_MS", default_value_t = 5_000)]
    pub drain_window_ms: u64,
    /// Who may reach it.
    #[command(flatten)]
    pub exposure: ExposureArgs,
    /// How it stops.
    #[command(flatten)]
    pub shutdown: ShutdownArgs,
    /// How it logs.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// How clients show who they are.
    #[command(flatten, next_help_heading = "Authentication")]
    pub auth: AuthArgs,
    /// What sessions of the Centrifugo protocol may do.
    #[command(flatten, next_help_heading = "Sessions")]
    pub client: ClientArgs,
    /// Where Redis is.
    #[command(flatten, next_help_heading = "Redis")]
    pub redis: RedisArgs,
    /// When a message counts as accepted.
    #[command(flatten, next_help_heading = "Durability")]
    pub durability: DurabilityArgs,
    /// How much is kept.
    #[command(flatten, next_help_heading = "Retention")]
    pub queue: QueueArgs,
}

/// Settings that can't hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidArgs {
    /// No message could be sent, or only ones that no job can carry.
    #[error("--max-frame-bytes must be from 1 to {max}, it is {0}", max = limits::MAX_PAYLOAD_BYTES)]
    MaxFrameBytes(usize),
    /// Every client would be slow.
    #[error(
        "--outbox-frames must be at least 256, it is {0}: clients would be closed for every burst"
    )]
    OutboxFrames(usize),
    /// A client would be slow after one message.
    #[error("--outbox-bytes ({outbox}) must be at least twice --max-frame-bytes ({frame})")]
    OutboxBytes {
        /// The outbox.
        outbox: usize,
        /// The longest message.
        frame: usize,
    },
    /// A client that is only quiet would be taken for dead.
    #[error("--idle-timeout-ms ({idle}) must be longer than --ping-interval-ms ({ping})")]
    IdleTimeout {
        /// The longest silence.
        idle: u64,
        /// The pause between pings.
        ping: u64,
    },
    /// The grace would end before the last connection is closed.
    #[error(
        "--drain-delay-ms and --drain-window-ms ({drain} together) must be shorter than --shutdown-grace-ms ({grace})"
    )]
    Drain {
        /// Delay and window.
        drain: u64,
        /// The grace.
        grace: u64,
    },
    /// A pattern that fits nothing.
    #[error("--allowed-origins has an empty entry")]
    EmptyOrigin,
    /// Authentication.
    #[error(transparent)]
    Auth(#[from] InvalidAuthArgs),
}

impl ServerArgs {
    /// Refuses contradictions.
    pub fn validate(&self) -> Result<(), InvalidArgs> {
        let frame = self.max_frame_bytes;
        if !(1..=limits::MAX_PAYLOAD_BYTES).contains(&frame) {
            return Err(InvalidArgs::MaxFrameBytes(frame));
        }
        if self.outbox_frames < 256 {
            return Err(InvalidArgs::OutboxFrames(self.outbox_frames));
        }
        if self.outbox_bytes < frame.saturating_mul(2) {
            return Err(InvalidArgs::OutboxBytes {
                outbox: self.outbox_bytes,
                frame,
            });
        }
        let (idle, ping) = (self.idle_timeout_ms, self.ping_interval_ms);
        if idle <= ping {
            return Err(InvalidArgs::IdleTimeout { idle, ping });
        }
        let drain = self.drain_delay_ms.saturating_add(self.drain_window_ms);
        let grace = self.shutdown.shutdown_grace_ms;
        if drain >= grace {
            return Err(InvalidArgs::Drain { drain, grace });
        }
        if self
            .allowed_origins
            .iter()
            .any(|pattern| pattern.trim().is_empty())
        {
            return Err(InvalidArgs::EmptyOrigin);
        }
        self.auth.validate()?;
        Ok(())
    }

    /// The address to listen on, and whether it was asked for.
    pub fn address(&self) -> (SocketAddr, bool) {
        (self.listen.unwrap_or(DEFAULT_LISTEN), self.listen.is_some())
    }

    /// The bounds of an outbox.
    pub const fn outbox(&self) -> Limits {
        Limits {
            frames: self.outbox_frames,
            bytes: self.outbox_bytes,
        }
    }

    /// The times that a connection keeps.
    pub const fn timing(&self) -> Timing {
        Timing {
            ping_interval: Duration::from_millis(self.ping_interval_ms),
            idle_timeout: Duration::from_millis(self.idle_timeout_ms),
            write_timeout: Duration::from_millis(self.write_timeout_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{InvalidArgs, ServerArgs};

    fn check(args: &[&str]) -> Result<(), InvalidArgs> {
        ServerArgs::try_parse_from(["server"].iter().chain(args))
            .unwrap()
            .validate()
    }

    #[test]
    fn the_defaults_hold_together() {
        ServerArgs::command().debug_assert();
        assert_eq!(check(&[]), Ok(()));
    }

    #[test]
    fn contradictions_are_refused() {
        assert_eq!(
            check(&["--max-frame-bytes=0"]),
            Err(InvalidArgs::MaxFrameBytes(0))
        );
        assert_eq!(
            check(&["--max-frame-bytes=300000"]),
            Err(InvalidArgs::MaxFrameBytes(300_000))
        );
        assert_eq!(
            check(&["--outbox-frames=1"]),
            Err(InvalidArgs::OutboxFrames(1))
        );
        let outbox = InvalidArgs::OutboxBytes {
            outbox: 70_000,
            frame: 65_536,
        };
        assert_eq!(check(&["--outbox-bytes=70000"]), Err(outbox));
        let idle = InvalidArgs::IdleTimeout {
            idle: 5,
            ping: 25_000,
        };
        assert_eq!(check(&["--idle-timeout-ms=5"]), Err(idle));
        let drain = InvalidArgs::Drain {
            drain: 35_000,
            grace: 30_000,
        };
        assert_eq!(check(&["--drain-delay-ms=30000"]), Err(drain));
        assert_eq!(
            check(&["--allowed-origins=a,,b"]),
            Err(InvalidArgs::EmptyOrigin)
        );
    }

    #[test]
    fn origins_are_a_list() {
        let args = ServerArgs::try_parse_from(["server", "--allowed-origins", "a,b"]).unwrap();
        assert_eq!(args.allowed_origins, ["a", "b"]);
    }
}
