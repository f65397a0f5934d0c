//! The broker against a real Redis.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "nothing is reachable from outside a test binary"
)]

mod backend;
mod faults;
mod follow;
mod inspect;
mod lines;
mod memory;
mod model;
mod producer;
mod puppets;
mod rig;
mod stop;
