//! What clients see of a queue that is split: nothing of that.

use std::collections::BTreeSet;

use base64::Engine as _;
use broker::{Control, Producer, ProducerConfig, QueueArgs, testing::TestRedis};
use protocol::{Job, JobId, JobOptions, Kind, QueueName};
use serde_json::{json, value::RawValue};
use tokio_util::task::TaskTracker;

use crate::{gateway::Gateway, http::Http, http_list::all, http_stream::Stream};

const JOBS: &str = "/v1/queues/chat/jobs";
const PARTITIONS: u16 = 12;

/// Splits the queue, and puts two jobs into each partition.
async fn split(redis: &TestRedis) -> Vec<JobId> {
    let (redis, tracker) = (redis.connect("dwb"), TaskTracker::new());
    let queue = QueueName::new("chat").unwrap();
    let control = Control::new(redis.clone(), QueueArgs::default());
    control.partition(&queue, PARTITIONS).await.unwrap();
    let placement = redis.newest_placement(&queue).await.unwrap();
    let producer = Producer::spawn(
        redis,
        queue,
        QueueArgs::default(),
        ProducerConfig::default(),
        &tracker,
    );
    let mut ids = Vec::new();
    for index in 0..PARTITIONS {
        for _ in 0..2 {
            let mut new = std::iter::repeat_with(Producer::new_id);
            let id = new.find(|id| placement.places(&id.to_string())[0] == index);
            let id = id.unwrap();
            let job = Job {
                kind: Kind::new("a").unwrap(),
                payload: RawValue::NULL.to_owned(),
                options: JobOptions::default(),
            };
            producer.submit(id, job).await.unwrap();
            ids.push(id);
        }
    }
    ids
}

#[tokio::test]
async fn a_list_holds_the_jobs_of_all_partitions_once() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let ids: BTreeSet<_> = split(&redis).await.iter().map(JobId::to_string).collect();
    // Not everybody knows yet that there are more.
    let missing = Producer::new_id();
    http.get(&format!("{JOBS}/{missing}"))
        .await
        .refuses(404, "not_found");
    for (query, least) in [
        ("limit=5", 5),
        ("limit=100", 2),
        ("state=waiting&limit=7", 4),
    ] {
        let (jobs, pages) = all(&http, query).await;
        assert_eq!(jobs.len(), ids.len(), "{query}");
        let listed = jobs
            .iter()
            .map(|job| job["id"].as_str().unwrap().to_owned());
        assert_eq!(listed.collect::<BTreeSet<_>>(), ids, "{query}");
        assert!(jobs.iter().all(|job| job["queue"] == "chat"), "{query}");
        assert!(pages >= least, "{query}: {pages}");
    }
    for partition in [PARTITIONS, u16::MAX] {
        let id = JobId::from_parts(0, 0).to_string();
        let place = json!({"set": "waiting", "score": "1", "id": id, "partition": partition});
        let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(place.to_string());
        let answer = http.get(&format!("{JOBS}?cursor={cursor}")).await;
        answer.refuses(404, "not_found");
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_job_in_any_partition_is_looked_at_followed_and_cancelled() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let ids = split(&redis).await;
    for id in [ids[0], ids[7], ids[23]] {
        let path = format!("{JOBS}/{id}");
        let job = http.get(&path).await;
        assert_eq!((job.status, &job.json()["queue"]), (200, &json!("chat")));
        let mut stream = Stream::open(&http, &format!("{path}/events")).await;
        assert_eq!(stream.next().await.unwrap().event, "queued");
        let cancelled = http.ask("POST", &format!("{path}/cancel"), "").await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        assert_eq!(stream.next().await.unwrap().event, "cancelled");
        assert_eq!(stream.next().await, None);
    }
    gateway.end().await;
}
