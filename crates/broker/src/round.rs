//! One round trip of a worker: writes what ended or was said, and takes what waits.

use std::{collections::HashMap, sync::Arc};

use protocol::{Failure, FailureCode, Job, JobId, JobOptions, Kind, QueueName, Tenant, Topic};
use redis::Value;
use serde_json::value::RawValue;

use crate::{
    Error, Keys, QueueArgs, Redis,
    extra::Extra,
    given::Given,
    groups,
    handle::Op,
    offer::{Found, Terms},
    script::{self, WORK},
    stored::Stored,
    taken::{Part, Taken},
};

/// What a script says: of each operation whether it was written, what was taken, when something falls due, which run of Redis
/// this is, the jobs whose logs have become long, and what became of the worker's offer.
type Answer = (String, Vec<Value>, i64, String, Vec<String>, Vec<Value>);

/// What a round asks for. Sent again unchanged when its answer was lost.
pub(crate) struct Round<'a> {
    pub(crate) worker: &'a str,
    /// Where its answer is remembered: with that of each of the others that may be under way.
    pub(crate) slot: usize,
    pub(crate) number: u64,
    pub(crate) lease_ms: u64,
    pub(crate) want: usize,
    /// The kinds that it has handlers for, with a space between two; none means all.
    pub(crate) kinds: &'a str,
    /// What it says of the worker's offer.
    pub(crate) offer: Terms,
    pub(crate) ops: &'a [Op],
}

/// What a round brought.
#[derive(Default)]
pub(crate) struct Reply {
    /// For each operation, whether it was written; false: its attempt is not the current one.
    pub(crate) written: Vec<bool>,
    pub(crate) claims: Vec<Claim>,
    /// In how many milliseconds something falls due, if the round came back empty-handed and anything will.
    pub(crate) due_ms: Option<u64>,
    /// What became of the worker's offer.
    pub(crate) offer: Found,
}

/// A job that this worker holds from now on.
pub(crate) struct Claim {
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    /// How many attempts before this one do not count.
    pub(crate) handed_back: u32,
    /// Whether its cancellation was asked for already.
    pub(crate) cancelled: bool,
    pub(crate) metadata: HashMap<String, String>,
    /// What lets it complete without being read again.
    pub(crate) given: Option<Arc<Given>>,
    /// From when to when it waited, if this is its first attempt.
    pub(crate) wait: Option<(u64, u64)>,
    /// The job, or why it can't be run.
    pub(crate) job: Result<Job, Failure>,
}

impl Round<'_> {
    pub(crate) async fn run(
        &self,
        redis: &Redis,
        keys: &Keys,
        args: &QueueArgs,
    ) -> Result<Reply, Error> {
        let mut call = script::ending(&WORK, keys, args);
        call.arg(self.worker)
            .arg(self.slot)
            .arg(self.number)
            .arg(self.lease_ms)
            .arg(self.want)
            .arg(self.kinds);
        call.arg(self.offer.arg());
        groups::write(&mut call, self.ops);
        let (written, rows, due, run, long, offer): Answer = redis.script(&call).await?;
        let run = Arc::from(run);
        let mut claims = Vec::new();
        for row in rows.chunks_exact(3) {
            if let Value::Array(jobs) = &row[1] {
                claims.extend(decode_parcel(keys.queue(), &run, bytes(&row[0]), jobs));
            } else {
                let row = [0, 1, 2].map(|n| bytes(&row[n]));
                claims.extend(decode(keys.queue(), &run, row));
            }
        }
        for id in long {
            let ops = self.ops.iter().filter(|op| op.id.to_string() == id);
            for given in ops.filter_map(|op| op.given.as_ref()) {
                given.go_long();
            }
        }
        Ok(Reply {
            written: written.bytes().map(|byte| byte == b'1').collect(),
            claims,
            due_ms: u64::try_from(due).ok(),
            offer: Found::read(&offer, keys.queue(), &run),
        })
    }
}

/// Reads the jobs of a parcel: each as if it had been taken by itself.
fn decode_parcel(queue: &QueueName, run: &Arc<str>, name: &[u8], jobs: &[Value]) -> Vec<Claim> {
    let taken = Arc::new(Taken::new(
        String::from_utf8_lossy(name).into_owned(),
        jobs.len() / 2,
    ));
    let Some(fronts) = taken.fronts() else {
        // Their leases run out.
        tracing::error!(%queue, parcel = taken.name, "a parcel with a damaged name was claimed");
        return Vec::new();
    };
    let jobs = jobs.chunks_exact(2).zip(fronts).enumerate();
    let claims = jobs.filter_map(|(index, (job, front))| {
        let mut record = front.into_bytes();
        record.extend_from_slice(bytes(&job[1]));
        let mut claim = decode(queue, run, [bytes(&job[0]), &record, b""])?;
        if let Some(given) = &mut claim.given {
            // Nobody else has it yet.
            if let Some(given) = Arc::get_mut(given) {
                let parcel = Arc::clone(&taken);
                given.part = Some(Part { parcel, index });
            }
        }
        Some(claim)
    });
    claims.collect()
}

/// Reads a claimed job: its id, the job as it is stored, and its payload where that is apart. What is damaged becomes a
/// failure of that job alone, never of the round.
pub(crate) fn decode(queue: &QueueName, run: &Arc<str>, row: [&[u8]; 3]) -> Option<Claim> {
    let [id, record, apart] = row;
    let id = text(id).ok().and_then(|text| text.parse::<JobId>().ok());
    let (Some(id), Some(stored)) = (id, Stored::read(record)) else {
        // A script has read its head, so it is the id. Without one nothing can be written about it; its lease runs out
        // until its attempts do.
        tracing::error!(%queue, ?id, "a job with a damaged id was claimed");
        return None;
    };
    let extra = Extra::read(stored.extra());
    let job = decode_job(id, &stored, stored.payload(apart))
        .map_err(|why| Failure::new(FailureCode::Undecodable, why))
        .map(|job| Job {
            options: JobOptions {
                max_attempts: stored.max,
                timeout_ms: extra.timeout_ms,
                retry: extra.retry,
                trace: extra.trace,
                ..job.options
            },
            ..job
        });
    Some(Claim {
        id,
        attempt: stored.attempt,
        max_attempts: stored.max,
        handed_back: stored.back,
        cancelled: stored.option("cancel").is_some(),
        metadata: extra.metadata,
        given: Given::of(&stored, run).map(Arc::new),
        wait: stored.wait(),
        job,
    })
}

fn decode_job(id: JobId, stored: &Stored<'_>, payload: &[u8]) -> Result<Job, String> {
    let kind = Kind::new(stored.kind).map_err(|error| format!("kind: {error}"))?;
    let tenant = Tenant::new(stored.tenant).map_err(|error| format!("tenant: {error}"))?;
    let topic = match stored.topic {
        Some(topic) => Topic::new(topic),
        None => Topic::new(id.to_string()),
    };
    let topic = topic.map_err(|error| format!("topic: {error}"))?;
    let payload = String::from_utf8(payload.to_vec()).map_err(|_| "the payload is not UTF-8")?;
    let payload = RawValue::from_string(payload)
        .map_err(|error| format!("the payload is not JSON: {error}"))?;
    let options = JobOptions {
        tenant,
        topic: Some(topic),
        ..JobOptions::default()
    };
    Ok(Job {
        kind,
        payload,
        options,
    })
}

pub(crate) fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::BulkString(bytes) => bytes,
        _ => &[],
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "a field is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::decode;
    use protocol::{FailureCode, QueueName};

    fn record(kind: &str, payload: &[u8]) -> Vec<u8> {
        let mut record = format!(
            "active 2 0 worker=w;1700000000000 a1b2c3 aif{} {kind} 5 1 public lobby\n",
            payload.len()
        )
        .into_bytes();
        record.extend_from_slice(payload);
        record
    }

    #[test]
    fn damage_stays_with_its_job() {
        let queue = QueueName::new("chat").unwrap();
        let run = "a1b2c3d4e5f6".into();
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let read = |id: &str, record: &[u8]| decode(&queue, &run, [id.as_bytes(), record, b""]);
        let whole = read(id, &record("chat", br#"{"msg":"hi"}"#)).unwrap();
        assert_eq!((whole.attempt, whole.max_attempts), (2, 5));
        assert!(whole.job.is_ok());
        for (kind, payload) in [
            ("a:b", &b"{}"[..]),
            ("chat", b"{"),
            ("chat", b"\xff"),
            ("chat", b""),
        ] {
            let broken = read(id, &record(kind, payload)).unwrap();
            assert_eq!(broken.job.unwrap_err().code, FailureCode::Undecodable);
        }
        assert!(read("x", &record("chat", b"{}")).is_none());
    }
}
