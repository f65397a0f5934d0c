//! What the benchmark measured, and how it is shown.

pub mod peers;
pub mod report;
