//! What crosses a process boundary: job and event types, the plain protocol's frames, names, limits and
//! error codes.
//!
//! This crate is pure. It knows neither tokio nor Redis nor axum, makes no ids and reads no clock, so that
//! every rule in it can be tested with a value in and a value out. `docs/protocol.md` describes the same
//! things for people; its JSON blocks are this crate's test fixtures.

pub mod centrifugo;
mod chat;
mod code;
mod durability;
mod event;
mod failure;
mod id;
mod job;
mod key;
pub mod limits;
mod name;
pub mod plain;
mod record;
mod retry;
mod schedule;
mod state;
mod trace;
mod whole;

pub use chat::{CHAT_KIND, CHAT_QUEUE, ChatPayload, ChatResult, LOBBY_TOPIC};
pub use code::ErrorCode;
pub use durability::{Durability, UnknownDurability};
pub use event::{Event, EventType, Published};
pub use failure::{Failure, FailureCode};
pub use id::{JobId, JobIdError};
pub use job::{EventLevel, InvalidJob, Job, JobOptions, Priority};
pub use key::{IdempotencyKey, KeyError};
pub use name::{Channel, Kind, NameError, QueueName, ScheduleName, SourceName, Tenant, Topic};
pub use record::JobRecord;
pub use retry::RetryPolicy;
pub use schedule::{
    InvalidSchedule, InvalidWhen, LastRun, Missed, Schedule, ScheduleRecord, ScheduledJob, When,
};
pub use state::{JobState, UnknownState};
pub use trace::TraceContext;
pub use whole::Whole;
