//! Jobs that go wrong, in real workers.

use broker::{Producer, ProducerConfig, QueueArgs, testing::until};
use e2e::{Settings, System};
use protocol::{ChatPayload, FailureCode, Job, JobId, JobOptions, JobRecord, JobState, Kind};
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use crate::traffic::settle;

pub(crate) async fn submit(
    system: &System,
    kind: &str,
    payload: &str,
    options: JobOptions,
) -> JobId {
    let producer = Producer::spawn(
        system.connect(),
        System::chat(),
        QueueArgs::default(),
        ProducerConfig::default(),
        &TaskTracker::new(),
    );
    let payload = RawValue::from_string(payload.to_owned()).unwrap();
    let id = Producer::new_id();
    let job = Job {
        kind: Kind::new(kind).unwrap(),
        payload,
        options,
    };
    producer.submit(id, job).await.unwrap();
    id
}

async fn finished(system: &System, id: JobId) -> JobRecord {
    let inspector = system.inspector();
    until("the job is over", async || {
        let record = inspector.get(&System::chat(), id).await.ok()??;
        record.state.is_terminal().then_some(record)
    })
    .await
}

fn misbehaving() -> Settings {
    Settings {
        worker_binary: "test-worker",
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_job_and_the_worker_goes_on() {
    let system = System::start(misbehaving()).await;
    let options = JobOptions {
        max_attempts: 2,
        ..JobOptions::default()
    };
    let id = submit(&system, "panic", "\"on purpose\"", options).await;
    let mut client = system.client(0).await;
    assert!(client.send("still here?").await);
    settle(&[&client], 1).await;
    let record = finished(&system, id).await;
    let error = record.error.unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Failed, 2));
    assert_eq!(
        (error.code, error.message.as_str()),
        (FailureCode::Panic, "on purpose")
    );
}

#[tokio::test]
async fn a_payload_that_does_not_decode_fails_its_job_alone() {
    let system = System::start(misbehaving()).await;
    let wrong = submit(&system, "chat", "{\"text\":1}", JobOptions::default()).await;
    let unknown = submit(&system, "nobody-knows", "1", JobOptions::default()).await;
    let payload = serde_json::to_string(&ChatPayload { msg: "fine".into() }).unwrap();
    let right = submit(&system, "chat", &payload, JobOptions::default()).await;
    let code = async |id| finished(&system, id).await.error.map(|error| error.code);
    assert_eq!(code(wrong).await, Some(FailureCode::Undecodable));
    assert_eq!(code(unknown).await, Some(FailureCode::UnknownKind));
    assert_eq!(code(right).await, None);
}

#[tokio::test]
async fn a_job_that_is_damaged_in_redis_fails_alone() {
    let mut system = System::start(Settings {
        workers: 0,
        ..misbehaving()
    })
    .await;
    let damaged = submit(&system, "chat", "{\"msg\":\"a\"}", JobOptions::default()).await;
    let right = submit(&system, "chat", "{\"msg\":\"b\"}", JobOptions::default()).await;
    let key = format!("dwb{{chat}}:job:{damaged}");
    let stored: String = system.redis.command(&["GET", &key]).await;
    let cut = stored.replace(r#"{"msg":"a"}"#, r#"{"msg":"a|"#);
    assert_ne!(cut, stored);
    let _: String = system.redis.command(&["SET", &key, &cut]).await;
    system.add_worker(&[]);
    system.ready().await;
    let record = finished(&system, damaged).await;
    assert_eq!(record.error.unwrap().code, FailureCode::Undecodable);
    assert_eq!(finished(&system, right).await.state, JobState::Completed);
}

#[tokio::test]
async fn a_handler_tells_how_far_it_is() {
    let system = System::start(misbehaving()).await;
    let id = submit(&system, "count", "{\"steps\":3}", JobOptions::default()).await;
    let record = finished(&system, id).await;
    assert_eq!(record.result.unwrap().get(), "3");
    let log = format!("dwb{{chat}}:log:{id}");
    let events: u64 = system.redis.command(&["LLEN", &log]).await;
    // queued, started, three times progress; that it completed is told by the job
    assert_eq!(events, 5);
}
