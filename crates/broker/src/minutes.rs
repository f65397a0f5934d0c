//! What a queue had done at the beginning of each minute, for charts and for what happened since some time.
//!
//! A minute is written once, whoever comes first, so that any number of managers may do it: what is written are totals, of
//! which none is lost should nobody write for a while. Kept for three days, in one hash a day: a queue takes some
//! hundred bytes a minute.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use protocol::{Kind, QueueName};
use serde::Serialize;

use crate::{Counts, Error, Inspector, Totals};

/// How long a minute is, in milliseconds.
pub const MINUTE_MS: u64 = 60_000;
/// For how long minutes are kept, in milliseconds.
pub const KEPT_MS: u64 = 3 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// How many kinds a minute holds: those that did most.
const KINDS: usize = 32;

/// How jobs of one kind ended that a worker had the handler of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KindTotals {
    /// Jobs that completed.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
}

/// A queue at the beginning of a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// When, in milliseconds since the Unix epoch by Redis' clock.
    pub at: u64,
    /// What had happened until then. Some of it is not kept, and reads as zero.
    pub totals: Totals,
    /// How many jobs were where.
    pub depth: Counts,
    /// What had happened to jobs of each kind.
    pub kinds: BTreeMap<Kind, KindTotals>,
}

impl Minute {
    /// The numbers that are kept, in their order.
    fn numbers(&mut self) -> [&mut u64; 11] {
        let Self { totals, depth, .. } = self;
        [
            &mut totals.enqueued,
            &mut totals.completed,
            &mut totals.failed,
            &mut totals.cancelled,
            &mut totals.retried,
            &mut totals.lost,
            &mut totals.handed_back,
            &mut totals.refused,
            &mut depth.waiting,
            &mut depth.delayed,
            &mut depth.active,
        ]
    }

    /// As it stands in Redis: numbers, and a word for each kind.
    fn write(mut self) -> String {
        let mut text = String::new();
        for number in self.numbers() {
            let _ = write!(text, "{number} ");
        }
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(_, kind)| std::cmp::Reverse(kind.completed + kind.failed));
        for (name, kind) in kinds.iter().take(KINDS) {
            let _ = write!(text, "{name}={}/{} ", kind.completed, kind.failed);
        }
        text.truncate(text.len() - 1);
        text
    }

    /// Reads what [`Minute::write`] wrote; what can't be read is zero.
    fn read(at: u64, text: &str) -> Self {
        let mut minute = Self {
            at,
            ..Self::default()
        };
        let mut words = text.split(' ');
        for number in minute.numbers() {
            *number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        }
        minute.kinds = words
            .filter_map(|word| {
                let (name, counts) = word.split_once('=')?;
                let (completed, failed) = counts.split_once('/')?;
                let kind = KindTotals {
                    completed: completed.parse().ok()?,
                    failed: failed.parse().ok()?,
                };
                Some((name.parse().ok()?, kind))
            })
            .collect();
        minute
    }
}

impl Inspector {
    /// What happened to jobs of each kind since the queue began.
    pub async fn kinds(&self, queue: &QueueName) -> Result<BTreeMap<Kind, KindTotals>, Error> {
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(self.queue_keys(queue).kinds());
        let fields: HashMap<String, u64> = self.redis().query(&cmd).await?;
        let mut kinds = BTreeMap::<Kind, KindTotals>::new();
        for (field, n) in fields {
            let Some((what, name)) = field.split_once(':') else {
                continue;
            };
            let Ok(kind) = name.parse() else { continue };
            let totals = kinds.entry(kind).or_default();
            match what {
                "completed" => totals.completed = n,
                "failed" => totals.failed = n,
                _ => {}
            }
        }
        Ok(kinds)
    }

    /// A queue as it is now.
    pub async fn minute(&self, queue: &QueueName) -> Result<Minute, Error> {
        let keys = self.queue_keys(queue);
        let at = self.redis().now_at(keys.base()).await?;
        let (depth, totals) = self.counts(queue).await?;
        let kinds = self.kinds(queue).await?;
        Ok(Minute {
            at,
            totals,
            depth,
            kinds,
        })
    }

    /// Keeps a queue as it is now for the minute that has begun, unless somebody did already.
    pub async fn keep_minute(&self, queue: &QueueName) -> Result<bool, Error> {
        let minute = self.minute(queue).await?;
        let number = minute.at / MINUTE_MS;
        let key = self.queue_keys(queue).minutes(minute.at / DAY_MS);
        let mut pipeline = redis::pipe();
        pipeline.hset_nx(&key, number, minute.write());
        let kept = i64::try_from((KEPT_MS + DAY_MS) / 1000).unwrap_or(i64::MAX);
        pipeline.expire(&key, kept).ignore();
        let (written,): (bool,) = self.redis().pipe(&pipeline).await?;
        Ok(written)
    }

    /// The minutes that began since a time, oldest first, at most three days of them; and the queue as it is now.
    pub async fn minutes(&self, queue: &QueueName, since: u64) -> Result<Vec<Minute>, Error> {
        let now = self.minute(queue).await?;
        let since = since.max(now.at.saturating_sub(KEPT_MS));
        let keys = self.queue_keys(queue);
        let mut minutes = Vec::new();
        for day in since / DAY_MS..=now.at / DAY_MS {
            let first = since.div_ceil(MINUTE_MS).max(day * DAY_MS / MINUTE_MS);
            let last = (now.at / MINUTE_MS).min((day + 1) * DAY_MS / MINUTE_MS - 1);
            if first > last {
                continue;
            }
            let numbers: Vec<u64> = (first..=last).collect();
            let mut cmd = redis::cmd("HMGET");
            cmd.arg(keys.minutes(day)).arg(&numbers);
            let texts: Vec<Option<String>> = self.redis().query(&cmd).await?;
            for (number, text) in numbers.into_iter().zip(texts) {
                if let Some(text) = text {
                    minutes.push(Minute::read(number * MINUTE_MS, &text));
                }
            }
        }
        minutes.push(now);
        Ok(minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::{KindTotals, Minute};

    #[test]
    fn what_is_kept_comes_back() {
        let mut minute = Minute {
            at: 60_000,
            ..Minute::default()
        };
        for (n, number) in minute.numbers().into_iter().enumerate() {
            *number = n as u64 + 1;
        }
        let kind = |completed, failed| KindTotals { completed, failed };
        minute.kinds = [("mail", kind(3, 1)), ("chat", kind(0, 2))]
            .map(|(name, kind)| (name.parse().unwrap(), kind))
            .into();
        let text = minute.clone().write();
        assert_eq!(text, "1 2 3 4 5 6 7 8 9 10 11 mail=3/1 chat=0/2");
        assert_eq!(Minute::read(60_000, &text), minute);
        assert_eq!(Minute::read(0, "x").totals.enqueued, 0);
    }

    #[test]
    fn only_the_busiest_kinds_are_kept() {
        let mut minute = Minute::default();
        for n in 0..100 {
            let kind = KindTotals {
                completed: n,
                failed: 0,
            };
            minute.kinds.insert(format!("k{n}").parse().unwrap(), kind);
        }
        let read = Minute::read(0, &minute.write());
        assert_eq!(read.kinds.len(), 32);
        assert!(read.kinds.values().all(|kind| kind.completed >= 68));
    }
}
