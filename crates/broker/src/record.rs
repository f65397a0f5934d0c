//! What an operator or an owner sees of a stored job.

use protocol::{Failure, JobId, JobRecord, Priority, QueueName, Tenant};
use redis::Pipeline;
use serde_json::value::RawValue;

use crate::{Error, Keys, Redis, extra::Extra, failure, parcel::Reach, stored::Stored};

/// How much of a stored job is read for a list: its head, and a payload that is not apart.
const HEAD_BYTES: isize = 4096;

impl Redis {
    /// Reads jobs with all that is known of them, in the order of their ids; those that are not there are left out.
    pub(crate) async fn records(
        &self,
        keys: &Keys,
        ids: &[JobId],
    ) -> Result<Vec<JobRecord>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(2 * ids.len());
        for id in ids {
            // Most have nothing apart, and what is not there costs next to nothing.
            pipeline.get(keys.job(*id)).get(keys.body(*id));
        }
        let mut found: Vec<Vec<u8>> = self.pipe(&pipeline).await?;
        let jobs = ids.iter().zip(found.iter_mut().step_by(2));
        self.find_in_parcels(keys, jobs, Reach::Whole).await?;
        let found = ids.iter().zip(found.chunks(2));
        Ok(found
            .filter_map(|(id, parts)| {
                let is_there = !parts[0].is_empty();
                is_there.then(|| record(keys.queue(), *id, &parts[0], &parts[1]))?
            })
            .collect())
    }

    /// Reads jobs without payloads, results and back-traces, which may be long: a list of them takes little memory here and in Redis.
    pub(crate) async fn summaries(
        &self,
        keys: &Keys,
        ids: &[JobId],
    ) -> Result<Vec<JobRecord>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(ids.len());
        for id in ids {
            pipeline.getrange(keys.job(*id), 0, HEAD_BYTES - 1);
        }
        let mut heads: Vec<Vec<u8>> = self.pipe(&pipeline).await?;
        self.find_in_parcels(keys, ids.iter().zip(&mut heads), Reach::Heads)
            .await?;
        let error_bytes = |head: &[u8]| Stored::read(head)?.parsed::<isize>("error");
        let mut pipeline = Pipeline::new();
        let mut failed = Vec::new();
        for (n, (id, head)) in ids.iter().zip(&heads).enumerate() {
            if let Some(bytes) = error_bytes(head).filter(|bytes| *bytes > 0) {
                pipeline.getrange(keys.job(*id), -bytes, -1);
                failed.push(n);
            }
        }
        let errors: Vec<Vec<u8>> = if failed.is_empty() {
            Vec::new()
        } else {
            self.pipe(&pipeline).await?
        };
        let mut errors = failed.into_iter().zip(errors).peekable();
        let mut records = Vec::with_capacity(ids.len());
        for (n, (id, head)) in ids.iter().zip(&heads).enumerate() {
            let error = errors.next_if(|(place, _)| *place == n);
            let Some(record) = record(keys.queue(), *id, head, &[]) else {
                continue;
            };
            records.push(JobRecord {
                payload: None,
                result: None,
                // What ends here may not be the end of the job.
                error: error.and_then(|(_, stored)| {
                    let error = failure::read(&stored)?;
                    Some(Failure {
                        backtrace: None,
                        ..error
                    })
                }),
                ..record
            });
        }
        Ok(records)
    }
}

/// Reads a job. What is damaged reads as absent or as its default, so that an operator still sees the job.
pub(crate) fn record(
    queue: &QueueName,
    id: JobId,
    stored: &[u8],
    apart: &[u8],
) -> Option<JobRecord> {
    let Some(job) = Stored::read(stored) else {
        let state = stored.split(|byte| matches!(byte, b' ' | b';')).next()?;
        let line = format!(
            "{};0 0 aif0 unknown 1 1 public =\n",
            std::str::from_utf8(state).ok()?
        );
        Stored::read(line.as_bytes())?;
        return record(queue, id, line.as_bytes(), &[]);
    };
    let extra = Extra::read(job.extra());
    let json = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).ok()?;
        RawValue::from_string(text).ok()
    };
    Some(JobRecord {
        id,
        queue: queue.clone(),
        kind: job.kind.parse().or_else(|_| "unknown".parse()).ok()?,
        state: job.state.parse().ok()?,
        tenant: job.tenant.parse().unwrap_or_else(|_| Tenant::public()),
        topic: job
            .topic
            .and_then(|topic| topic.parse().ok())
            .or_else(|| id.to_string().parse().ok())?,
        priority: match job.priority {
            0 => Priority::High,
            2 => Priority::Low,
            _ => Priority::Normal,
        },
        attempt: job.attempt,
        handed_back: job.back,
        max_attempts: job.max,
        created_at: job.created,
        due_at: job.parsed("due"),
        started_at: job.parsed("started"),
        finished_at: job.parsed("finished"),
        worker: job.option("worker").map(str::to_owned),
        expires_at: job.parsed("expires"),
        timeout_ms: extra.timeout_ms,
        retry: extra.retry,
        key: job.parsed("key"),
        cancel_at: job.parsed("cancel"),
        output_from: job.parsed("from"),
        trace: extra.trace,
        payload: json(job.payload(apart)),
        result: job.outcome("result").and_then(json),
        error: job.outcome("error").and_then(failure::read),
    })
}
