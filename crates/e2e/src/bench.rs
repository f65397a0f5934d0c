//! What the benchmark measured, and how it is shown.

pub mod report;
