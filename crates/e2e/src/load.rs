//! A load generator that costs little beside what it loads: one thread, its own reader of frames, one write for all
//! that is to be sent at a time.
//!
//! It knows nothing of who is measured: a peer that speaks the same dialect gets the same load. Every figure counts only
//! if every message came exactly once and in order.

mod check;
mod connection;
mod crowd;
mod dialect;
mod events;
mod fan_out;
mod files;
mod frame;
mod http;
mod idle;
mod jobs;
mod latency;
mod message;
mod pace;
mod path;
mod publisher;
mod queue;
mod socket;
mod spokesman;
mod stage;
mod usage;
mod waiter;

pub use check::{Book, Order, Wrong};
pub(crate) use crowd::Crowd;
pub use dialect::{Dialect, JobStream, PlainRoom, ROOM, Session};
pub use fan_out::{FanOut, FanOutFigures};
pub use files::most_connections;
pub use idle::{Idle, IdleFigures};
pub use jobs::Jobs;
pub use latency::{Latency, Times};
pub use pace::Pace;
pub use path::{Length, Path, PathFigures};
pub use publisher::{Publish, Publisher};
pub use queue::{NO_OP_KIND, Part, QueueFigures, QueueLoad};
pub use stage::{Stage, StageArgs};
pub(crate) use stage::{info, on_disk, redis_pid};
pub use usage::{Memory, Meter, Usage, Watched};
