//! A private system with nothing but workers, and a producer that fills its queue.

use broker::{
    Control, Inspector, Producer, ProducerConfig, QueueArgs, SubmitError, testing::TestRedis,
};
use futures_util::StreamExt as _;
use protocol::{CHAT_KIND, Job, JobId, JobOptions, JobState, Kind, QueueName};
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use crate::{Settings, System};

/// How many jobs are handed in at a time.
const AT_ONCE: usize = 1024;

pub(super) struct Load {
    pub(super) system: System,
    pub(super) producer: Producer,
    pub(super) inspector: Inspector,
    pub(super) control: Control,
}

impl Load {
    /// `workers` workers with more arguments, one manager, no server. Jobs are chat messages.
    pub(super) async fn start(workers: usize, arguments: &[&str], keep: QueueArgs) -> Self {
        let redis = TestRedis::start_with(&["--appendonly", "no"]).await;
        let mut system = System::launch(
            redis,
            Settings {
                servers: 0,
                workers,
                worker: arguments.iter().map(|text| (*text).to_owned()).collect(),
                manager: vec![
                    "--keep-completed-secs".to_owned(),
                    keep.keep_completed_secs.to_string(),
                    "--keep-jobs".to_owned(),
                    keep.keep_jobs.to_string(),
                    "--keep-bytes".to_owned(),
                    keep.keep_bytes.to_string(),
                ],
                ..Settings::default()
            },
        );
        system.ready().await;
        let redis = system.connect();
        let producer = Producer::spawn(
            redis.clone(),
            System::chat(),
            keep.clone(),
            ProducerConfig::default(),
            &TaskTracker::new(),
        );
        Self {
            producer,
            inspector: system.inspector(),
            control: Control::new(redis, keep),
            system,
        }
    }

    pub(super) fn queue() -> QueueName {
        System::chat()
    }

    /// Hands in so many jobs, a thousand at a time, and waits until all are stored.
    pub(super) async fn fill(&self, jobs: usize, options: &JobOptions) {
        let submits = futures_util::stream::iter(0..jobs).map(|_| self.submit(options.clone()));
        submits
            .buffer_unordered(AT_ONCE)
            .for_each(async |id| {
                id.expect("Redis takes jobs");
            })
            .await;
    }

    pub(super) async fn submit(&self, options: JobOptions) -> Result<JobId, SubmitError> {
        let job = Job {
            kind: Kind::new(CHAT_KIND).expect("a name"),
            payload: RawValue::from_string(r#"{"msg":"hi"}"#.to_owned()).expect("JSON"),
            options,
        };
        let receipt = self.producer.submit(Producer::new_id(), job).await?;
        Ok(receipt.id)
    }

    pub(super) async fn pause(&self, paused: bool) {
        self.control
            .pause(&Self::queue(), paused)
            .await
            .expect("Redis answers");
    }

    /// How many jobs have completed.
    pub(super) async fn completed(&self) -> u64 {
        let counts = self.inspector.counts(&Self::queue()).await;
        counts.expect("Redis answers").1.completed
    }

    /// How many jobs are in a state.
    pub(super) async fn count(&self, state: JobState) -> u64 {
        let counts = self.inspector.counts(&Self::queue()).await;
        counts.expect("Redis answers").0.get(state)
    }

    /// A number out of Redis' own report.
    pub(super) async fn info(&self, section: &str, field: &str) -> f64 {
        let info = crate::load::info(&self.system.redis, section).await;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or_else(|| panic!("Redis does not tell {field}"))
    }
}
