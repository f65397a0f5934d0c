//! Runs the whole system out of its real binaries, for tests, fault tests and benchmarks.
//!
//! Never part of a release. Like a test, it panics where something is not as it must be.

pub mod bench;
mod client;
pub mod faults;
mod ledger;
pub mod load;
mod process;
pub mod rolling;
pub mod scale;
pub mod schedules;
mod session;
mod system;

pub use client::Client;
pub use ledger::Ledger;
pub use process::{Process, command};
pub use session::Session;
pub use system::{Settings, System};
