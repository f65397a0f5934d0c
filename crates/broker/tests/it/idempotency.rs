//! The same tenant, key and payload mean the same job.

use broker::{Control, Producer, Receipt, SubmitError};
use protocol::{IdempotencyKey, JobOptions, JobState, Tenant};

use crate::rig::{Rig, Setup, job};

fn keyed(key: &str) -> JobOptions {
    JobOptions {
        key: Some(IdempotencyKey::new(key).unwrap()),
        ..JobOptions::default()
    }
}

async fn submit(rig: &Rig, payload: &str, options: JobOptions) -> Result<Receipt, SubmitError> {
    let id = Producer::new_id();
    rig.producer.submit(id, job(payload, options)).await
}

#[tokio::test]
async fn the_same_key_and_payload_are_the_same_job() {
    let rig = Rig::new().await;
    let first = submit(&rig, "1", keyed("order:17")).await.unwrap();
    assert!(!first.duplicate && first.state.is_none());
    let again = submit(&rig, "1", keyed("order:17")).await.unwrap();
    assert_eq!((again.id, again.duplicate), (first.id, true));
    assert_eq!(again.state, Some(JobState::Waiting));
    assert_eq!(again.epoch, first.epoch);
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(counts.waiting, 1);
    // Another key, and the same of another tenant, are other jobs.
    assert!(
        !submit(&rig, "1", keyed("order:18"))
            .await
            .unwrap()
            .duplicate
    );
    let other = JobOptions {
        tenant: Tenant::new("other").unwrap(),
        ..keyed("order:17")
    };
    assert!(!submit(&rig, "2", other).await.unwrap().duplicate);
}

#[tokio::test]
async fn a_finished_job_comes_with_its_result() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, job| {
        match job.payload.get() {
            "1" => Ok("{\"sum\":3}".into()),
            _ => Err(broker::JobError::fatal(protocol::FailureCode::Error, "no").into()),
        }
    });
    let good = submit(&rig, "1", keyed("a")).await.unwrap().id;
    let bad = submit(&rig, "2", keyed("b")).await.unwrap().id;
    rig.until_state(good, JobState::Completed).await;
    rig.until_state(bad, JobState::Failed).await;
    let again = submit(&rig, "1", keyed("a")).await.unwrap();
    assert_eq!((again.id, again.state), (good, Some(JobState::Completed)));
    assert_eq!(again.result.unwrap().get(), "{\"sum\":3}");
    let again = submit(&rig, "2", keyed("b")).await.unwrap();
    assert_eq!((again.id, again.state), (bad, Some(JobState::Failed)));
    assert_eq!(again.error.unwrap().message, "no");
    worker.stop().await;
}

#[tokio::test]
async fn another_payload_is_a_conflict() {
    let rig = Rig::new().await;
    submit(&rig, "1", keyed("a")).await.unwrap();
    let refused = submit(&rig, "2", keyed("a")).await;
    assert_eq!(refused.unwrap_err(), SubmitError::Conflict);
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(counts.waiting, 1);
}

#[tokio::test]
async fn a_key_is_kept_for_a_day_and_longer_than_its_job() {
    let rig = Rig::new().await;
    let options = JobOptions {
        delay_ms: 3_600_000,
        ..keyed("a")
    };
    let id = submit(&rig, "1", options).await.unwrap().id;
    let ttl: u64 = rig
        .server
        .command(&["PTTL", "test{chat}:key:public:a"])
        .await;
    // A day from when the job may run.
    assert!((24 * 3_600_000..=25 * 3_600_000).contains(&ttl), "{ttl}");
    // A job that retention took is still the job of its key.
    let _: i64 = rig
        .server
        .command(&["DEL", &format!("test{{chat}}:job:{id}")])
        .await;
    let again = submit(&rig, "1", keyed("a")).await.unwrap();
    assert_eq!((again.id, again.duplicate, again.state), (id, true, None));
    // Also for who hands it in again under its own id.
    let again = rig.producer.submit(id, job("1", keyed("a"))).await.unwrap();
    assert_eq!((again.id, again.duplicate), (id, true));
    let other = rig.producer.submit(id, job("2", keyed("a"))).await;
    assert_eq!(other.unwrap_err(), SubmitError::Conflict);
}

#[tokio::test]
async fn a_deleted_job_frees_its_key() {
    let rig = Rig::new().await;
    let id = submit(&rig, "1", keyed("a")).await.unwrap().id;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.delete(&rig.queue, &[id]).await.unwrap();
    let next = submit(&rig, "2", keyed("a")).await.unwrap();
    assert!(!next.duplicate && next.id != id);
}

#[tokio::test]
async fn a_key_outlives_its_job_also_for_the_same_id() {
    let rig = Rig::new().await;
    let id = Producer::new_id();
    let hand_in = async |payload| {
        let job = job(payload, keyed("a"));
        rig.producer.submit(id, job).await
    };
    assert!(!hand_in("1").await.unwrap().duplicate);
    // As it is forgotten: its key is kept.
    let _: u64 = rig
        .server
        .command(&["DEL", &format!("test{{chat}}:job:{id}")])
        .await;
    let again = hand_in("1").await.unwrap();
    assert_eq!((again.id, again.duplicate, again.state), (id, true, None));
    assert_eq!(hand_in("2").await.unwrap_err(), SubmitError::Conflict);
}
