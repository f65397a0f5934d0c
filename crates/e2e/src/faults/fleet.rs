//! The processes under test, each in a place of its own in which it is started again.
//!
//! Never decides when.

use std::{
    io,
    path::PathBuf,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use broker::testing::TestRedis;
use nix::sys::signal::Signal;
use tokio_util::task::TaskTracker;

use super::{
    link::Link,
    schedule::Target,
    settings::{FaultArgs, Made},
};
use crate::{Process, process};

/// How long a chat message is worked on, in milliseconds: so that some are under way when a worker is struck.
const CHAT_WORK_MS: u64 = 20;

/// A place for a process.
pub struct Slot {
    /// Which place.
    pub target: Target,
    /// Its way to Redis.
    pub redis: Link,
    /// Its clients' way to it, if it is a server.
    pub clients: Option<Link>,
    /// Where it serves; 0 while it does not run.
    pub port: Arc<AtomicU16>,
    /// The process, if it runs, or ended by itself.
    pub process: Option<Process>,
    binary: &'static str,
    option: &'static str,
    arguments: Vec<String>,
    starts: u32,
    logs: PathBuf,
}

impl Slot {
    /// Starts the process. Must be called on a thread that outlives it.
    pub fn start(&mut self) {
        self.starts += 1;
        let name = format!("{}-{}", self.target, self.starts).replace(' ', "-");
        let process = Process::start(self.binary, &name, &self.logs, self.option, &self.arguments);
        self.port.store(process.port(), Ordering::Release);
        self.process = Some(process);
    }

    /// Ends the process as a power failure would.
    pub fn kill(&mut self) {
        self.port.store(0, Ordering::Release);
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// The process' id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// How the process ended and what it logged last, if it did; the place is free then.
    pub fn ended(&mut self) -> Option<(ExitStatus, String)> {
        let process = self.process.as_mut()?;
        let status = process.status()?;
        let log = process.log();
        let start = log.len().saturating_sub(2_000);
        let tail = log.get(start..).unwrap_or(&log).to_owned();
        self.port.store(0, Ordering::Release);
        self.process = None;
        Some((status, tail))
    }
}

/// All processes, servers first.
pub struct Fleet {
    /// Their places.
    pub slots: Vec<Slot>,
    /// The way to Redis of the harness' own producer.
    pub producer: Link,
}

impl Fleet {
    /// Starts all of them.
    pub async fn start(
        args: &FaultArgs,
        redis: &TestRedis,
        logs: PathBuf,
        run_log: &str,
        tracker: &TaskTracker,
    ) -> io::Result<Self> {
        let cast = FaultArgs::CAST;
        // Of one server; others are reached as they say themselves.
        let redis_port = Arc::new(AtomicU16::new(redis.port(0)));
        let servers = (0..cast.servers).map(Target::Server);
        let workers = (0..cast.workers).map(Target::Worker);
        let managers = (0..cast.managers).map(Target::Manager);
        let mut slots = Vec::new();
        for target in servers.chain(workers).chain(managers) {
            let link = Link::start(Arc::clone(&redis_port), tracker).await?;
            let port = Arc::new(AtomicU16::new(0));
            let clients = match target {
                Target::Server(_) => Some(Link::start(Arc::clone(&port), tracker).await?),
                _ => None,
            };
            let mut arguments = vec![
                "--redis-url".to_owned(),
                way(args, redis, &link),
                "--keep-completed-secs".to_owned(),
                args.keep_secs.to_string(),
                "--keep-failed-secs".to_owned(),
                args.keep_secs.to_string(),
                "--log-ttl-secs".to_owned(),
                args.keep_secs.to_string(),
            ];
            if let Target::Server(_) = target {
                arguments.extend(["--durability".to_owned(), args.durability.to_string()]);
            }
            let (binary, option) = match target {
                Target::Server(_) => ("server", "--listen"),
                Target::Manager(_) => ("queue", "--listen"),
                _ => ("test-worker", "--health-listen"),
            };
            if let Target::Worker(n) = target {
                arguments.extend([
                    "--name".to_owned(),
                    format!("worker-{}", n + 1),
                    "--chat-work-ms".to_owned(),
                    CHAT_WORK_MS.to_string(),
                    "--run-log".to_owned(),
                    run_log.to_owned(),
                ]);
            }
            slots.push(Slot {
                target,
                redis: link,
                clients,
                port,
                process: None,
                binary,
                option,
                arguments,
                starts: 0,
                logs: logs.clone(),
            });
        }
        let producer = Link::start(redis_port, tracker).await?;
        let mut fleet = Self { slots, producer };
        for slot in &mut fleet.slots {
            slot.start();
        }
        Ok(fleet)
    }

    /// The place of a process.
    pub fn slot(&mut self, target: Target) -> &mut Slot {
        self.slots
            .iter_mut()
            .find(|slot| slot.target == target)
            .expect("a schedule names only places that there are")
    }

    /// Cuts every connection to Redis.
    pub fn cut(&self) {
        let links = self.slots.iter().map(|slot| &slot.redis);
        links.chain([&self.producer]).for_each(Link::cut);
    }

    /// Where the servers' clients connect to.
    pub fn client_ports(&self) -> Vec<u16> {
        let links = self.slots.iter().filter_map(|slot| slot.clients.as_ref());
        links.map(Link::port).collect()
    }

    /// Where each process serves, now and later.
    pub fn ports(&self) -> Vec<Arc<AtomicU16>> {
        self.slots
            .iter()
            .map(|slot| Arc::clone(&slot.port))
            .collect()
    }

    /// The places whose processes do not answer that they are ready.
    pub async fn not_ready(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for slot in &self.slots {
            if !is_ready(&slot.port).await {
                targets.push(slot.target);
            }
        }
        targets
    }
}

/// The URL of Redis for who has this link to it.
pub fn way(args: &FaultArgs, redis: &TestRedis, link: &Link) -> String {
    match args.topology {
        Made::One => format!("redis://127.0.0.1:{}/", link.port()),
        _ => redis.url(),
    }
}

/// Whether the process that serves there is ready.
pub async fn is_ready(port: &AtomicU16) -> bool {
    let port = port.load(Ordering::Acquire);
    port != 0
        && process::get(port, "/readyz")
            .await
            .is_some_and(|(code, _)| code == 200)
}

/// Waits until all are ready; `false` if that takes too long.
pub async fn all_ready(ports: &[Arc<AtomicU16>], patience: Duration) -> bool {
    let all = async {
        for port in ports {
            while !is_ready(port).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    tokio::time::timeout(patience, all).await.is_ok()
}
