//! The dashboard in a real browser, over real processes: what an operator does there, and what it looks like.

mod keyboard;
mod looks;
mod rig;
mod schedules;
mod trouble;
mod walk;
mod workers;
