//! Which faults happen when and to whom: derived from the seed alone.
//!
//! Never knows how a fault is made.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{dice::Dice, kind::FaultKind};

/// How long a process is left alone after it was struck, in milliseconds: it should be struck at work.
const REST_MS: u64 = 3_000;
/// How long a process may take to stop before the next fault would strike it.
const STOPPING_MS: u64 = 8_000;

/// Whom a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The worker in this place.
    Worker(usize),
    /// The server in this place.
    Server(usize),
    /// The queue manager in this place.
    Manager(usize),
    /// Redis.
    Redis,
    /// All connections to Redis.
    Links,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(n) => write!(f, "worker {}", n + 1),
            Self::Server(n) => write!(f, "server {}", n + 1),
            Self::Manager(n) => write!(f, "manager {}", n + 1),
            Self::Redis => f.write_str("redis"),
            Self::Links => f.write_str("all links"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// When it begins, in milliseconds after the load began.
    pub at_ms: u64,
    /// What happens.
    pub kind: FaultKind,
    /// To whom.
    pub target: Target,
    /// How long until it is mended (started again, continued); 0 for what is over at once.
    pub lasts_ms: u64,
}

/// How many processes there are to strike.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cast {
    /// How many servers.
    pub servers: usize,
    /// How many workers.
    pub workers: usize,
    /// How many queue managers.
    pub managers: usize,
}

/// Until when each target is to be left alone.
struct Rest {
    workers: Vec<u64>,
    servers: Vec<u64>,
    managers: Vec<u64>,
    redis: u64,
}

/// Draws `count` faults over `span_ms`. Every kind comes about equally often; with at least as many faults as kinds,
/// every kind comes.
pub fn draw(seed: u64, kinds: &[FaultKind], count: usize, span_ms: u64, cast: Cast) -> Vec<Fault> {
    let mut dice = Dice::new(seed);
    let mut rest = Rest {
        workers: vec![0; cast.workers],
        servers: vec![0; cast.servers],
        managers: vec![0; cast.managers],
        redis: 0,
    };
    // Uneven gaps that fill the middle of the span: at its edges little may be under way.
    let gaps: Vec<u64> = (0..=count).map(|_| dice.between(50, 150)).collect();
    let total: u64 = gaps.iter().sum();
    let (first, last) = (span_ms / 20, span_ms - span_ms / 20);
    let mut sum = 0;
    let mut deck: Vec<FaultKind> = Vec::new();
    let mut faults = Vec::with_capacity(count);
    for gap in &gaps[..count] {
        sum += gap;
        if deck.is_empty() {
            deck = kinds.to_vec();
            dice.shuffle(&mut deck);
        }
        let kind = deck.pop().expect("there is at least one kind");
        let at = first + (last - first) * sum / total;
        faults.push(rest.fault(&mut dice, kind, at));
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

impl Rest {
    /// Places a fault on someone who is not being struck already, a little later where there is nobody.
    fn fault(&mut self, dice: &mut Dice, kind: FaultKind, at: u64) -> Fault {
        use FaultKind as K;
        let lasts_ms = match kind {
            K::WorkerKill | K::ServerKill | K::ManagerKill => dice.between(0, 1_500),
            K::WorkerStop => dice.between(11_500, 14_000),
            K::RedisKill => dice.between(200, 3_000),
            K::RedisStall => dice.between(1_000, 7_000),
            K::Swallow => dice.between(1_500, 13_000),
            K::WorkerTerm | K::ServerTerm | K::ScriptFlush | K::Cut | K::ClientCut => 0,
        };
        let stopping = if matches!(kind, K::WorkerTerm | K::ServerTerm) {
            STOPPING_MS
        } else {
            0
        };
        let busy = lasts_ms + stopping + REST_MS;
        // Most of what is swallowed is a worker's, since that costs it its leases.
        let of_worker = kind == K::Swallow && dice.chance(70);
        let (target, at_ms) = match kind {
            K::WorkerKill | K::WorkerTerm | K::WorkerStop => {
                place(dice, Target::Worker, &mut self.workers, at, busy)
            }
            K::Swallow if of_worker => place(dice, Target::Worker, &mut self.workers, at, busy),
            K::ServerKill | K::ServerTerm | K::ClientCut | K::Swallow => {
                place(dice, Target::Server, &mut self.servers, at, busy)
            }
            K::ManagerKill => place(dice, Target::Manager, &mut self.managers, at, busy),
            K::RedisKill | K::RedisStall | K::ScriptFlush => {
                let at = at.max(self.redis);
                self.redis = at + busy;
                (Target::Redis, at)
            }
            K::Cut => (Target::Links, at),
        };
        Fault {
            at_ms,
            kind,
            target,
            lasts_ms,
        }
    }
}

/// Finds one that may be struck at `at` or as soon after it as possible, so that one other is well.
fn place(
    dice: &mut Dice,
    target: fn(usize) -> Target,
    until: &mut [u64],
    at: u64,
    busy: u64,
) -> (Target, u64) {
    let mut order: Vec<usize> = (0..until.len()).collect();
    dice.shuffle(&mut order);
    // The time from which on two are well, this one included.
    let mut sorted = until.to_vec();
    sorted.sort_unstable();
    let at = at.max(sorted[1.min(until.len() - 1)]);
    let chosen = order
        .into_iter()
        .find(|n| until[*n] <= at)
        .expect("the one that is free first is free by then");
    until[chosen] = at + busy;
    (target(chosen), at)
}

#[cfg(test)]
mod tests {
    use super::{Cast, FaultKind, Target, draw};

    const CAST: Cast = Cast {
        servers: 2,
        workers: 3,
        managers: 2,
    };

    #[test]
    fn a_seed_determines_the_schedule() {
        let drawn = |seed| draw(seed, &FaultKind::ALL, 48, 200_000, CAST);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn every_kind_occurs_in_order_and_in_time() {
        for seed in 0..200 {
            let faults = draw(seed, &FaultKind::ALL, 48, 200_000, CAST);
            for kind in FaultKind::ALL {
                assert!(faults.iter().any(|fault| fault.kind == kind), "{kind}");
            }
            assert!(faults.is_sorted_by_key(|fault| fault.at_ms));
            let last = faults.last().unwrap();
            assert!(last.at_ms < 225_000, "seed {seed}: {last:?}");
        }
    }

    #[test]
    fn one_worker_and_one_server_are_always_well() {
        for seed in 0..200 {
            let faults = draw(seed, &FaultKind::ALL, 48, 200_000, CAST);
            for fault in &faults {
                let struck = |workers: bool| {
                    let mut targets: Vec<_> = faults
                        .iter()
                        .filter(|other| {
                            other.at_ms <= fault.at_ms
                                && fault.at_ms <= other.at_ms + other.lasts_ms
                        })
                        .filter_map(|other| match other.target {
                            Target::Worker(n) if workers => Some(n),
                            Target::Server(n) if !workers => Some(n),
                            _ => None,
                        })
                        .collect();
                    targets.sort_unstable();
                    targets.dedup();
                    targets.len()
                };
                assert!(struck(true) <= 2 && struck(false) <= 1, "seed {seed}");
            }
        }
    }
}
