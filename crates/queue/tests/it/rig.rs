//! A Redis, a way to put jobs into it, a worker that can die, and the real binary.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use apalis::prelude::WorkerBuilder;
use broker::{
    ConsumerConfig, Inspector, JobError, Output as JobOutput, Producer, ProducerConfig, QueueArgs,
    Redis, RedisBackend,
    testing::{TestRedis, tied, until},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use protocol::{Failure, FailureCode, Job, JobId, JobOptions, JobState, Kind, QueueName};
use serde_json::{Value, value::RawValue};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Everything that a test needs of Redis.
pub(crate) struct Rig {
    pub(crate) server: TestRedis,
    pub(crate) prefix: &'static str,
    pub(crate) redis: Redis,
    pub(crate) inspector: Inspector,
}

impl Rig {
    pub(crate) async fn start(prefix: &'static str) -> Self {
        Self::over(TestRedis::start().await, prefix)
    }

    pub(crate) fn over(server: TestRedis, prefix: &'static str) -> Self {
        let redis = server.connect(prefix);
        Self {
            inspector: Inspector::new(redis.clone()),
            server,
            prefix,
            redis,
        }
    }

    /// Stores a job of a kind that [`Worker`] knows.
    pub(crate) async fn submit(
        &self,
        queue: &str,
        kind: &str,
        payload: &str,
        options: JobOptions,
    ) -> JobId {
        let tracker = TaskTracker::new();
        let producer = Producer::spawn(
            self.redis.clone(),
            name(queue),
            QueueArgs::default(),
            ProducerConfig::default(),
            &tracker,
        );
        let kind = Kind::new(kind).unwrap();
        let payload = RawValue::from_string(payload.to_owned()).unwrap();
        let id = Producer::new_id();
        producer
            .submit(
                id,
                Job {
                    kind,
                    payload,
                    options,
                },
            )
            .await
            .unwrap()
            .id
    }

    /// Stores many jobs of the kind `done` at once.
    pub(crate) async fn submit_many(
        &self,
        queue: &str,
        count: usize,
        options: impl Fn(usize) -> JobOptions,
    ) {
        let tracker = TaskTracker::new();
        let producer = Producer::spawn(
            self.redis.clone(),
            name(queue),
            QueueArgs::default(),
            ProducerConfig::default(),
            &tracker,
        );
        for n in 0..count {
            let job = Job {
                kind: Kind::new("done").unwrap(),
                payload: RawValue::from_string(n.to_string()).unwrap(),
                options: options(n),
            };
            let producer = producer.clone();
            tracker.spawn(async move { producer.submit(Producer::new_id(), job).await.unwrap() });
        }
        drop(producer);
        tracker.close();
        tracker.wait().await;
        let (counts, _) = self.inspector.counts(&name(queue)).await.unwrap();
        assert_eq!(counts.waiting + counts.delayed, count as u64);
    }

    /// How many jobs a queue has in a state.
    pub(crate) async fn count(&self, queue: &str, state: JobState) -> u64 {
        self.inspector
            .counts(&name(queue))
            .await
            .unwrap()
            .0
            .get(state)
    }

    /// Waits until a job is in a state.
    pub(crate) async fn until_state(&self, queue: &str, id: JobId, state: &str) {
        let queue = name(queue);
        until(state, async || {
            let record = self.inspector.get(&queue, id).await.ok()??;
            (record.state.as_str() == state).then_some(())
        })
        .await;
    }

    /// The binary with this Redis, and nothing of the environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = binary(words);
        command
            .env("REDIS_URL", self.server.url())
            .env("KEY_PREFIX", self.prefix);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        Answer::of(self.command(words).output().unwrap())
    }
}

pub(crate) fn name(queue: &str) -> QueueName {
    QueueName::new(queue).unwrap()
}

/// The binary, in an empty environment.
pub(crate) fn binary(words: &[&str]) -> Command {
    let mut command = tied(env!("CARGO_BIN_EXE_queue"));
    command
        .args(words)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// Checks that it failed with one line, and gives the line.
    pub(crate) fn complaint(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        self.err.trim_end()
    }
}

/// A worker in a runtime of its own, so that it can end like a killed process: at once, and without a word.
pub(crate) struct Worker {
    runtime: Runtime,
}

impl Worker {
    /// Kinds: `done` completes with its payload, `fail` fails for good with its payload as the message, `hang` never
    /// ends.
    pub(crate) fn start(rig: &Rig, queue: &str, lease: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let redis = rig.server.connect(rig.prefix);
        let queue = name(queue);
        let tracker = TaskTracker::new();
        let spawned = tracker.clone();
        let work = async move {
            let keep = QueueArgs::default();
            let producer = Producer::spawn(
                redis.clone(),
                queue,
                keep.clone(),
                ProducerConfig::default(),
                &spawned,
            );
            let config = ConsumerConfig {
                capacity: 8,
                lease,
                cancel_grace: Duration::from_millis(50),
                tracker: spawned,
                ..ConsumerConfig::new("w-1", CancellationToken::new())
            };
            let backend = RedisBackend::new(redis, keep, producer).consuming(config);
            WorkerBuilder::new("w-1")
                .backend(backend)
                .build(handle)
                .run()
                .await
                .unwrap();
        };
        tracker.spawn_on(work, runtime.handle());
        Self { runtime }
    }

    /// Once it returns its connections are closed, so that nothing is given to it any more.
    pub(crate) fn kill(self) {
        let end = move || self.runtime.shutdown_timeout(Duration::from_secs(30));
        std::thread::spawn(end).join().unwrap();
    }
}

async fn handle(job: Job) -> Result<JobOutput, JobError> {
    match job.kind.as_str() {
        "done" => Ok(JobOutput(job.payload)),
        "hang" => std::future::pending().await,
        _ => {
            let message: String = serde_json::from_str(job.payload.get()).unwrap();
            let Failure { code, message, .. } = Failure::new(FailureCode::Error, message);
            Err(JobError::fatal(code, message))
        }
    }
}

/// A process of the binary that runs until it is told to stop. It is killed with this value.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let child = command
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has printed until now.
    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(self.path("out")).unwrap()
    }

    /// What it has logged until now.
    pub(crate) fn err(&self) -> String {
        std::fs::read_to_string(self.path("err")).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits until it has ended, and says how and how long that took.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let status =
            broker::testing::until("the process ends", async || self.child.try_wait().unwrap())
                .await;
        (status, start.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
