//! One run from its beginning to its end: sets up, lets load and faults loose, and waits. What is looked at after that
//! is in `stage/aftermath.rs`.

mod aftermath;
mod quiet;

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use broker::{Control, Producer, ProducerConfig, QueueArgs, Redis, RedisArgs, testing::TestRedis};
use protocol::{Durability, QueueName};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::quiet::Quiet;
use super::{
    book::{Book, Progress},
    chatter::{Chat, Chatter},
    director::Director,
    disk::Disk,
    fleet::{Fleet, all_ready, way},
    history::History,
    pace::Pace,
    progress::{self, Bar},
    report::{Findings, Report},
    run_log,
    schedule::{Fault, draw},
    settings::FaultArgs,
    submitter::Submitter,
    watcher,
};

/// How many plain clients chat.
const CHATTERS: u64 = 8;
/// How long processes may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// How long what is accepted may take to be over, after load and faults are.
const SETTLE: Duration = Duration::from_secs(120);
/// How long waiting loops rest.
const TICK: Duration = Duration::from_millis(10);

/// Everything of a run that must outlive its parts.
struct Stage {
    args: FaultArgs,
    seed: u64,
    redis: TestRedis,
    fleet: Fleet,
    queue: QueueName,
    book: Arc<Book>,
    submitter: Arc<Submitter>,
    run_log: PathBuf,
    tracker: TaskTracker,
    /// Ends those who watch and chat.
    stop: CancellationToken,
    _logs: Option<TempDir>,
}

/// The seed and the schedule that these settings mean.
pub fn plan(args: &FaultArgs) -> (u64, Vec<Fault>) {
    let seed = args.seed.unwrap_or_else(super::history::now_ms);
    let schedule = draw(
        seed,
        &args.kinds(),
        args.count(),
        args.span_ms(),
        FaultArgs::CAST,
    );
    (seed, schedule)
}

/// Runs the whole of it. Processes end with the thread that this is called on.
pub async fn run(args: FaultArgs) -> anyhow::Result<Report> {
    args.validate()?;
    let (seed, schedule) = plan(&args);
    progress::print_schedule(seed, &schedule);
    let mut findings = Findings::default();
    let mut stage = Stage::set(args, seed).await?;
    findings.memory.before = stage.memory().await?;
    stage.play(&schedule, &mut findings).await;
    findings.memory.loaded = stage.memory().await?;
    findings.burst = stage.burst().await?;
    findings.totals = stage.read_the_rest().await;
    if !stage.args.skip_retention {
        findings.memory.jobs_kept = stage.forget().await;
        findings.memory.after = Some(stage.memory().await?);
    }
    findings.endings = stage.terminate().await;
    findings.history = History {
        runs: run_log::read(&stage.run_log)?,
        outages: findings.history.outages,
        down: findings.history.down,
        confirmed: if stage.args.durability == Durability::Replicated {
            stage.book.receipts()
        } else {
            HashSet::new()
        },
        ..stage.book.history()
    };
    Ok(Report::of(stage.args, seed, findings))
}

impl Stage {
    async fn set(args: FaultArgs, seed: u64) -> anyhow::Result<Self> {
        let options = ["--appendonly", "yes", "--appendfsync", args.fsync.as_str()];
        let redis = TestRedis::start_as(args.topology.topology(), &options).await;
        let (folder, temporary) = if let Some(folder) = &args.logs {
            std::fs::create_dir_all(folder).context("the folder for logs can't be made")?;
            (folder.clone(), None)
        } else {
            let folder = tempfile::tempdir()?;
            (folder.path().to_owned(), Some(folder))
        };
        let run_log = folder.join("runs");
        // An older run's would be read as this one's.
        std::fs::write(&run_log, "").context("the run log can't be made")?;
        let queue = crate::System::chat();
        if args.partitions > 1 {
            let control = Control::new(redis.connect("dwb"), QueueArgs::default());
            control.partition(&queue, args.partitions).await?;
        }
        let tracker = TaskTracker::new();
        let path = run_log.to_str().context("the run log's path is no text")?;
        let fleet = Fleet::start(&args, &redis, folder, path, &tracker).await?;
        ensure!(
            all_ready(&fleet.ports(), READY).await,
            "not all processes are ready: {:?}",
            fleet.not_ready().await
        );
        let book = Arc::<Book>::default();
        let stop = CancellationToken::new();
        watcher::watch(&redis.connect("dwb"), &queue, &book, &tracker, &stop).await;
        let reached = Redis::new(&RedisArgs {
            redis_url: way(&args, &redis, &fleet.producer),
            ..redis.args("dwb")
        })?;
        let keep = QueueArgs {
            keep_completed_secs: args.keep_secs,
            keep_failed_secs: args.keep_secs,
            log_ttl_secs: args.keep_secs,
            ..QueueArgs::default()
        };
        let producer = Producer::spawn(
            reached,
            queue.clone(),
            keep,
            ProducerConfig {
                // Short, so that jobs are handed in again whose acceptance is in doubt.
                accept_timeout: Duration::from_secs(2),
                durability: args.durability,
                ..ProducerConfig::default()
            },
            &tracker,
        );
        let submitter = Arc::new(Submitter {
            producer,
            book: Arc::clone(&book),
            seed,
            again: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        Ok(Self {
            args,
            seed,
            redis,
            fleet,
            queue,
            book,
            submitter,
            run_log,
            tracker,
            stop,
            _logs: temporary,
        })
    }

    /// Load and faults, until both are over and every accepted job is, or that takes too long.
    async fn play(&mut self, schedule: &[Fault], findings: &mut Findings) {
        let span = Duration::from_millis(self.args.span_ms());
        let chatting = self.stop.child_token();
        let disk = if self.args.power_loss {
            Some(Disk::of(&self.redis).await)
        } else {
            None
        };
        let (chats, done) = self.let_loose(span, &chatting);
        let split = self.split_later(span / 2);
        let mut director = Director::new(
            &mut self.fleet,
            &mut self.redis,
            self.queue.clone(),
            self.args.partitions,
            self.tracker.clone(),
            schedule,
            disk,
        );
        let mut bar = Bar::new(self.args.jobs);
        let start = Instant::now();
        let most = span.mul_f64(1.5) + Duration::from_secs(60);
        let mut loaded = None;
        let mut quiet = Quiet::default();
        loop {
            let busy = director.step().await;
            let over = done.iter().all(CancellationToken::is_cancelled);
            if loaded.is_none() && (over || start.elapsed() > most) {
                loaded = Some(Instant::now());
                findings.load.load_ms = millis(start.elapsed());
                findings.load.accepted = self.book.progress().accepted as u64;
            }
            // Counting all jobs is not free.
            if bar.is_due() {
                bar.show(self.book.progress(), &format!("seed {}", self.seed));
            }
            if let (false, Some(loaded)) = (busy, loaded) {
                let Progress { accepted, over } = self.book.progress();
                findings.load.settle_ms = millis(loaded.elapsed());
                let late = loaded.elapsed() > span + SETTLE;
                if accepted == over || late || quiet.is_over(&director).await {
                    break;
                }
            }
            tokio::time::sleep(TICK).await;
        }
        bar.close();
        split.abort();
        // Readiness is measured on for those that were struck last.
        let ports = director.fleet.ports();
        all_ready(&ports, READY).await;
        tokio::time::sleep(TICK * 20).await;
        findings.history.outages = std::mem::take(&mut director.outages);
        findings.history.down = std::mem::take(&mut director.down);
        findings.collapses = std::mem::take(&mut director.collapses);
        findings.outcomes = director.outcomes();
        drop(director);
        chatting.cancel();
        for chat in chats {
            findings.load.chat.extend(chat.await.ok());
        }
        findings.load.unconfirmed = self.submitter.again.load(Ordering::Relaxed);
        findings.load.refused = self.submitter.refused.load(Ordering::Relaxed);
    }

    /// Splits the queue into one more partition in a while, however often Redis is struck meanwhile.
    fn split_later(&self, after: Duration) -> tokio::task::JoinHandle<()> {
        let control = Control::new(self.redis.connect("dwb"), QueueArgs::default());
        let (queue, count) = (self.queue.clone(), self.args.partitions);
        self.tracker.spawn(async move {
            tokio::time::sleep(after).await;
            while count > 1 && control.partition(&queue, count + 1).await.is_err() {
                tokio::time::sleep(TICK * 10).await;
            }
        })
    }

    /// Starts the load; the tokens are cancelled when all of it is accepted.
    fn let_loose(
        &self,
        span: Duration,
        stop: &CancellationToken,
    ) -> (Vec<tokio::task::JoinHandle<Chat>>, Vec<CancellationToken>) {
        let mut done = vec![CancellationToken::new()];
        let mut chats = Vec::new();
        let ports = self.fleet.client_ports();
        let quota = self.args.jobs / 2 / CHATTERS;
        for n in 0..CHATTERS {
            let mut ports = ports.clone();
            // Half of them begin at the other server.
            if n % 2 == 1 {
                ports.reverse();
            }
            let chatter = Chatter {
                name: format!("client {n} of {}", self.seed),
                ports,
                // In step, they would all be with one server at times.
                stay: Duration::from_millis(4_000 + 700 * n),
                quota,
                pace: Pace::of(quota, span),
                book: Arc::clone(&self.book),
            };
            let token = CancellationToken::new();
            chats.push(self.tracker.spawn(chatter.run(token.clone(), stop.clone())));
            done.push(token);
        }
        let count = self.args.jobs - quota * CHATTERS;
        let submitter = Arc::clone(&self.submitter);
        let guard = done[0].clone();
        self.tracker
            .spawn(stop.clone().run_until_cancelled_owned(async move {
                submitter.run(count, Pace::of(count, span)).await;
                guard.cancel();
            }));
        (chats, done)
    }
}

/// A time as figures tell it.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
