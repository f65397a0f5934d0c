//! Finding jobs of which only the id is known: an idempotency key or a topic may have put them into any partition.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use protocol::{JobId, QueueName};

use super::Placement;
use crate::{Error, Redis};

/// What is looked for in which partition, as places in the list of all that is looked for.
type Round = BTreeMap<u16, Vec<usize>>;

impl Redis {
    /// Asks the partitions of a queue for jobs until each is found. `ask` gets a partition's name and the ids to look for
    /// there, and answers in their order. What is nowhere is looked for once more, where partitions came meanwhile.
    pub(crate) async fn seek<T, F>(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        ask: impl Fn(QueueName, Vec<JobId>) -> F,
    ) -> Result<Vec<Option<T>>, Error>
    where
        F: Future<Output = Result<Vec<Option<T>>, Error>>,
    {
        let placement = self.placement(queue).await?;
        let mut sought = Sought {
            queue,
            ids,
            found: ids.iter().map(|_| None).collect(),
        };
        let places = places(&placement, ids);
        let ranks = places.iter().map(Vec::len).max().unwrap_or(0);
        for rank in 0..ranks {
            let round = sought.missing(|n| places[n].get(rank).copied());
            sought.ask(round, &ask).await?;
        }
        let round = sought.missing(|n| {
            let mut others: Vec<_> = (0..placement.held()).collect();
            others.retain(|place| !places[n].contains(place));
            others
        });
        sought.ask(round, &ask).await?;
        if sought.found.iter().any(Option::is_none) {
            let newest = self.newest_placement(queue).await?;
            let round = sought.missing(|_| placement.held()..newest.held());
            sought.ask(round, &ask).await?;
        }
        Ok(sought.found)
    }
}

/// The places of each: where one of its name would be created, and was in earlier placements.
fn places(placement: &Placement, ids: &[JobId]) -> Vec<Vec<u16>> {
    if placement.held() == 1 {
        return vec![vec![0]; ids.len()];
    }
    let places = |id: &JobId| placement.places(&id.to_string());
    ids.iter().map(places).collect()
}

/// Jobs that are looked for, and what was found of them.
struct Sought<'a, T> {
    queue: &'a QueueName,
    ids: &'a [JobId],
    found: Vec<Option<T>>,
}

impl<T> Sought<'_, T> {
    /// Where to ask next for those that were not found.
    fn missing<P: IntoIterator<Item = u16>>(&self, places: impl Fn(usize) -> P) -> Round {
        let mut round = Round::new();
        for (n, _) in self
            .found
            .iter()
            .enumerate()
            .filter(|(_, one)| one.is_none())
        {
            for place in places(n) {
                round.entry(place).or_default().push(n);
            }
        }
        round
    }

    /// Asks all partitions of a round at once: nothing is in two of them.
    async fn ask<F>(
        &mut self,
        round: Round,
        ask: &impl Fn(QueueName, Vec<JobId>) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<Vec<Option<T>>, Error>>,
    {
        let mut calls = Vec::with_capacity(round.len());
        for (place, sought) in &round {
            let ids = sought.iter().map(|n| self.ids[*n]).collect();
            calls.push(ask(super::named(self.queue, *place)?, ids));
        }
        let answers = try_join_all(calls).await?;
        for (sought, answers) in round.values().zip(answers) {
            for (n, answer) in sought.iter().zip(answers) {
                if answer.is_some() {
                    self.found[*n] = answer;
                }
            }
        }
        Ok(())
    }
}
