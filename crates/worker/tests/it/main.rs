//! Workers as their authors build them. Only `stop` needs a Redis, of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "nothing is reachable from outside a test binary"
)]

#[cfg(test)]
mod assistant;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod stop;
