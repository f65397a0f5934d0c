//! The Centrifugo client protocol on a connection: jobs and rooms for whoever has one of its SDKs.
//!
//! A session is given its client's commands one after the other. What it learns of Redis it learns through the
//! channels that all sessions share.

mod args;
mod connect;
mod feature;
mod orders;
mod recovery;
mod rooms;
mod roster;
mod rpc;
mod session;
mod shared;
mod subscribe;
mod users;

pub use args::ClientArgs;
pub(crate) use roster::{Order, Roster, What};
pub(crate) use session::ClientSession;
pub(crate) use shared::{ClientLimits, Shared};
pub(crate) use subscribe::kept;
pub(crate) use users::{Seat, Users};
