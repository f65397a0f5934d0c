//! What the benchmark measured, and how it is shown.

pub mod page;
pub mod peers;
pub mod picture;
pub mod report;
