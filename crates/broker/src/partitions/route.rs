//! Finds the partition to which a job goes, by what it belongs to: its topic, else its idempotency key, else itself.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use protocol::{IdempotencyKey, QueueName};
use tracing::warn;

use super::Placement;
use crate::{Error, Redis, producer::Submission};

/// Of how many topics it is remembered where they are.
const PINS: usize = 10_000;

/// To which partition, and on what condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way {
    pub(super) index: u16,
    /// Only as long as what the job belongs to is there already.
    pub(super) only_there: bool,
}

/// What a job belongs to.
struct Owner {
    /// By which its place is found.
    name: String,
    /// The end of the key that is there as long as it is.
    suffix: String,
    is_topic: bool,
}

impl Owner {
    fn of(job: &Submission) -> Self {
        let options = &job.job.options;
        let id = job.id.to_string();
        if let Some(topic) = options.topic.as_ref().filter(|topic| topic.as_str() != id) {
            return Self {
                name: topic.to_string(),
                suffix: format!("top:{topic}"),
                is_topic: true,
            };
        }
        if let Some(key) = options.key.as_ref().map(IdempotencyKey::as_str) {
            let name = format!("{}:{key}", options.tenant);
            return Self {
                suffix: format!("key:{name}"),
                name,
                is_topic: false,
            };
        }
        Self {
            suffix: format!("job:{id}"),
            name: id,
            is_topic: false,
        }
    }
}

/// The ways of a queue's jobs by one placement.
pub(super) struct Route<'a> {
    redis: Redis,
    queue: QueueName,
    placement: &'a Placement,
    /// Where topics are that were looked for.
    pins: HashMap<String, Way>,
}

impl<'a> Route<'a> {
    pub(super) fn new(redis: Redis, queue: QueueName, placement: &'a Placement) -> Self {
        Self {
            redis,
            queue,
            placement,
            pins: HashMap::new(),
        }
    }

    /// Finds the ways of jobs. Gives them with their jobs, in their order, and those jobs that could not be looked for now.
    pub(super) async fn find(
        &mut self,
        jobs: Vec<Submission>,
    ) -> (Vec<(Way, Submission)>, Vec<Submission>) {
        let owners: Vec<_> = jobs.iter().map(Owner::of).collect();
        let found = self.look(&owners).await;
        let (mut known, mut rest) = (Vec::with_capacity(jobs.len()), Vec::new());
        if self.pins.len() > PINS {
            self.pins.clear();
        }
        for (job, owner) in jobs.into_iter().zip(&owners) {
            match self.way(owner, &found) {
                Some(way) => {
                    if owner.is_topic && self.placement.places(&owner.name).len() > 1 {
                        self.pins.insert(owner.name.clone(), way);
                    }
                    known.push((way, job));
                }
                None => rest.push(job),
            }
        }
        (known, rest)
    }

    /// Where it is, by what was found; else where it will be created.
    fn way(&self, owner: &Owner, found: &HashMap<(u16, &str), bool>) -> Option<Way> {
        let places = self.placement.places(&owner.name);
        let created = Way {
            index: places[0],
            only_there: false,
        };
        if places.len() == 1 {
            return Some(created);
        }
        if owner.is_topic
            && let Some(way) = self.pins.get(&owner.name)
        {
            return Some(*way);
        }
        if owner.is_topic && *found.get(&(places[0], &*owner.suffix))? {
            return Some(created);
        }
        for index in &places[1..] {
            if *found.get(&(*index, &*owner.suffix))? {
                return Some(Way {
                    index: *index,
                    only_there: true,
                });
            }
        }
        Some(created)
    }

    /// Looks for what may be in more than one place. What is not in the answer could not be looked for.
    async fn look<'o>(&self, owners: &'o [Owner]) -> HashMap<(u16, &'o str), bool> {
        let mut asked = BTreeMap::<u16, Vec<&str>>::new();
        for owner in owners {
            if owner.is_topic && self.pins.contains_key(&owner.name) {
                continue;
            }
            let places = self.placement.places(&owner.name);
            // What was created where it belongs is found there by the job itself; but of a topic that is there, what a late
            // event has left in an older place counts no more.
            let first = usize::from(!owner.is_topic);
            if places.len() > 1 {
                for index in &places[first..] {
                    let suffixes = asked.entry(*index).or_default();
                    // Most follow each other.
                    if suffixes.last() != Some(&&*owner.suffix) {
                        suffixes.push(&owner.suffix);
                    }
                }
            }
        }
        let answers = asked.iter().map(async |(index, suffixes)| {
            let fence = Some(self.placement);
            let found = self.redis.look(&self.queue, *index, fence, suffixes).await;
            (*index, suffixes, found)
        });
        let mut found = HashMap::new();
        for (index, suffixes, answer) in join_all(answers).await {
            match answer {
                Ok(answer) => {
                    let pairs = suffixes.iter().zip(answer);
                    found.extend(pairs.map(|(suffix, there)| ((index, *suffix), there)));
                }
                Err(error) => self.failed(index, &error),
            }
        }
        found
    }

    fn failed(&self, index: u16, error: &Error) {
        warn!(queue = %self.queue, partition = index, %error, "can't look where jobs belong, trying again");
    }
}
