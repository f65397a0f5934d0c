//! Under which id a job is handed in.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::JobId;
use rand::RngExt as _;

/// An id that was made just now, and that no other job has or will have: now, by this machine's clock, and 80 random bits.
///
/// Nobody has to look whether a job has it already, so that handing in costs less. That holds once: who hands the job in again
/// does so under its [`JobId`], and through the same [`Producer`](crate::Producer), which knows what may still be under way.
#[derive(Debug)]
pub struct FreshId(JobId);

impl FreshId {
    /// Makes one.
    #[allow(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(JobId::from_parts(
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            rand::rng().random(),
        ))
    }

    /// One of a test's choice.
    #[cfg(feature = "testing")]
    pub(crate) const fn of(id: JobId) -> Self {
        Self(id)
    }

    /// The id.
    pub const fn get(&self) -> JobId {
        self.0
    }
}

/// The id of a job that is handed in: a [`FreshId`], or a [`JobId`] that another job may have already.
#[derive(Debug)]
pub struct NewId {
    id: JobId,
    is_fresh: bool,
}

impl NewId {
    /// The id.
    pub const fn get(&self) -> JobId {
        self.id
    }

    pub(crate) const fn is_fresh(&self) -> bool {
        self.is_fresh
    }
}

impl From<JobId> for NewId {
    fn from(id: JobId) -> Self {
        Self {
            id,
            is_fresh: false,
        }
    }
}

impl From<FreshId> for NewId {
    fn from(fresh: FreshId) -> Self {
        Self {
            id: fresh.0,
            is_fresh: true,
        }
    }
}
