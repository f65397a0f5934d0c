//! The whole system: real binaries, a real Redis, real faults.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "nothing is reachable from outside a test binary"
)]

mod acl;
mod apart;
mod autobahn;
mod browser;
mod collector;
mod dashboard;
mod failover;
mod faults;
mod flow;
mod harness;
mod jobs;
mod load;
mod manifests;
mod metrics;
mod page;
mod partitions;
mod peers;
mod promises;
mod properties;
mod redis_faults;
mod rolling;
mod schedules;
mod sdk;
mod stop;
mod tls;
mod traces;
mod traffic;
