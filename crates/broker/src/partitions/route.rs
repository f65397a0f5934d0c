//! Finds the partition to which a job goes, by what it belongs to: its topic, else its idempotency key, else itself.

use std::collections::HashMap;

use protocol::QueueName;
use tracing::warn;

use super::{
    Placement,
    looks::{Looked, Looks},
};
use crate::{Redis, producer::Submission};

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
    /// With which its key begins that is there as long as it is.
    what: &'static str,
    name: String,
    places: Vec<u16>,
}

impl Owner {
    fn of(job: &Submission, placement: &Placement) -> Self {
        let options = &job.job.options;
        let id = job.id.get().to_string();
        let (what, name) = if let Some(topic) = &options.topic
            && topic.as_str() != id
        {
            ("top", topic.to_string())
        } else if let Some(key) = &options.key {
            ("key", format!("{}:{}", options.tenant, key.as_str()))
        } else {
            ("job", id)
        };
        Self {
            places: placement.places(&name),
            what,
            name,
        }
    }

    fn is_topic(&self) -> bool {
        self.what == "top"
    }

    /// Where it would be created.
    fn created(&self) -> Way {
        Way {
            index: self.places[0],
            only_there: false,
        }
    }

    /// Where it has to be looked for. What was created where it belongs is found there by the job itself; but of a topic that
    /// is there, what a late event has left in an older place counts no more.
    fn asked(&self) -> &[u16] {
        &self.places[usize::from(!self.is_topic())..]
    }

    /// Where it is, by what was found; else where it will be created. None if that can't be said now.
    fn way(&self, whose: usize, looked: &Looked) -> Option<Way> {
        for index in self.asked() {
            if looked.is_in(whose, *index)? {
                return Some(Way {
                    index: *index,
                    only_there: *index != self.places[0],
                });
            }
        }
        Some(self.created())
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
        let mut looks = Looks::default();
        let mut ways = Vec::with_capacity(jobs.len());
        for (n, job) in jobs.iter().enumerate() {
            let owner = Owner::of(job, self.placement);
            ways.push(self.known(&owner).ok_or_else(|| {
                for index in owner.asked() {
                    looks.add(*index, n, format!("{}:{}", owner.what, owner.name));
                }
                owner
            }));
        }
        let looked = looks.run(&self.redis, &self.queue, self.placement).await;
        if let Some(error) = &looked.failure {
            warn!(queue = %self.queue, %error, "can't look where jobs belong, trying again");
        }
        let (mut known, mut rest) = (Vec::with_capacity(jobs.len()), Vec::new());
        for (n, (job, way)) in jobs.into_iter().zip(ways).enumerate() {
            let way = match way {
                Ok(way) => Some(way),
                Err(owner) => {
                    let way = owner.way(n, &looked);
                    if let Some(way) = way.filter(|_| owner.is_topic()) {
                        self.pin(owner.name, way);
                    }
                    way
                }
            };
            match way {
                Some(way) => known.push((way, job)),
                None => rest.push(job),
            }
        }
        (known, rest)
    }

    /// The way of what need not be looked for.
    fn known(&self, owner: &Owner) -> Option<Way> {
        if owner.places.len() == 1 {
            return Some(owner.created());
        }
        let pin = owner.is_topic().then(|| self.pins.get(&owner.name));
        pin.flatten().copied()
    }

    fn pin(&mut self, topic: String, way: Way) {
        if self.pins.len() >= PINS {
            self.pins.clear();
        }
        self.pins.insert(topic, way);
    }
}
