//! The WebSocket gateway: takes messages as durable jobs, and delivers what becomes of them to every client.
//!
//! A message comes in at a [`Connection`], becomes a job in the `plain` protocol's [`Session`], and returns
//! through the `relay`, which follows the channel on Redis and gives every event to the [`Hub`]. A server
//! broadcasts nothing by itself: its own clients hear of a message the same way as those of all other servers.
//!
//! Knows neither the queue manager nor the worker.

mod admission;
mod app;
mod args;
pub mod auth;
mod batch;
mod close;
mod connection;
mod drain;
mod frame;
mod hub;
pub mod identity;
mod inbound;
mod keepalive;
mod message_span;
mod metrics;
mod origin;
mod outbox;
mod page;
mod plain;
mod probe;
mod relay;
mod routes;
mod session;
mod upgrade;

pub use admission::{Admission, NoPlace, Place};
pub use app::App;
pub use args::{InvalidArgs, ServerArgs};
pub use batch::Batch;
pub use close::Close;
pub use connection::{Connection, Timing};
pub use frame::Frame;
pub use hub::{Hub, Membership, Reach};
pub use inbound::Inbound;
pub use metrics::Metrics;
pub use origin::{OriginPolicy, OriginRefused};
pub use outbox::{Limits, Outbox, Pushed, Signal};
pub use plain::PlainSession;
pub use session::Session;
