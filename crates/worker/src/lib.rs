//! Runs jobs: takes them from the queue through apalis, finds the handler of their kind, and lets it speak.
//!
//! Build your own worker by putting your handlers into a [`Registry`] and giving it to [`App::build`].

mod abort;
mod app;
mod args;
mod chat;
mod context;
mod handler;
mod metrics;
mod panic;
mod registry;

pub use app::App;
pub use args::WorkerArgs;
pub use broker::JobError;
pub use chat::chat;
pub use context::JobContext;
pub use handler::Handler;
pub use registry::Registry;
