//! Makes the faults of a schedule happen, and mends them.
//!
//! All processes are started from here, by the one task that runs it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use broker::{
    Inspector, partition_name,
    testing::{TestRedis, Topology},
};
use nix::sys::signal::Signal;
use protocol::QueueName;
use tokio_util::task::TaskTracker;

use super::{
    disk::Disk,
    fleet::{Fleet, all_ready},
    history::{Down, Outage, now_ms},
    kind::FaultKind,
    outcome::{Collapse, Outcome},
    schedule::{Fault, Target},
};

/// How long a process may take to end after SIGTERM: its default grace, the last wait after it, and some.
pub const GRACE: Duration = Duration::from_secs(40);
/// The default lease, in milliseconds. Only who is away for longer loses jobs.
const LEASE_MS: u64 = 10_000;
/// How long a fault is held back whose target is not there.
const HOLD: Duration = Duration::from_millis(200);
/// How long processes may take to be ready again.
const READY: Duration = Duration::from_secs(60);
/// How long to ask how many jobs are under way.
const ASK: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Mend(usize),
}

struct Leaving {
    fault: usize,
    target: Target,
    since: Instant,
}

/// Runs a schedule.
pub struct Director<'a> {
    /// The processes.
    pub fleet: &'a mut Fleet,
    /// Redis.
    pub redis: &'a mut TestRedis,
    /// To ask how many jobs are under way.
    pub inspector: Inspector,
    /// Their queue.
    pub queue: QueueName,
    /// For what watches whether processes are ready again.
    pub tracker: TaskTracker,
    /// Workers that lost their jobs.
    pub outages: Vec<Outage>,
    /// When Redis was away.
    pub down: Vec<Down>,
    /// Processes that ended by themselves.
    pub collapses: Vec<Collapse>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    disk: Option<Disk>,
    /// A key of each partition of the queue; they are struck in turn.
    keys: Vec<String>,
    /// Which of several servers of Redis was struck.
    victim: Option<usize>,
    /// Those who can't be ready now, whatever Redis does.
    struck: HashSet<Target>,
    steps: Vec<(Instant, Step)>,
    leaving: Vec<Leaving>,
}

impl<'a> Director<'a> {
    /// A director whose schedule begins now.
    pub fn new(
        fleet: &'a mut Fleet,
        redis: &'a mut TestRedis,
        queue: QueueName,
        partitions: u16,
        tracker: TaskTracker,
        schedule: &[Fault],
        disk: Option<Disk>,
    ) -> Self {
        let start = Instant::now();
        let begin = |(index, fault): (usize, &Fault)| {
            let at = start + Duration::from_millis(fault.at_ms);
            (at, Step::Begin(index))
        };
        let outcome = |fault: &Fault| Outcome {
            fault: fault.clone(),
            began_at: None,
            under_way: None,
            exit: None,
            exit_ms: None,
            ready_ms: None,
            well: false,
        };
        let inspector = Inspector::new(redis.connect("dwb"));
        let key = |index| {
            let partition = partition_name(&queue, index).expect("the name is short");
            format!("dwb{{{partition}}}:")
        };
        let keys = (0..partitions).map(key).collect();
        Self {
            fleet,
            redis,
            inspector,
            queue,
            tracker,
            outcomes: Arc::new(Mutex::new(schedule.iter().map(outcome).collect())),
            outages: Vec::new(),
            down: Vec::new(),
            collapses: Vec::new(),
            disk,
            keys,
            victim: None,
            struck: HashSet::new(),
            steps: schedule.iter().enumerate().map(begin).collect(),
            leaving: Vec::new(),
        }
    }

    /// Does what is due; says whether more will be.
    pub async fn step(&mut self) -> bool {
        self.look_after_leaving();
        if let Some(disk) = &mut self.disk {
            disk.look();
        }
        let now = Instant::now();
        let due = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| *at <= now)
            .min_by_key(|(_, (at, _))| *at)
            .map(|(place, _)| place);
        if let Some(place) = due {
            match self.steps.remove(place).1 {
                Step::Begin(index) => self.begin(index).await,
                Step::Mend(index) => self.mend(index).await,
            }
        }
        self.look_for_collapses();
        !self.steps.is_empty() || !self.leaving.is_empty()
    }

    /// What became of each fault.
    pub fn outcomes(&self) -> Vec<Outcome> {
        lock(&self.outcomes).clone()
    }

    fn note(&self, index: usize, write: impl FnOnce(&mut Outcome)) {
        write(&mut lock(&self.outcomes)[index]);
    }

    fn fault(&self, index: usize) -> Fault {
        lock(&self.outcomes)[index].fault.clone()
    }

    async fn begin(&mut self, index: usize) {
        use FaultKind as K;
        let Fault {
            kind,
            target,
            lasts_ms,
            ..
        } = self.fault(index);
        let is_process = !matches!(target, Target::Redis | Target::Links);
        if is_process && self.fleet.slot(target).process.is_none() {
            return self.steps.push((Instant::now() + HOLD, Step::Begin(index)));
        }
        let mut victim = None;
        if matches!(kind, K::RedisKill | K::RedisStall | K::ScriptFlush | K::Cut)
            && self.redis.topology() != Topology::One
        {
            // One at a time: while one is missing, another may hold the only copy, and not all can be told anything.
            if self.redis.is_settled().await {
                victim = self
                    .redis
                    .owner_now(&self.keys[index % self.keys.len()])
                    .await;
            }
            if victim.is_none() {
                return self.steps.push((Instant::now() + HOLD, Step::Begin(index)));
            }
        }
        let under_way = self.under_way().await;
        let now = now_ms();
        self.note(index, |outcome| {
            outcome.began_at = Some(now);
            outcome.under_way = under_way;
        });
        let away_for_long = match kind {
            K::WorkerKill => true,
            K::WorkerStop | K::Swallow => lasts_ms > LEASE_MS,
            _ => false,
        };
        if let (Target::Worker(_), true) = (target, away_for_long)
            && let Some(pid) = self.fleet.slot(target).pid()
        {
            self.outages.push(Outage { pid, at: now });
        }
        match kind {
            K::WorkerKill | K::ServerKill | K::ManagerKill => self.fleet.slot(target).kill(),
            K::WorkerTerm | K::ServerTerm => {
                self.fleet.slot(target).signal(Signal::SIGTERM);
                return self.leaving.push(Leaving {
                    fault: index,
                    target,
                    since: Instant::now(),
                });
            }
            K::WorkerStop => self.fleet.slot(target).signal(Signal::SIGSTOP),
            K::RedisKill | K::RedisStall => {
                let killed = kind == K::RedisKill;
                self.down.push(Down {
                    from: now,
                    to: u64::MAX,
                    // One that is stopped for long is replaced as well.
                    killed: killed || victim.is_some(),
                    lost_bytes: 0,
                });
                self.victim = victim;
                if let Some(n) = victim {
                    if killed {
                        self.redis.kill_one(n);
                    } else {
                        self.redis.stall_one(n);
                    }
                } else if killed {
                    self.redis.kill();
                    let lost = self.disk.as_mut().map(Disk::lose).transpose();
                    let lost = lost.expect("the file of a killed Redis can be cut");
                    if let Some(down) = self.down.last_mut() {
                        down.lost_bytes = lost.unwrap_or(0);
                    }
                } else {
                    self.redis.stall();
                }
            }
            K::ScriptFlush => {
                let _: String = self.redis.command(&["SCRIPT", "FLUSH"]).await;
            }
            K::Cut if self.redis.topology() == Topology::One => self.fleet.cut(),
            K::Cut => {
                for kind in ["normal", "pubsub"] {
                    let _: i64 = self.redis.command(&["CLIENT", "KILL", "TYPE", kind]).await;
                }
            }
            K::Swallow => self.fleet.slot(target).redis.swallow(),
            K::ClientCut => {
                if let Some(clients) = &self.fleet.slot(target).clients {
                    clients.cut();
                }
            }
        }
        self.struck.insert(target);
        let at = Instant::now() + Duration::from_millis(lasts_ms);
        self.steps.push((at, Step::Mend(index)));
    }

    /// How many jobs wait or run, if Redis answers soon.
    pub async fn under_way(&self) -> Option<u64> {
        let counts = async {
            // The first question may find out that its connection is dead.
            match self.inspector.sum(&self.queue).await {
                Ok(counts) => Ok(counts),
                Err(_) => self.inspector.sum(&self.queue).await,
            }
        };
        let (counts, _) = tokio::time::timeout(ASK, counts).await.ok()?.ok()?;
        Some(counts.waiting + counts.active + counts.delayed)
    }

    async fn mend(&mut self, index: usize) {
        use FaultKind as K;
        let Fault { kind, target, .. } = self.fault(index);
        // Were it started before it is replaced, there would be nothing to see.
        if let (K::RedisKill, Some(n)) = (kind, self.victim)
            && !self.redis.is_replaced(n).await
        {
            return self.steps.push((Instant::now() + HOLD, Step::Mend(index)));
        }
        let victim = match kind {
            K::RedisKill | K::RedisStall => self.victim.take(),
            _ => None,
        };
        match (kind, victim) {
            (K::RedisKill, Some(n)) => self.redis.start_one(n),
            (K::RedisStall, Some(n)) => self.redis.resume_one(n),
            _ => self.mend_alone(kind, target).await,
        }
        if matches!(kind, K::RedisKill | K::RedisStall)
            && let Some(down) = self.down.last_mut()
        {
            down.to = now_ms();
        }
        self.struck.remove(&target);
        self.note(index, |outcome| outcome.well = true);
        self.watch_readiness(index, target);
    }

    async fn mend_alone(&mut self, kind: FaultKind, target: Target) {
        use FaultKind as K;
        match kind {
            K::WorkerKill | K::ServerKill | K::ManagerKill => self.fleet.slot(target).start(),
            K::WorkerStop => self.fleet.slot(target).signal(Signal::SIGCONT),
            K::RedisKill => self.redis.run().await,
            K::RedisStall => self.redis.resume(),
            K::Swallow => self.fleet.slot(target).redis.mend(),
            K::WorkerTerm | K::ServerTerm | K::ScriptFlush | K::Cut | K::ClientCut => {}
        }
    }

    /// Measures how long those that were struck take until they are ready.
    fn watch_readiness(&mut self, index: usize, target: Target) {
        let ports = match target {
            Target::Redis | Target::Links => {
                let slots = self.fleet.slots.iter();
                let well = slots.filter(|slot| !self.struck.contains(&slot.target));
                well.map(|slot| Arc::clone(&slot.port)).collect()
            }
            target => vec![Arc::clone(&self.fleet.slot(target).port)],
        };
        let outcomes = Arc::clone(&self.outcomes);
        let mended = Instant::now();
        self.tracker.spawn(async move {
            if all_ready(&ports, READY).await {
                let took = u64::try_from(mended.elapsed().as_millis()).unwrap_or(u64::MAX);
                lock(&outcomes)[index].ready_ms = Some(took);
            }
        });
    }

    fn look_after_leaving(&mut self) {
        for leaving in std::mem::take(&mut self.leaving) {
            let Leaving {
                fault,
                target,
                since,
            } = leaving;
            let took = since.elapsed();
            let (well, exit) = match self.fleet.slot(target).ended() {
                Some((status, _)) => (status.success() && took < GRACE, status.to_string()),
                None if took < GRACE => {
                    self.leaving.push(leaving);
                    continue;
                }
                None => {
                    self.fleet.slot(target).kill();
                    (false, "did not end".to_owned())
                }
            };
            self.note(fault, |outcome| {
                outcome.well = well;
                outcome.exit = Some(exit);
                outcome.exit_ms = u64::try_from(took.as_millis()).ok();
            });
            self.fleet.slot(target).start();
            self.watch_readiness(fault, target);
        }
    }

    /// Starts again what ended by itself, and remembers it.
    fn look_for_collapses(&mut self) {
        for slot in &mut self.fleet.slots {
            let target = slot.target;
            if self.leaving.iter().any(|leaving| leaving.target == target) {
                continue;
            }
            if let Some((status, log)) = slot.ended() {
                self.collapses.push(Collapse {
                    target,
                    status: status.to_string(),
                    log,
                });
                slot.start();
            }
        }
    }
}

fn lock(outcomes: &Mutex<Vec<Outcome>>) -> MutexGuard<'_, Vec<Outcome>> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}
