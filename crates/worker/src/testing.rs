//! Runs handlers without Redis, for the tests of who writes them.
//!
//! ```
//! use serde_json::json;
//! use worker::{JobContext, JobError, Registry, testing::{Harness, Outcome}};
//!
//! async fn double(context: JobContext, number: u32) -> Result<u32, JobError> {
//!     context.progress(&50).await?;
//!     Ok(number * 2)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let harness = Harness::new(Registry::new().register("double".parse().unwrap(), double));
//! let ran = harness.run("double", 21).await;
//! assert_eq!(ran.outcome, Outcome::Completed(json!(42)));
//! assert_eq!(ran.progress(), [json!(50)]);
//! # }
//! ```
//!
//! Only built with the feature `testing`. It panics where a test should fail.

mod harness;
mod ran;
mod running;

pub use harness::Harness;
pub use ran::{Outcome, Ran};
pub use running::Running;
