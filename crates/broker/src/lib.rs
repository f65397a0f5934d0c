//! Everything that talks to Redis, and nothing else: no HTTP, no WebSocket.
//!
//! - [`Redis`] is a connection that comes back by itself.
//! - [`RedisBackend`] is the apalis backend: a sink for those who submit, a source for those who work.
//! - [`Feeds`] delivers the events of any number of channels, in order and without gaps, across reconnects; [`follow`]
//!   those of one.
//! - [`Rooms`] publishes to rooms, which belong to no queue and have a history of their own.
//! - [`Presence`] knows who is in a room, over all servers.
//! - [`Nodes`] are the servers that are there, and what they tell one another.
//! - [`Schedules`] keeps what is to be handed in when, and leases what is due to one manager at a time.
//! - [`Inspector`], [`Control`] and [`Maintenance`] are for operators and the queue manager.
//!
//! What is atomic is a Lua script (`src/lua`); everything around it batches: while one round trip is under way,
//! the next collects.

mod ack;
mod address;
mod args;
mod backend;
mod backoff;
mod batch;
mod batcher;
mod beat;
mod browse;
mod buffer;
mod call;
mod cluster;
mod connection;
mod consumer;
mod control;
mod detached;
mod driver;
mod durable;
mod envelope;
mod error;
mod errors;
mod extra;
mod failure;
mod feed;
mod feeds;
mod filter;
mod flight;
mod follow;
mod gathering;
mod given;
mod groups;
mod handle;
mod health;
mod inspect;
mod keeper;
mod kept;
mod keys;
mod lease;
mod log;
mod maintenance;
mod meter;
mod minutes;
mod new_id;
mod node;
mod nodes;
mod offer;
mod outcome;
mod pairs;
mod parcel;
mod partitions;
mod preflight;
mod presence;
mod producer;
mod pulse;
mod queued;
mod ready;
mod receipt;
mod record;
mod registry;
mod reign;
mod request;
mod roll;
mod rooms;
mod round;
mod scan;
mod schedules;
mod script;
mod search;
mod sentinel;
mod settings;
mod shares;
mod sink;
mod slots;
mod span;
mod storage;
mod stored;
mod subscription;
mod taken;
#[cfg(feature = "testing")]
pub mod testing;
mod vitals;
mod wake;

pub use ack::{AckLayer, AckService};
pub use args::{DurabilityArgs, QueueArgs, RedisArgs, TlsArgs};
pub use backend::{ConsumerConfig, RedisBackend};
pub use backoff::Backoff;
pub use browse::{Browse, InvalidPlace, JobPage, JobPlace};
pub use connection::Redis;
pub use control::{Control, Done};
pub use detached::{Detached, Settled};
pub use envelope::Envelope;
pub use error::Error;
pub use errors::{ErrorGroup, Errors};
pub use feed::Feed;
pub use feeds::{Feeds, FollowState, Listener};
pub use filter::{JobFilter, since};
pub use follow::{Delivery, follow};
pub use handle::{EmitError, JobHandle, StopReason};
pub use health::{Persistence, RedisHealth, RedisMemory, Replication};
pub use inspect::{Counts, Inspector, TenantStatus, Totals};
pub use keys::Keys;
pub use log::{LogPage, LogTop, Part, Position};
pub use maintenance::{Maintenance, Swept};
pub use minutes::{KEPT_MS, KindTotals, MINUTE_MS, Minute};
pub use new_id::{FreshId, NewId};
pub use nodes::{Nodes, TellError};
pub use outcome::{JobError, Output};
pub use partitions::{MAX_PARTITIONS, PartitionError, Placement, partition_name};
pub use preflight::{Preflight, Warning};
pub use presence::{Entrant, Presence, PresenceStats, Present};
pub use producer::{Producer, ProducerConfig};
pub use pulse::Pulse;
pub use receipt::{OnReceipt, Receipt, SubmitError};
pub use registry::{WorkerCard, WorkerStatus};
pub use rooms::{History, Publication, PublishError, Publishing, Rooms, RoomsConfig};
pub use scan::{JobSummary, Scan};
pub use schedules::{Claim, Claims, Paused, Put, Schedules, Settlement};
pub use settings::{QueueSettings, Rate, TenantLimits};
pub use span::{AttemptSpan, Spans, Waited};
pub use vitals::{Latency, Percentiles, Vitals};
