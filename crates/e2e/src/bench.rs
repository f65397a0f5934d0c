//! Measures this project and its peers by the same questions, in turn, on one machine, and says what came of it.
//!
//! A question is asked of one side after the other (A B A B …), each time with a fresh Redis and fresh processes, so
//! that what else the machine does falls on all of them.

mod asked;
mod commands;
mod curves;
mod machine;
pub mod page;
mod party;
pub mod peers;
pub mod picture;
mod plan;
mod probe;
pub mod report;
mod table;

pub use asked::run;
pub use plan::Plan;
pub use probe::names;
pub use table::table;
