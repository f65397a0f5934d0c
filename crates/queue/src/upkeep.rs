//! The loop of the manager: finds the queues, maintains each, and measures them now and then.
//!
//! A round can be run by itself. The loop never ends because Redis is away, and says only once that it is.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use broker::{Backoff, Error, Inspector, Maintenance, QueueArgs, Redis, Swept};
use futures_util::StreamExt as _;
use protocol::QueueName;
use service::Check;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::{Metrics, QueueStats, fault::sentence, pressure};

/// How long the list of queues and their figures are good for. Measuring costs more commands than maintaining.
const LOOK: Duration = Duration::from_secs(3);

/// How many queues are maintained at a time: so many wait for a shard that does not answer, and the others go on.
const AT_ONCE: usize = 16;

/// Keeps all queues under a prefix in order.
pub struct Upkeep {
    maintenance: Maintenance,
    inspector: Inspector,
    address: String,
    metrics: Metrics,
    check: Check,
    queues: Vec<QueueName>,
    /// When the queues were last listed and measured; `None` when that is to be done next.
    looked: Option<Instant>,
    /// The same for what is looked at less often.
    pressed: Option<Instant>,
    /// Queues that can't be maintained although Redis answers; so that each is logged once.
    broken: HashSet<QueueName>,
    backoff: Backoff,
    /// With which of the queues a round begins.
    first: usize,
}

impl Upkeep {
    /// Upkeep that tells `check` whether Redis answers.
    pub fn new(redis: Redis, keep: QueueArgs, metrics: Metrics, check: Check) -> Self {
        Self {
            address: redis.address(),
            inspector: Inspector::new(redis.clone()),
            maintenance: Maintenance::new(redis, keep),
            metrics,
            check,
            queues: Vec::new(),
            looked: None,
            pressed: None,
            broken: HashSet::new(),
            backoff: Backoff::default(),
            first: 0,
        }
    }

    /// Rounds with a rest of `interval` between two, until `soft` is cancelled, which also ends one under way.
    pub async fn run(mut self, interval: Duration, soft: CancellationToken) {
        let rounds = async {
            loop {
                let rest = match self.run_once().await {
                    Ok(_) => interval,
                    Err(_) => self.backoff.pause(),
                };
                tokio::time::sleep(rest).await;
            }
        };
        // Whatever is interrupted is one script or one read: nothing is left half done.
        soft.run_until_cancelled(rounds).await;
    }

    /// One round: does all that there is to do now, and says what it was. Fails when Redis does not answer, or a part of it;
    /// what the other parts have is done all the same.
    pub async fn run_once(&mut self) -> Result<Swept, Error> {
        let result = self.round().await;
        match &result {
            Ok(_) => {
                self.metrics.up();
                self.backoff.reset();
                self.check
                    .set_with(true, &format!("Redis at {} answers", self.address));
            }
            Err(error) => {
                self.metrics.failed();
                self.metrics.down();
                // Redis may come back with other data.
                self.looked = None;
                self.pressed = None;
                self.check.set_with(
                    false,
                    &format!("{}; waiting for it", sentence(error, &self.address)),
                );
            }
        }
        result
    }

    async fn round(&mut self) -> Result<Swept, Error> {
        // Without a queue the list is all that there is to ask for.
        let look = self.queues.is_empty() || self.looked.is_none_or(|at| at.elapsed() >= LOOK);
        let listed = if look { self.list().await } else { Ok(()) };
        if listed.is_err() && self.queues.is_empty() {
            return listed.map(|()| Swept::default());
        }
        let swept = self.maintain().await;
        listed?;
        let swept = swept?;
        if look {
            self.measure().await?;
            self.looked = Some(Instant::now());
        }
        if look && self.pressed.is_none_or(|at| at.elapsed() >= pressure::LOOK) {
            let whole = self.queues.iter();
            let whole: Vec<_> = whole.filter(|queue| !self.broken.contains(queue)).collect();
            let pressure = self.metrics.pressure();
            pressure.look(&self.inspector, &whole).await?;
            self.pressed = Some(Instant::now());
        }
        Ok(swept)
    }

    async fn list(&mut self) -> Result<(), Error> {
        let queues = self.inspector.queues().await?;
        if queues != self.queues {
            self.pressed = None;
        }
        self.queues = queues;
        self.broken.retain(|queue| self.queues.contains(queue));
        Ok(())
    }

    /// In a Cluster one shard may be away and the others not. Ends early when as many queues as go at a time were not
    /// reached: the next round begins with others.
    async fn maintain(&mut self) -> Result<Swept, Error> {
        let (later, sooner) = self.queues.split_at(self.first.min(self.queues.len()));
        let order: Vec<_> = sooner.iter().chain(later).cloned().collect();
        let maintenance = &self.maintenance;
        let mut rounds = futures_util::stream::iter(order)
            .map(async |queue| (maintenance.run(&queue).await, queue))
            .buffer_unordered(AT_ONCE);
        let mut all = Swept::default();
        let mut away = Vec::new();
        while away.len() < AT_ONCE
            && let Some((result, queue)) = rounds.next().await
        {
            match tolerate(result, &queue, &mut self.broken, &self.metrics) {
                Ok(Some(swept)) => {
                    report(&queue, swept);
                    self.metrics.swept(swept);
                    all.promoted += swept.promoted;
                    all.lost += swept.lost;
                    all.expired += swept.expired;
                    all.pruned += swept.pruned;
                }
                Ok(None) => {}
                Err(error) => away.push(error),
            }
        }
        drop(rounds);
        let Some(error) = away.pop() else {
            return Ok(all);
        };
        self.first = (self.first + AT_ONCE) % self.queues.len();
        Err(error)
    }

    async fn measure(&self) -> Result<(), Error> {
        let mut stats = Vec::with_capacity(self.queues.len());
        for queue in &self.queues {
            match self.inspector.counts(queue).await {
                Ok((jobs, totals)) => stats.push(QueueStats {
                    queue: queue.clone(),
                    jobs,
                    totals,
                }),
                Err(error) if error.is_temporary() => return Err(error),
                Err(error) => debug!(%queue, %error, "queue can't be measured"),
            }
        }
        self.metrics.show(stats);
        Ok(())
    }
}

/// One damaged queue must not keep the others from being maintained.
fn tolerate(
    result: Result<Swept, Error>,
    queue: &QueueName,
    broken: &mut HashSet<QueueName>,
    metrics: &Metrics,
) -> Result<Option<Swept>, Error> {
    match result {
        Ok(swept) => {
            broken.remove(queue);
            Ok(Some(swept))
        }
        Err(error) if error.is_temporary() => Err(error),
        Err(error) => {
            metrics.failed();
            if broken.insert(queue.clone()) {
                error!(%queue, %error, "queue can't be maintained");
            }
            Ok(None)
        }
    }
}

fn report(queue: &QueueName, swept: Swept) {
    let Swept {
        promoted,
        lost,
        expired,
        pruned,
    } = swept;
    if lost > 0 {
        warn!(%queue, lost, "leases ran out: their workers are dead, hung or cut off");
    }
    if promoted > 0 || expired > 0 || pruned > 0 {
        debug!(%queue, promoted, expired, pruned, "maintained");
    }
}
