//! The sides: how each is started, put to work, and read.

use std::fmt;

use broker::testing::TestRedis;

use super::{
    Plan, commands,
    peers::{Peers, Queue, QueueTask, Relay, Running, Skipped},
    probe::Probe,
};
use crate::load::{
    Dialect, FanOut, Idle, Length, Order, Pace, Path, PlainRoom, Publisher, QueueLoad, Session,
    Stage, StageArgs, Usage, Watched,
};

/// How many finished jobs are kept.
const KEEP: u32 = 1_000;
/// How many jobs a worker runs at a time.
const CONCURRENCY: u32 = 100;
/// How many bytes a job's payload has.
const PAYLOAD: u32 = 100;

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Ours,
    Seed,
    Queue(Queue),
    Relay(Relay),
}

/// What a side answers in one turn.
pub(crate) struct Answer {
    /// A figure for each question, in their order.
    pub(crate) figures: Vec<f64>,
    /// What else was seen, by name.
    pub(crate) costs: Vec<(String, f64)>,
    /// What that is.
    pub(crate) costs_of: Option<&'static str>,
}

impl From<Vec<f64>> for Answer {
    fn from(figures: Vec<f64>) -> Self {
        Self {
            figures,
            costs: Vec::new(),
            costs_of: None,
        }
    }
}

impl Answer {
    fn with_usage(figures: Vec<f64>, usage: &[Usage], count: f64, of: &'static str) -> Self {
        let costs = usage.iter().map(|usage| {
            let each = usage.cpu_seconds * 1e6 / count.max(1.0);
            (usage.name.clone(), each)
        });
        Self {
            figures,
            costs: costs.collect(),
            costs_of: Some(of),
        }
    }
}

/// Why there is no answer.
pub(crate) enum Refusal {
    /// It can't be had here.
    Skipped(Skipped),
    /// It did not do what was asked of it.
    Wrong(anyhow::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Wrong(error) => write!(f, "did not hold: {error:#}"),
        }
    }
}

impl From<Skipped> for Refusal {
    fn from(skipped: Skipped) -> Self {
        Self::Skipped(skipped)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::Wrong(error)
    }
}

/// A gateway that is ready, and what it needs.
struct Gateway {
    port: u16,
    watched: Vec<Watched>,
    dialect: Box<dyn Dialect>,
    publisher: Publisher,
    _started: Started,
}

/// What runs until the turn is over. The first is ended first.
enum Started {
    Ours {
        _stage: Box<Stage>,
    },
    Peer {
        _running: Running,
        _redis: TestRedis,
    },
}

impl Party {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "this project",
            Self::Seed => "ws + BullMQ + ioredis",
            Self::Queue(Queue::Bullmq) => "BullMQ",
            Self::Queue(Queue::BullmqRust) => "BullMQ, Rust crate",
            Self::Relay(relay) => relay.name(),
        }
    }

    pub(crate) async fn ask(
        self,
        probe: Probe,
        plan: &Plan,
        peers: Option<&Peers>,
    ) -> Result<Answer, Refusal> {
        match probe {
            Probe::PathOne => self.path(peers, plan, 1, Pace::Window(1_000)).await,
            Probe::PathTen => self.path(peers, plan, 10, Pace::Window(100)).await,
            Probe::Idle => self.path(peers, plan, 1, Pace::Rate(50.0)).await,
            Probe::Queue => self.queue(peers, plan).await,
            Probe::FanOutWindow => self.fan_out(peers, plan, Pace::Window(16)).await,
            Probe::FanOutRate => {
                let pace = Pace::Metered {
                    per_second: 100.0,
                    window: 1,
                };
                self.fan_out(peers, plan, pace).await
            }
            Probe::MemoryPlain | Probe::MemorySession => {
                let session = probe == Probe::MemorySession;
                let connections = plan.idle_connections();
                let gateway = self.gateway(peers, connections, session).await?;
                let server = find(&gateway.watched, "server")?;
                let load = Idle {
                    port: gateway.port,
                    connections,
                };
                let figures = load.run(&*gateway.dialect, server)?;
                let mut answer = Answer::from(vec![figures.rss_bytes_per_connection]);
                answer.costs = vec![("connects/s".to_owned(), figures.connects_per_second)];
                answer.costs_of = Some("also");
                Ok(answer)
            }
            Probe::Commands => {
                let found = commands::count(plan.idle_seconds()).await?;
                let mut answer = Answer::from(vec![found.sent]);
                answer.costs = vec![(
                    "with those inside of scripts".to_owned(),
                    found.with_scripts,
                )];
                answer.costs_of = Some("also");
                Ok(answer)
            }
        }
    }

    /// Texts through the whole path.
    async fn path(
        self,
        peers: Option<&Peers>,
        plan: &Plan,
        clients: usize,
        pace: Pace,
    ) -> Result<Answer, Refusal> {
        let open = matches!(pace, Pace::Rate(_));
        let load = |port, order| Path {
            port,
            path: "/".to_owned(),
            senders: clients,
            receivers: clients,
            bytes: PAYLOAD as usize,
            pace,
            warm_up: plan.warm_up(),
            length: Length::Time(if open { plan.long() } else { plan.seconds() }),
            order,
        };
        let figures = if let (Self::Seed, Some(peers)) = (self, peers) {
            let redis = redis().await;
            let seed = peers.seed(&redis.url()).await?;
            let watched = watched(&seed, &redis).await;
            load(seed.port(), Order::Nothing).run(&watched)?
        } else {
            let stage = Stage::start(&StageArgs::default()).await;
            let mut watched = stage.watched().await;
            watched.push(Watched::generator());
            load(stage.system.servers[0].port(), Order::Messages).run(&watched)?
        };
        let answers = if open {
            vec![figures.result_ms.p50, figures.result_ms.p99]
        } else {
            vec![figures.per_second]
        };
        let count = figures.messages as f64;
        let of = "µs of CPU a message";
        Ok(Answer::with_usage(answers, &figures.usage, count, of))
    }

    async fn queue(self, peers: Option<&Peers>, plan: &Plan) -> Result<Answer, Refusal> {
        let jobs = plan.jobs();
        if let (Self::Queue(queue), Some(peers)) = (self, peers) {
            let redis = redis().await;
            let task = QueueTask {
                jobs,
                concurrency: CONCURRENCY,
                payload: PAYLOAD,
                keep: KEEP,
            };
            let figures = peers.queue(queue, &redis.url(), &task).await?;
            let count = f64::from(jobs);
            return Ok(Answer::from(vec![
                count / figures.process_seconds,
                count / figures.add_seconds,
                (figures.add_cpu + figures.process_cpu) * 1e6 / count,
                figures.bytes_per_waiting_job(&task),
            ]));
        }
        let load = QueueLoad {
            jobs,
            run: jobs,
            bytes: PAYLOAD as usize,
            tenants: 1,
            own_topics: false,
            keep: KEEP.into(),
            stage: StageArgs {
                concurrency: CONCURRENCY,
                ..StageArgs::default()
            },
        };
        let figures = load.measure().await?;
        let answers = vec![
            figures.run.per_second,
            figures.enqueue.per_second,
            figures.redis_us_per_job,
            figures.redis_bytes_per_waiting_job,
        ];
        let count = f64::from(figures.run.jobs);
        let of = "µs of CPU a job while they run";
        Ok(Answer::with_usage(answers, &figures.run.usage, count, of))
    }

    async fn fan_out(
        self,
        peers: Option<&Peers>,
        plan: &Plan,
        pace: Pace,
    ) -> Result<Answer, Refusal> {
        let subscribers = 1_000;
        let mut gateway = self.gateway(peers, subscribers, false).await?;
        let steady = matches!(pace, Pace::Metered { .. });
        let load = FanOut {
            port: gateway.port,
            subscribers,
            bytes: 128,
            pace,
            warm_up: plan.warm_up(),
            length: Length::Time(if steady {
                plan.steady()
            } else {
                plan.seconds()
            }),
        };
        let figures = load.run(&*gateway.dialect, &mut gateway.publisher, &gateway.watched)?;
        let cpu = figures.cpu_per_million("server").unwrap_or_default();
        let mut answer = Answer::from(vec![cpu]);
        answer.costs = vec![
            ("deliveries/s".to_owned(), figures.deliveries_per_second),
            ("p50 ms".to_owned(), figures.delivery_ms.p50),
            ("p99 ms".to_owned(), figures.delivery_ms.p99),
        ];
        answer.costs_of = Some("also");
        Ok(answer)
    }

    /// Starts a gateway that is ready for a crowd.
    async fn gateway(
        self,
        peers: Option<&Peers>,
        connections: usize,
        session: bool,
    ) -> Result<Gateway, Refusal> {
        if let (Self::Relay(relay), Some(peers)) = (self, peers) {
            let redis = redis().await;
            let running = peers.relay(relay, &redis.url()).await?;
            return Ok(Gateway {
                port: running.port(),
                watched: watched(&running, &redis).await,
                dialect: Box::new(relay),
                publisher: Publisher::redis(&redis.url(), relay)?,
                _started: Started::Peer {
                    _running: running,
                    _redis: redis,
                },
            });
        }
        let mut args = StageArgs {
            workers: 0,
            server_arg: vec![format!("--max-connections={}", connections + 200)],
            ..StageArgs::default()
        };
        if session {
            args.server_arg.push("--insecure".to_owned());
        }
        let stage = Stage::start(&args).await;
        Ok(Gateway {
            port: stage.system.servers[0].port(),
            watched: stage.watched().await,
            dialect: if session {
                Box::new(Session)
            } else {
                Box::new(PlainRoom)
            },
            publisher: Publisher::Member,
            _started: Started::Ours {
                _stage: Box::new(stage),
            },
        })
    }
}

/// A Redis as all sides get it.
async fn redis() -> TestRedis {
    TestRedis::start_with(&crate::load::on_disk("everysec")).await
}

async fn watched(running: &Running, redis: &TestRedis) -> Vec<Watched> {
    let processes = running.pids().into_iter();
    let mut watched: Vec<_> = processes
        .map(|(name, pid)| Watched::new(name, pid))
        .collect();
    watched.push(Watched::new("redis", crate::load::redis_pid(redis).await));
    watched.push(Watched::generator());
    watched
}

fn find<'a>(watched: &'a [Watched], name: &str) -> anyhow::Result<&'a Watched> {
    let found = watched.iter().find(|watched| watched.name == name);
    found.ok_or_else(|| anyhow::anyhow!("no process is called {name}"))
}
