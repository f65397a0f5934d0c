//! A private system to put load on: its settings, and which processes are watched.

use broker::{Feed, Publication, Rooms, RoomsConfig, testing::TestRedis};
use clap::Args;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{JobStream, Publisher, ROOM, Watched, spokesman::Spokesman};
use crate::{Settings, System};

/// How the private system is set up.
#[derive(Args, Clone, Debug)]
pub struct StageArgs {
    /// When Redis has its append-only file on disk: `always`, `everysec` or `no`; `off` for no file
    #[arg(long, default_value = "everysec", value_parser = ["always", "everysec", "no", "off"])]
    pub appendfsync: String,
    /// How many servers; the load goes to the first
    #[arg(long, default_value_t = 1)]
    pub servers: usize,
    /// How many workers
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
    /// How many jobs a worker runs at a time
    #[arg(long, default_value_t = 100)]
    pub concurrency: u32,
    /// How many jobs a worker takes ahead
    #[arg(long, default_value_t = 0)]
    pub prefetch: u32,
    /// One more argument of the server, as in `--server-arg=--outbox-frames=4096`
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub server_arg: Vec<String>,
    /// One more argument of the worker
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub worker_arg: Vec<String>,
    /// One more argument of the queue manager
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub manager_arg: Vec<String>,
    /// Which binary the workers are.
    #[arg(skip = "worker")]
    pub worker_binary: &'static str,
}

impl Default for StageArgs {
    fn default() -> Self {
        Self {
            appendfsync: "everysec".to_owned(),
            servers: 1,
            workers: 1,
            concurrency: 100,
            prefetch: 0,
            server_arg: Vec::new(),
            worker_arg: Vec::new(),
            manager_arg: Vec::new(),
            worker_binary: "worker",
        }
    }
}

/// A running private system.
pub struct Stage {
    /// The system.
    pub system: System,
}

/// The options of a Redis as docs/redis.md wants one. `sync` says when it has its append-only file on disk.
pub(crate) const fn on_disk(sync: &str) -> [&str; 6] {
    [
        "--appendonly",
        "yes",
        "--appendfsync",
        sync,
        "--auto-aof-rewrite-min-size",
        "256mb",
    ]
}

impl Stage {
    /// Starts a Redis of its own and the whole system on it.
    pub async fn start(args: &StageArgs) -> Self {
        let redis = match args.appendfsync.as_str() {
            "off" => TestRedis::start_with(&["--appendonly", "no"]).await,
            sync => TestRedis::start_with(&on_disk(sync)).await,
        };
        let mut worker = vec![
            format!("--concurrency={}", args.concurrency),
            format!("--prefetch={}", args.prefetch),
        ];
        worker.extend_from_slice(&args.worker_arg);
        let mut system = System::launch(
            redis,
            Settings {
                servers: args.servers,
                workers: args.workers,
                server: args.server_arg.clone(),
                worker,
                manager: args.manager_arg.clone(),
                worker_binary: args.worker_binary,
                ..Settings::default()
            },
        );
        system.ready().await;
        Self { system }
    }

    /// Publishes in the room that sessions of a crowd are subscribed to, as a backend's batches do.
    pub fn publisher(&self) -> Publisher {
        let tracker = TaskTracker::new();
        let redis = self.system.connect();
        let feed = Feed::room(redis.prefix(), "", ROOM);
        let rooms = Rooms::spawn(redis, RoomsConfig::default(), &tracker);
        let (texts, mut queue) = mpsc::channel::<String>(RoomsConfig::default().capacity);
        tracker.spawn(async move {
            while let Some(text) = queue.recv().await {
                let publication = Publication {
                    body: RawValue::from_string(format!(r#"{{"data":"{text}"}}"#))
                        .expect("texts of messages need no escaping"),
                    history: None,
                    key: None,
                };
                // Whether it came is for the crowd to say.
                drop(rooms.begin(&feed, publication).await);
            }
        });
        Publisher::Hand(Box::new(move |text| Ok(texts.try_send(text.to_owned())?)))
    }

    /// A job that is followed, and what has it say something. Only where there is no worker.
    pub async fn spokesman(&self) -> anyhow::Result<(JobStream, Publisher)> {
        let spokesman = Spokesman::begin(self.system.connect()).await?;
        Ok((JobStream::of(spokesman.job()), spokesman.publisher()))
    }

    /// Its processes, by role.
    pub async fn watched(&self) -> Vec<Watched> {
        let roles = [
            ("server", &self.system.servers),
            ("worker", &self.system.workers),
            ("manager", &self.system.managers),
        ];
        let mut watched: Vec<Watched> = roles
            .into_iter()
            .filter(|(_, processes)| !processes.is_empty())
            .map(|(name, processes)| Watched {
                name: name.to_owned(),
                pids: processes.iter().map(crate::Process::pid).collect(),
            })
            .collect();
        watched.push(Watched::new("redis", redis_pid(&self.system.redis).await));
        watched
    }
}

/// What Redis says of itself: the server that has the queue which the plain protocol uses.
pub(crate) async fn info(redis: &TestRedis, section: &str) -> String {
    redis.command_where("dwb{chat}:", &["INFO", section]).await
}

/// Redis says itself which process it is.
pub(crate) async fn redis_pid(redis: &TestRedis) -> u32 {
    let info = info(redis, "server").await;
    let pid = info
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    pid.and_then(|pid| pid.trim().parse().ok())
        .expect("Redis tells its process' id")
}
