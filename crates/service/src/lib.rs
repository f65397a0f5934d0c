//! The shell of a process: arguments, telemetry, signals and ordered shutdown, health, and whose pages may reach it.
//!
//! The three binaries share how they start, log, report their health, keep strangers out and stop, and nothing else. This crate
//! knows no Redis and no job, so a change to either never reaches it.

mod collector;
mod connection;
mod endpoint;
mod exposition;
pub mod health;
pub mod lifecycle;
pub mod listen;
mod origin;
mod pattern;
pub mod readiness;
mod secret;
mod signal;
pub mod telemetry;
mod threads;
pub mod traces;
pub mod vitals;

pub use connection::Hangup;
pub use lifecycle::{Handle, Lifecycle, ShutdownArgs};
pub use listen::{ExposureArgs, ExposureError};
pub use origin::{OriginPolicy, OriginRefused};
pub use pattern::Pattern;
pub use readiness::{Check, Readiness};
pub use secret::Secret;
pub use telemetry::{LogFormat, TelemetryArgs};
pub use threads::block_on;
