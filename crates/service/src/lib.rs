//! The shell of a process: arguments, telemetry, signals and ordered shutdown, health.
//!
//! The three binaries share how they start, log, report their health and stop, and nothing else. This crate
//! knows no Redis and no job, so a change to either never reaches it.

mod collector;
mod connection;
mod endpoint;
pub mod health;
pub mod lifecycle;
pub mod listen;
pub mod readiness;
mod signal;
pub mod telemetry;
pub mod traces;

pub use connection::Hangup;
pub use lifecycle::{Handle, Lifecycle, ShutdownArgs};
pub use listen::{ExposureArgs, ExposureError};
pub use readiness::{Check, Readiness};
pub use telemetry::{LogFormat, TelemetryArgs};
