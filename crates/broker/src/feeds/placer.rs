//! Finds where feeds are, and looks again where that may change. One that can't be found now is no concern of others.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use protocol::QueueName;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Listener, Wanted, Wish, placed::Names};
use crate::{Backoff, Feed, Redis, partitions::Place};

/// How often those are looked for again that are not where they would be created, or were nowhere.
const AGAIN: Duration = Duration::from_secs(10);

/// Finds where feeds are.
pub(super) struct Placer<L> {
    redis: Redis,
    names: Names<L>,
    queues: HashMap<QueueName, Sought>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
}

/// What is looked for in one queue.
#[derive(Default)]
struct Sought {
    /// What is looked for next.
    next: Vec<Feed>,
    /// What was not found: why is not known.
    failed: Vec<Feed>,
    backoff: Backoff,
    /// Whether those are looked for again after a pause.
    pauses: bool,
}

/// What has come to an end.
enum Done {
    /// A search, with what was found.
    Search(QueueName, Vec<Feed>, Vec<Option<Place>>),
    /// A pause.
    Pause(QueueName),
}

impl<L: Listener> Placer<L> {
    pub(super) fn new(redis: Redis, names: Names<L>) -> Self {
        Self {
            redis,
            names,
            queues: HashMap::new(),
            running: FuturesUnordered::new(),
        }
    }

    /// Places what is wanted until `stop`.
    pub(super) async fn run(mut self, wanted: Arc<Wanted>, stop: CancellationToken) {
        let mut changes = self.redis.partitions().changes();
        let mut again = tokio::time::interval(AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        again.reset();
        // What changed before this was subscribed to.
        self.look_again(false);
        loop {
            tokio::select! {
                () = wanted.changed.notified() => self.take(wanted.take()),
                Some(done) = self.running.next(), if !self.running.is_empty() => self.done(done),
                Ok(()) = changes.changed() => self.look_again(false),
                _ = again.tick() => self.look_again(true),
                () = stop.cancelled() => return,
            }
        }
    }

    /// Takes over what is wanted by now.
    pub(super) fn take(&mut self, changes: HashMap<Feed, Wish>) {
        for (feed, wish) in changes {
            if wish == Wish::Leave {
                self.names.lock().leave(&feed);
                continue;
            }
            let is_new = self.names.lock().enter(&feed);
            if is_new {
                self.place(feed);
            }
        }
        self.search();
    }

    /// Looks again for those whose queue was split otherwise; with `unsettled`, for those that may move of themselves.
    fn look_again(&mut self, unsettled: bool) {
        let partitions = self.redis.partitions();
        let is_old = |feed: &Feed, place: &Place| {
            let known = feed.queue().and_then(|queue| partitions.known(&queue));
            known.is_some_and(|known| known.generation() > place.generation)
        };
        let doubtful = self.names.lock().doubtful(|feed, place| {
            if unsettled {
                !place.stays
            } else {
                is_old(feed, place)
            }
        });
        for feed in doubtful {
            self.place(feed);
        }
        self.search();
    }

    /// Says where a feed is, or has it looked for.
    fn place(&mut self, feed: Feed) {
        if let Some(place) = self.redis.place_at_once(&feed) {
            self.names.lock().settle(&feed, &place);
        } else if let Some(queue) = feed.queue()
            && self.names.lock().seek(&feed)
        {
            self.queues.entry(queue).or_default().next.push(feed);
        }
    }

    /// Begins to look for what is to be looked for.
    fn search(&mut self) {
        for (queue, sought) in &mut self.queues {
            if sought.next.is_empty() {
                continue;
            }
            let feeds = std::mem::take(&mut sought.next);
            let (redis, queue) = (self.redis.clone(), queue.clone());
            let is_first = sought.backoff.tries() == 0;
            let search = async move {
                let (places, failure) = redis.find(&queue, &feeds).await;
                match failure {
                    Some(error) if is_first => warn!(%queue, %error, "can't see where topics are"),
                    Some(error) => debug!(%queue, %error, "can't see where topics are"),
                    None => {}
                }
                Done::Search(queue, feeds, places)
            };
            self.running.push(search.boxed());
        }
    }

    fn done(&mut self, done: Done) {
        let (queue, feeds, places) = match done {
            Done::Search(queue, feeds, places) => (queue, feeds, places),
            Done::Pause(queue) => {
                if let Some(sought) = self.queues.get_mut(&queue) {
                    sought.pauses = false;
                    let feeds = std::mem::take(&mut sought.failed);
                    self.retry(feeds);
                }
                return;
            }
        };
        let newest = self.redis.partitions().known(&queue);
        let newest = newest.map_or(0, |placement| placement.generation());
        let mut failed = Vec::new();
        let mut outdated = Vec::new();
        for (feed, place) in feeds.into_iter().zip(places) {
            let mut names = self.names.lock();
            match place {
                Some(place) if place.generation >= newest => names.settle(&feed, &place),
                found if names.lose(&feed) => match found {
                    Some(_) => outdated.push(feed),
                    None => failed.push(feed),
                },
                _ => {}
            }
        }
        self.retry(outdated);
        let sought = self.queues.entry(queue.clone()).or_default();
        if failed.is_empty() {
            sought.backoff.reset();
        }
        sought.failed.extend(failed);
        if sought.failed.is_empty() {
            // What is looked for elsewhere at the same time comes back by itself.
            if sought.next.is_empty() && !sought.pauses {
                self.queues.remove(&queue);
            }
        } else if !sought.pauses {
            sought.pauses = true;
            let pause = tokio::time::sleep(sought.backoff.pause());
            self.running
                .push(pause.map(move |()| Done::Pause(queue)).boxed());
        }
    }

    /// Looks for some once more, unless they are not wanted any more.
    fn retry(&mut self, feeds: Vec<Feed>) {
        for feed in feeds {
            self.place(feed);
        }
        self.search();
    }
}
