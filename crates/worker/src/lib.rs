//! Runs jobs: takes them from the queue through apalis, finds the handler of their kind, and lets it speak.
//!
//! Build your own worker by putting async functions into a [`Registry`] and giving it to [`App::build`]:
//!
//! ```no_run
//! use clap::Parser as _;
//! use serde::Deserialize;
//! use worker::{App, JobContext, JobError, Registry, State, WorkerArgs};
//!
//! #[derive(Clone)]
//! struct Shared {
//!     greeting: &'static str,
//! }
//!
//! #[derive(Deserialize)]
//! struct Greet {
//!     name: String,
//! }
//!
//! async fn greet(context: JobContext, State(shared): State<Shared>, job: Greet) -> Result<String, JobError> {
//!     context.progress(&50).await?;
//!     Ok(format!("{} {}", shared.greeting, job.name))
//! }
//!
//! # async fn start() -> anyhow::Result<std::process::ExitCode> {
//! let args = WorkerArgs::parse();
//! let lifecycle = service::Lifecycle::new(args.shutdown.grace())?;
//! let registry = Registry::with_state(Shared { greeting: "hello" }).register("greet".parse()?, greet);
//! App::build(args, registry).await?.spawn(&lifecycle.handle())?;
//! Ok(lifecycle.run().await)
//! # }
//! ```
//!
//! - What a function may take and return: [`JobFn`], [`State`], [`FromJob`]. What a failure leads to: [`JobError`].
//! - tower layers around all kinds: [`Registry::layer`]; around one: [`Route::layer`].
//! - Payloads that must fit the JSON Schema of their type: `Registry::register_validated`, with the feature `schema`.
//! - Tests without Redis: `testing::Harness`, with the feature `testing`.
//!
//! `examples/assistant.rs` has all of it in one file.

mod abort;
mod app;
mod args;
mod attempt;
mod chat;
mod context;
mod demo;
mod dispatch;
mod from_job;
mod handler;
mod job_fn;
mod metrics;
mod next;
mod panic;
mod registry;
mod route;
#[cfg(feature = "schema")]
mod schema;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;

pub use app::App;
pub use args::WorkerArgs;
pub use attempt::Attempt;
pub use broker::{JobError, Output, StopReason};
pub use chat::chat;
pub use context::JobContext;
pub use demo::demo;
pub use dispatch::Dispatch;
pub use from_job::FromJob;
pub use handler::Handler;
pub use job_fn::JobFn;
pub use next::Next;
pub use registry::Registry;
pub use route::Route;
pub use state::State;
