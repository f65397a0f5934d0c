//! How values read: times, ages, bars, JSON, and text that comes from strangers.

pub(crate) mod age;
pub(crate) mod escape;
pub(crate) mod json;
pub(crate) mod millis;
pub(crate) mod spark;
