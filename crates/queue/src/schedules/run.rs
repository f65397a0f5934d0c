//! One run of a schedule: the job that it is, and what makes handing it in again safe.
//!
//! Both its key and its id are made of the schedule and the time alone. So whoever hands it in, and however often, it is
//! one job: the key holds for a day after the job is gone, and the id also where what is handed in has changed meanwhile.

use protocol::{IdempotencyKey, Job, JobId, KeyError, Schedule};
use sha2::{Digest as _, Sha256};

/// A run for a time.
pub(super) struct Run {
    pub(super) id: JobId,
    pub(super) job: Job,
}

impl Run {
    /// The run of a schedule for a time.
    pub(super) fn of(schedule: &Schedule, at: u64) -> Result<Self, KeyError> {
        let key = IdempotencyKey::new(format!("schedule/{}/{at}", schedule.name))?;
        let seed = format!("{} {}", schedule.queue, key);
        let digest = Sha256::digest(seed.as_bytes());
        let mut random = [0; 16];
        random[6..].copy_from_slice(&digest[..10]);
        Ok(Self {
            id: JobId::from_parts(at, u128::from_be_bytes(random)),
            job: schedule.job.to_job(Some(key)),
        })
    }

    /// One more than the schedule asks for, at an operator's wish.
    pub(super) fn extra(schedule: &Schedule, id: JobId) -> Result<Self, KeyError> {
        let key = IdempotencyKey::new(format!("schedule/{}/{id}", schedule.name))?;
        Ok(Self {
            id,
            job: schedule.job.to_job(Some(key)),
        })
    }
}

#[cfg(test)]
mod tests {
    use broker::Producer;
    use protocol::Schedule;

    use super::Run;

    fn schedule(name: &str, queue: &str, payload: u32) -> Schedule {
        let text = format!(
            r#"{{"name":"{name}","queue":"{queue}","when":{{"at":5}},"job":{{"kind":"a","payload":{payload}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_run_is_its_schedule_and_time() {
        let run = |name, queue, payload, at| Run::of(&schedule(name, queue, payload), at).unwrap();
        let one = run("a", "q", 1, 5);
        assert_eq!(one.job.options.key.unwrap().as_str(), "schedule/a/5");
        assert_eq!(run("a", "q", 2, 5).id, one.id);
        for other in [
            run("a", "q", 1, 6),
            run("b", "q", 1, 5),
            run("a", "r", 1, 5),
        ] {
            assert_ne!(other.id, one.id);
        }
        let last = run(&"n".repeat(64), "q", 1, u64::MAX);
        assert!(last.job.options.key.is_some(), "the longest fits");
    }

    #[test]
    fn an_extra_run_is_none_of_the_others() {
        let id = Producer::new_id();
        let run = Run::extra(&schedule("a", "q", 1), id).unwrap();
        assert_eq!(
            run.job.options.key.unwrap().as_str(),
            format!("schedule/a/{id}")
        );
    }
}
