//! The broker against a real Redis.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    unreachable_pub,
    reason = "nothing is reachable from outside a test binary"
)]

mod backend;
mod cancel;
mod cluster;
mod durability;
mod faults;
mod follow;
mod hand;
mod hand_worker;
mod house;
mod idempotency;
mod inspect;
mod kinds;
mod limits;
mod lines;
mod memory;
mod meter;
mod model;
mod nodes;
mod options;
mod overview;
mod parcels;
mod partitions_consume;
mod partitions_produce;
mod partitions_split;

mod partitions_find;
mod partitions_follow;
mod presence;
mod producer;
mod puppets;
mod registry;
mod retention;
mod rig;
mod rooms;
mod scan;
mod schedules;
mod sentinel;
mod stop;
mod taken;
mod taken_kept;
mod tls;
