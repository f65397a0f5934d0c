//! The broker against a real Redis.

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
mod producer;
mod rig;
