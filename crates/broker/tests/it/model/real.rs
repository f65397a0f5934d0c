//! What the model chose, as the library and Redis want it.

use std::time::Duration;

use broker::{Rate, TenantLimits, testing::What};
use protocol::{
    EventLevel, EventType, Failure, FailureCode, IdempotencyKey, Job, JobId, JobOptions, Kind,
    Tenant, Topic,
};
use serde_json::value::RawValue;

use super::{
    book::{FAR, RATE},
    desk,
    op::{End, KINDS, Limits, NewJob, PRIORITIES, TENANTS, When},
    world::HOUR,
};

/// The id of the nth job: in no order that has to do with when it came.
pub fn new_id(n: usize) -> JobId {
    JobId::from_parts(
        1_700_000_000_000,
        u128::from((n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) << 8,
    )
}

pub fn job(id: JobId, new: &NewJob) -> Job {
    let json = |text: String| RawValue::from_string(text).unwrap();
    let hour = u64::try_from(HOUR.as_millis()).unwrap();
    Job {
        kind: Kind::new(KINDS[new.kind]).unwrap(),
        payload: json(desk::payload(new.payload)),
        options: JobOptions {
            tenant: tenant(new.tenant),
            topic: Some(Topic::new(desk::topic(id, new)).unwrap()),
            priority: PRIORITIES[new.priority],
            delay_ms: if new.when == When::Later { hour } else { 0 },
            run_at: (new.when == When::Past).then_some(1),
            ttl_ms: new.ttl.then_some(hour),
            max_attempts: new.attempts,
            key: new
                .key
                .map(|key| IdempotencyKey::new(key.to_string()).unwrap()),
            events: if new.all {
                EventLevel::All
            } else {
                EventLevel::Outcome
            },
            announce: new.announce.then(|| json("\"new\"".to_owned())),
            ..JobOptions::default()
        },
    }
}

pub fn tenant(n: usize) -> Tenant {
    Tenant::new(TENANTS[n]).unwrap()
}

pub fn limits(limits: Limits) -> TenantLimits {
    TenantLimits {
        max_waiting: limits.max_waiting,
        max_active: limits.max_active,
        rate: limits.rate.then_some(Rate {
            jobs: RATE,
            per_ms: 24 * 3_600_000,
        }),
    }
}

pub fn what(end: End, attempt: u32) -> What {
    let value = |text: &str| RawValue::from_string(format!(r#"{{"{text}":{attempt}}}"#)).unwrap();
    match end {
        End::Complete => What::Complete(value("result")),
        End::Retry(at_once) => {
            let pause = if at_once { Duration::ZERO } else { HOUR };
            What::Retry(Failure::new(FailureCode::Error, "no"), pause)
        }
        End::Fail => What::Fail(Failure::new(FailureCode::Panic, "oh")),
        End::HandBack => What::HandBack,
        End::Cancel => What::Cancel,
        End::Emit => What::Emit(EventType::Progress, value("done")),
    }
}

/// A score of the model as it stands in Redis: of what is finished a moment that is over, but not for long.
pub fn stored(set: &str, score: u64) -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let hour_ago = u64::try_from(since.as_millis()).unwrap() - 3_600_000;
    if score < FAR && matches!(set, "completed" | "failed" | "cancelled") {
        hour_ago + score
    } else {
        score
    }
}
