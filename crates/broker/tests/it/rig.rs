//! What the tests put together: a queue on a private Redis, with a producer and workers whose handlers the test
//! writes.

use std::{future::Future, sync::Arc, time::Duration};

use apalis::prelude::{Monitor, WorkerBuilder, WorkerBuilderExt as _};
use apalis_core::{error::BoxDynError, task::Task};
use broker::{
    ConsumerConfig, Inspector, JobHandle, Maintenance, Output, Producer, ProducerConfig, QueueArgs,
    Redis, RedisBackend,
    testing::{TestRedis, until},
};
use futures_util::future::BoxFuture;
use protocol::{Channel, Job, JobId, JobOptions, JobRecord, JobState, Kind, QueueName, Topic};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub struct Rig {
    pub server: TestRedis,
    pub redis: Redis,
    pub queue: QueueName,
    pub args: QueueArgs,
    pub producer: Producer,
    pub inspector: Inspector,
    pub tracker: TaskTracker,
}

impl Rig {
    pub async fn new() -> Self {
        Self::on(TestRedis::start().await, QueueArgs::default())
    }

    pub fn on(server: TestRedis, args: QueueArgs) -> Self {
        let redis = server.connect("test");
        let queue = QueueName::new("chat").unwrap();
        let tracker = TaskTracker::new();
        let producer = Producer::spawn(
            redis.clone(),
            queue.clone(),
            args.clone(),
            ProducerConfig::default(),
            &tracker,
        );
        let inspector = Inspector::new(redis.clone());
        Self {
            server,
            redis,
            queue,
            args,
            producer,
            inspector,
            tracker,
        }
    }

    pub async fn submit(&self, payload: &str, options: JobOptions) -> JobId {
        let id = Producer::new_id();
        let receipt = self
            .producer
            .submit(id, job(payload, options))
            .await
            .unwrap();
        assert!(!receipt.duplicate);
        id
    }

    /// An id whose job goes to a partition, if it has neither topic nor key.
    pub async fn id_in(&self, index: u16) -> JobId {
        id_in(&self.redis, &self.queue, index).await
    }

    pub async fn get(&self, id: JobId) -> JobRecord {
        self.inspector
            .get(&self.queue, id)
            .await
            .unwrap()
            .expect("the job is there")
    }

    pub async fn until_state(&self, id: JobId, state: JobState) -> JobRecord {
        until(&format!("{id} is {state}"), async || {
            let record = self.inspector.get(&self.queue, id).await.ok()??;
            (record.state == state).then_some(record)
        })
        .await
    }

    /// Writes over what a stored job says.
    pub async fn rewrite(&self, id: JobId, from: &str, to: &str) {
        let key = format!("test{{chat}}:job:{id}");
        let stored: String = self.server.command(&["GET", &key]).await;
        assert!(stored.contains(from), "{stored:?} does not hold {from:?}");
        let stored = stored.replacen(from, to, 1);
        let _: String = self.server.command(&["SET", &key, &stored]).await;
    }

    /// All events of a log, as readers get them.
    pub async fn events(&self, topic: &impl ToString) -> Vec<(u64, String)> {
        let feed = broker::Feed::topic(self.redis.prefix(), &self.channel(topic));
        let page = self
            .redis
            .log(&feed, broker::Part::After(0), 1_000, usize::MAX)
            .await;
        page.unwrap().entries
    }

    /// Waits for a worker's first sign of life: it renews what the worker holds by then, and the next is far off.
    pub async fn until_beat(&self, worker: &str) {
        until("the worker has given a sign of life", async || {
            let key = "test{chat}:workers";
            let deadline: Option<f64> = self.server.command(&["ZSCORE", key, worker]).await;
            deadline
        })
        .await;
    }

    pub fn maintenance(&self) -> Maintenance {
        Maintenance::new(self.redis.clone(), self.args.clone())
    }

    pub fn channel(&self, topic: &impl ToString) -> Channel {
        Channel {
            queue: self.queue.clone(),
            topic: Topic::new(topic.to_string()).unwrap(),
        }
    }

    pub fn worker<F, Fut>(&self, name: &str, setup: Setup, handler: F) -> Worker
    where
        F: Fn(JobHandle, Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, BoxDynError>> + Send + 'static,
    {
        Worker::start(self, name, setup, handler)
    }
}

/// An id whose job goes to a partition by the newest placement, if it has neither topic nor key.
pub async fn id_in(redis: &Redis, queue: &QueueName, index: u16) -> JobId {
    let placement = redis.newest_placement(queue).await.unwrap();
    assert!(index < placement.count(), "no new jobs go there");
    let goes_there = |id: &JobId| placement.places(&id.to_string())[0] == index;
    let mut new = std::iter::repeat_with(Producer::new_id);
    new.find(goes_there).expect("there are always more")
}

pub fn job(payload: &str, options: JobOptions) -> Job {
    Job {
        kind: Kind::new("test").unwrap(),
        payload: RawValue::from_string(payload.to_owned()).unwrap(),
        options,
    }
}

#[derive(Clone, Copy)]
pub struct Setup {
    pub capacity: usize,
    /// How many run at a time: the others are taken ahead.
    pub concurrency: usize,
    pub lease: Duration,
    pub timeout: Option<Duration>,
    pub grace: Duration,
    pub kinds: &'static [&'static str],
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            capacity: 16,
            concurrency: 1_000,
            lease: Duration::from_secs(10),
            timeout: None,
            grace: Duration::from_secs(5),
            kinds: &[],
        }
    }
}

type Handler =
    Arc<dyn Fn(JobHandle, Job) -> BoxFuture<'static, Result<String, BoxDynError>> + Send + Sync>;

/// An apalis worker in this process.
pub struct Worker {
    pub soft: CancellationToken,
    pub hard: CancellationToken,
    pub ready: watch::Receiver<bool>,
    tracker: TaskTracker,
}

impl Worker {
    fn start<F, Fut>(rig: &Rig, name: &str, setup: Setup, handler: F) -> Self
    where
        F: Fn(JobHandle, Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, BoxDynError>> + Send + 'static,
    {
        let (ready, is_ready) = watch::channel(false);
        let hard = CancellationToken::new();
        let soft = hard.child_token();
        let tracker = TaskTracker::new();
        let backend = RedisBackend::new(rig.redis.clone(), rig.args.clone(), rig.producer.clone())
            .consuming(ConsumerConfig {
                capacity: setup.capacity,
                lease: setup.lease,
                soft: soft.clone(),
                attempt_timeout: setup.timeout,
                cancel_grace: setup.grace,
                kinds: setup
                    .kinds
                    .iter()
                    .map(|kind| Kind::new(kind).unwrap())
                    .collect(),
                tracker: tracker.clone(),
                ready,
                ..ConsumerConfig::new(name, hard.clone())
            });
        let handler: Handler = Arc::new(move |handle, job| Box::pin(handler(handle, job)));
        let name = name.to_owned();
        let monitor = Monitor::new().register(move |_| {
            let handler = Arc::clone(&handler);
            let service = tower::service_fn(move |task: Task<Job>| {
                let handle = task
                    .data()
                    .get::<JobHandle>()
                    .cloned()
                    .expect("the backend gives a handle");
                let attempt = handler(handle, task.args);
                async move {
                    attempt
                        .await
                        .map(|text| Output(RawValue::from_string(text).unwrap()))
                }
            });
            WorkerBuilder::new(name.as_str())
                .backend(backend.clone())
                .concurrency(setup.concurrency)
                .build(service)
        });
        let stop = soft.clone();
        tracker.spawn(async move {
            let signal = async {
                stop.cancelled().await;
                Ok(())
            };
            monitor
                .run_with_signal(signal)
                .await
                .expect("a worker never ends with an error");
        });
        Self {
            soft,
            hard,
            ready: is_ready,
            tracker,
        }
    }

    /// Stops it gracefully and waits for its end.
    pub async fn stop(self) {
        self.soft.cancel();
        self.end().await;
    }

    pub async fn end(self) {
        self.tracker.close();
        tokio::time::timeout(broker::testing::PATIENCE, self.tracker.wait())
            .await
            .expect("the worker ends");
    }

    pub async fn until_ready(&mut self, ready: bool) {
        tokio::time::timeout(
            broker::testing::PATIENCE,
            self.ready.wait_for(|is| *is == ready),
        )
        .await
        .expect("the worker's readiness changes in time")
        .unwrap();
    }
}
