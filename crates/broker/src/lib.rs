//! Everything that talks to Redis, and nothing else: no HTTP, no WebSocket.
//!
//! - [`Redis`] is a connection that comes back by itself.
//! - [`RedisBackend`] is the apalis backend: a sink for those who submit, a source for those who work.
//! - [`follow`] delivers a channel's events, in order and without gaps, across reconnects.
//! - [`Inspector`], [`Control`] and [`Maintenance`] are for operators and the queue manager.
//!
//! What is atomic is a Lua script (`src/lua`); everything around it batches: while one round trip is under way,
//! the next collects.

mod ack;
mod args;
mod backend;
mod backoff;
mod buffer;
mod connection;
mod control;
mod detached;
mod driver;
mod error;
mod follow;
mod handle;
mod inspect;
mod keys;
mod lease;
mod maintenance;
mod outcome;
mod producer;
mod receipt;
mod round;
mod script;
mod sink;
#[cfg(feature = "testing")]
pub mod testing;
mod wake;

pub use ack::{AckLayer, AckService};
pub use args::{QueueArgs, RedisArgs};
pub use backend::{ConsumerConfig, RedisBackend};
pub use backoff::{Backoff, retry_delay};
pub use connection::Redis;
pub use control::{Control, RetryOutcome};
pub use detached::{Detached, Settled};
pub use error::Error;
pub use follow::{Delivery, FollowState, follow};
pub use handle::{EmitError, JobHandle};
pub use inspect::{Counts, Inspector, Totals};
pub use keys::Keys;
pub use maintenance::{Maintenance, Swept};
pub use outcome::{JobError, Output};
pub use producer::{Producer, ProducerConfig};
pub use receipt::{OnReceipt, Receipt, SubmitError};
