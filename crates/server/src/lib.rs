//! The WebSocket gateway: takes messages as durable jobs, and delivers what becomes of them to every client.
//!
//! A message comes in at a [`Connection`], becomes a job in its protocol's [`Session`], and returns through the
//! `delivery`, which follows the channels on Redis and gives every event to the `channels` of those who are subscribed.
//! A server broadcasts nothing by itself: its own clients hear of a message the same way as those of all other servers.
//!
//! Knows neither the queue manager nor the worker.

mod admission;
mod api;
mod app;
mod args;
mod attendance;
pub mod auth;
mod batch;
mod bucket;
mod channels;
mod client;
mod close;
mod connection;
mod delivery;
mod drain;
mod encode;
mod frame;
mod history;
mod http;
mod hub;
pub mod identity;
mod inbound;
mod jobs;
mod keepalive;
mod message_span;
mod metrics;
mod namespaces;
mod outbox;
mod page;
mod plain;
mod probe;
mod routes;
mod run;
mod session;
mod signal;
mod tail;
#[cfg(feature = "testing")]
pub mod testing;
mod traced;
mod upgrade;
mod waiting;

pub use admission::{Admission, NoPlace, Place};
pub use app::App;
pub use args::{InvalidArgs, ServerArgs};
pub use batch::Batch;
pub use client::ClientArgs;
pub use close::Close;
pub use connection::{Connection, Timing};
pub use frame::Frame;
pub use hub::{Hub, Membership};
pub use inbound::Inbound;
pub use metrics::Metrics;
pub use namespaces::{Namespaces, NamespacesError, RoomOptions};
pub use outbox::{Limits, Outbox, Pushed};
pub use plain::{PlainSession, Room};
pub use service::{OriginPolicy, OriginRefused};
pub use session::Session;
pub use signal::Signal;
