//! Looks for many keys in several partitions at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use protocol::QueueName;
use tracing::debug;

use super::Placement;
use crate::{Error, Redis};

/// How many keys one call looks for.
const CHUNK: usize = 200;

/// What is looked for in which partition, and for whom: places in a list of its user's.
#[derive(Default)]
pub(super) struct Looks(BTreeMap<u16, BTreeMap<String, Vec<usize>>>);

/// What was found.
#[derive(Default)]
pub(super) struct Looked {
    /// Whether it is there, by whom and where; absent where that can't be said now.
    found: BTreeMap<(usize, u16), bool>,
    /// Why it can't, for one of them.
    pub(super) failure: Option<Error>,
}

impl Looks {
    /// Looks in a partition for a key, given as what follows the base.
    pub(super) fn add(&mut self, index: u16, whose: usize, key: String) {
        let keys = self.0.entry(index).or_default();
        keys.entry(key).or_default().push(whose);
    }

    /// Looks, and has each of these partitions refuse what comes by an older placement.
    pub(super) async fn run(
        self,
        redis: &Redis,
        queue: &QueueName,
        placement: &Placement,
    ) -> Looked {
        let asked: Vec<(u16, Vec<_>)> = self
            .0
            .into_iter()
            .map(|(index, keys)| (index, keys.into_iter().collect()))
            .collect();
        let chunks = asked
            .iter()
            .flat_map(|(index, keys)| keys.chunks(CHUNK).map(move |chunk| (*index, chunk)));
        let calls = chunks.map(async |(index, chunk)| {
            let keys = chunk.iter().map(|(key, _)| key);
            let answer = redis.look(queue, index, placement, keys).await;
            (index, chunk, answer)
        });
        let mut looked = Looked::default();
        for (index, chunk, answer) in join_all(calls).await {
            match answer {
                Ok(answer) => {
                    for ((_, all), there) in chunk.iter().zip(answer) {
                        let whose = all.iter().map(|whose| ((*whose, index), there));
                        looked.found.extend(whose);
                    }
                }
                Err(error) => {
                    debug!(%queue, partition = index, %error, "can't look into a partition");
                    looked.failure = Some(error);
                }
            }
        }
        looked
    }
}

impl Looked {
    /// Whether it is in a partition; none if that can't be said now.
    pub(super) fn is_in(&self, whose: usize, index: u16) -> Option<bool> {
        self.found.get(&(whose, index)).copied()
    }
}
