//! A load generator that costs little beside what it loads: one thread, its own reader of frames, one write for all
//! that is to be sent at a time.
//!
//! It knows nothing of who is measured: a peer that speaks the same dialect gets the same load. Every figure counts only
//! if every message came exactly once and in order.

mod check;
mod connection;
mod frame;
mod latency;
mod message;
mod pace;
mod path;
mod queue;
mod stage;
mod usage;
mod waiter;

pub use check::{Book, Order, Wrong};
pub use latency::{Latency, Times};
pub use pace::Pace;
pub use path::{Length, Path, PathFigures};
pub use queue::{NO_OP_KIND, Part, QueueFigures, QueueLoad};
pub use stage::{Stage, StageArgs};
pub use usage::{Memory, Meter, Usage, Watched};
