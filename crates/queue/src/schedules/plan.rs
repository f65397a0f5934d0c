//! When a schedule runs: from the times that were said to the next one, and to those that are due.
//!
//! Pure: a time in, times out. Each next time is made from the one before it and comes after it, so that no change of a
//! clock brings a time twice.

use protocol::{Missed, When, limits::MAX_RUN_AT_MS};

use super::cron::ClockTimes;

/// By how much a run may be late and is not missed yet, in milliseconds.
pub(super) const TOLERANCE: u64 = 60_000;

/// Why times make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPlan {
    /// The cron text can't be read.
    #[error(
        "when: `{0}` is no cron ({1}): say second, minute, hour, day, month, weekday, as in `0 */5 * * * *`"
    )]
    Cron(String, String),
    /// The zone is not known.
    #[error("when: no time zone is named `{0}`: say one as Europe/Berlin, or UTC")]
    Zone(String),
    /// There is no such day.
    #[error("when: `{0}` never comes")]
    Never(String),
}

/// The times of a schedule, ready to be computed.
#[derive(Clone, Debug)]
pub struct Plan(Times);

#[derive(Clone, Debug)]
enum Times {
    Cron(ClockTimes),
    Every { every: u64, from: Option<u64> },
    At(u64),
}

/// What is due of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The times to be run now, oldest first.
    pub(super) runs: Vec<u64>,
    /// The first that is not among them.
    pub(super) next: Option<u64>,
}

impl Plan {
    /// Reads the times of a schedule.
    pub fn of(when: &When) -> Result<Self, InvalidPlan> {
        let times = match when {
            When::Cron { cron, zone } => Times::Cron(ClockTimes::of(cron, zone)?),
            When::Every { every_ms, from } => Times::Every {
                every: (*every_ms).max(1),
                from: *from,
            },
            When::At { at } => Times::At(*at),
        };
        Ok(Self(times))
    }

    /// The first time of a schedule that is set now. That of a single run may be past: what is missed is for its policy.
    pub fn first(&self, now: u64) -> Option<u64> {
        match &self.0 {
            Times::Cron(_) => self.after(now),
            Times::Every { every, from: None } => now.checked_add(*every),
            Times::Every {
                every,
                from: Some(from),
            } if *from <= now => step(*from, *every, now + 1),
            Times::Every {
                from: Some(from), ..
            } => Some(*from),
            Times::At(at) => Some(*at),
        }
        .and_then(writable)
    }

    /// The time that follows one of its times.
    pub fn after(&self, time: u64) -> Option<u64> {
        match &self.0 {
            Times::Cron(times) => times.after(time),
            Times::Every { every, .. } => time.checked_add(*every),
            Times::At(_) => None,
        }
        .and_then(writable)
    }

    /// The time at which one goes on that rested, and whose next time was `next`.
    pub fn resumed(&self, next: u64, now: u64) -> Option<u64> {
        match &self.0 {
            _ if next > now => Some(next),
            Times::Every { every, .. } => step(next, *every, now + 1),
            Times::Cron(_) => self.after(now),
            // It has not run, so this is its policy's to say.
            Times::At(_) => Some(next),
        }
        .and_then(writable)
    }

    /// Up to `most` times from `due` on that are not after `now`. What is late by more than a minute is left out where
    /// the policy is to skip it.
    pub(super) fn due(&self, due: u64, now: u64, missed: Missed, most: usize) -> Due {
        let late = now.saturating_sub(TOLERANCE);
        let mut next = match missed {
            Missed::Skip if due < late => self.not_before(due, late),
            _ => Some(due),
        };
        let mut runs = Vec::new();
        while let Some(time) = next.filter(|time| *time <= now && runs.len() < most) {
            runs.push(time);
            // Whatever a zone's data say: never the same again.
            next = self.after(time).filter(|next| *next > time);
        }
        Due { runs, next }
    }

    /// The first time after `due` that is not before `time`.
    fn not_before(&self, due: u64, time: u64) -> Option<u64> {
        match &self.0 {
            Times::Every { every, .. } => step(due, *every, time),
            Times::Cron(_) => self.after(time.saturating_sub(1)),
            Times::At(_) => None,
        }
        .and_then(writable)
    }
}

/// No time beyond what can be written.
fn writable(time: u64) -> Option<u64> {
    (time <= MAX_RUN_AT_MS).then_some(time)
}

/// The first of the times `from`, `from + every`, … that is not before `time`.
fn step(from: u64, every: u64, time: u64) -> Option<u64> {
    let steps = time.saturating_sub(from).div_ceil(every);
    from.checked_add(steps.checked_mul(every)?)
}

#[cfg(test)]
mod tests;
