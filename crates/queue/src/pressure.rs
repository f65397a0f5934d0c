//! Whether the queues are kept up with, and how full Redis is, as the manager last saw it.
//!
//! Looked at less often than jobs are counted: it takes several commands a queue. What can't be asked is absent rather than
//! old.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use broker::{Error, Inspector, RedisHealth};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};
use protocol::QueueName;
use tracing::debug;

/// How long a look is good for.
pub(crate) const LOOK: Duration = Duration::from_secs(10);

/// What is known; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pressure(Arc<Mutex<Seen>>);

#[derive(Clone, Debug, Default)]
struct Seen {
    redis: Option<RedisHealth>,
    queues: Vec<Queue>,
}

#[derive(Clone, Debug)]
struct Queue {
    name: QueueName,
    oldest: Duration,
    workers: usize,
    paused: bool,
}

impl Pressure {
    /// Looks at Redis and at these queues. Fails when Redis does not answer.
    pub(crate) async fn look(
        &self,
        inspector: &Inspector,
        queues: &[&QueueName],
    ) -> Result<(), Error> {
        let mut seen = Seen {
            redis: tolerated(inspector.health().await, "Redis")?,
            queues: Vec::with_capacity(queues.len()),
        };
        for name in queues {
            let queue = Queue::look(inspector, name).await;
            seen.queues.extend(tolerated(queue, name.as_str())?);
        }
        self.show(seen);
        Ok(())
    }

    /// Nothing is known any more.
    pub(crate) fn forget(&self) {
        self.show(Seen::default());
    }

    fn show(&self, seen: Seen) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// What can't be read, although Redis answers, must not hide the rest.
fn tolerated<T>(result: Result<T, Error>, what: &str) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_temporary() => Err(error),
        Err(error) => {
            debug!(what, %error, "can't be looked at");
            Ok(None)
        }
    }
}

impl Queue {
    async fn look(inspector: &Inspector, name: &QueueName) -> Result<Self, Error> {
        let workers = inspector.workers(name).await?;
        Ok(Self {
            name: name.clone(),
            oldest: inspector.oldest_waiting(name).await?.unwrap_or_default(),
            workers: workers.iter().filter(|worker| worker.alive).count(),
            paused: inspector.settings(name).await?.paused,
        })
    }
}

/// A gauge's name, what it is, and where it is found.
type OfQueue = (&'static str, &'static str, fn(&Queue) -> f64);
type OfRedis = (&'static str, &'static str, fn(&RedisHealth) -> f64);

const OF_QUEUES: [OfQueue; 3] = [
    (
        "queue_oldest_waiting_age_seconds",
        "For how long the oldest of the next jobs could have been run; 0 when none waits.",
        |queue| queue.oldest.as_secs_f64(),
    ),
    ("queue_workers", "Workers that are alive.", |queue| {
        queue.workers as f64
    }),
    ("queue_paused", "Whether the queue is paused.", |queue| {
        f64::from(u8::from(queue.paused))
    }),
];

const OF_REDIS: [OfRedis; 5] = [
    (
        "redis_memory_used_bytes",
        "Memory that Redis uses.",
        |redis| redis.memory.used as f64,
    ),
    (
        "redis_memory_max_bytes",
        "Memory that Redis may use; 0 without a limit.",
        |redis| redis.memory.max as f64,
    ),
    ("redis_clients", "Connections that Redis has.", |redis| {
        redis.clients as f64
    }),
    (
        "redis_persistence_failing",
        "Whether Redis could not write to its disk the last time it tried.",
        |redis| f64::from(u8::from(redis.persistence.last_error)),
    ),
    (
        "redis_setup_warnings",
        "What should be set otherwise in Redis: it may drop jobs, or keeps nothing on disk.",
        |redis| redis.warnings.len() as f64,
    ),
];

impl Collector for Pressure {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Seen { redis, queues } = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(redis) = redis {
            for (name, help, value) in OF_REDIS {
                let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value(&redis)).encode(family)?;
            }
        }
        if queues.is_empty() {
            return Ok(());
        }
        for (name, help, value) in OF_QUEUES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for queue in &queues {
                let labels = [("queue", queue.name.as_str())];
                ConstGauge::new(value(queue)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
