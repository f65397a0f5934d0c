//! How values read: times, ages, JSON, and text that comes from strangers.

pub(crate) mod age;
pub(crate) mod escape;
pub(crate) mod json;
pub(crate) mod millis;
