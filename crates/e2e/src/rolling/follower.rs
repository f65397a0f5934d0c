//! A client that follows one channel, and comes back to another server when its own goes.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::balancer::Balancer;
use crate::Session;

/// How long a client rests that was refused.
const REST: Duration = Duration::from_millis(50);

/// One client.
pub(super) struct Follower {
    pub(super) channel: String,
    pub(super) balancer: Balancer,
    pub(super) seen: Arc<Seen>,
}

/// What a client saw.
#[derive(Default)]
pub(super) struct Seen(Mutex<Notes>);

#[derive(Default)]
pub(super) struct Notes {
    /// Where it began.
    pub(super) from: Option<(String, u64)>,
    /// The offset of each event that it got, in that order, and what the event was.
    pub(super) got: Vec<(u64, u64)>,
    /// Which servers it lost, how long after that it followed again, and when.
    pub(super) back: Vec<Back>,
    /// How often it was told that it missed something.
    pub(super) unrecovered: u32,
    follows: bool,
}

/// A client that is back.
pub(super) struct Back {
    pub(super) lost: u16,
    pub(super) at: Instant,
    pub(super) after: Duration,
}

impl Seen {
    /// Whether it follows its channel now.
    pub(super) fn follows(&self) -> bool {
        self.lock().follows
    }

    /// The offset up to which it has everything.
    pub(super) fn last(&self) -> u64 {
        let notes = self.lock();
        let from = notes.from.as_ref().map_or(0, |(_, offset)| *offset);
        notes.got.last().map_or(from, |(offset, _)| *offset)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, publication: &Value) {
        if let Some(offset) = publication["offset"].as_u64() {
            let what = digest(&publication["data"]);
            self.lock().got.push((offset, what));
        }
    }
}

/// What an event is, in short.
pub(super) fn digest(event: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.to_string().hash(&mut hasher);
    hasher.finish()
}

impl Follower {
    /// Follows until it is dropped.
    pub(super) async fn run(self) {
        let mut lost = None;
        loop {
            let Some(port) = self.balancer.pick() else {
                tokio::time::sleep(REST).await;
                continue;
            };
            if self.follow(port, &mut lost).await {
                self.seen.lock().follows = false;
                lost = Some((port, Instant::now()));
            } else {
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// One session, to its end. Says whether it ever followed.
    async fn follow(&self, port: u16, lost: &mut Option<(u16, Instant)>) -> bool {
        let Some(mut session) = Session::connect(port).await else {
            return false;
        };
        let Some(answer) = session.ask("subscribe", self.wish()).await else {
            return false;
        };
        if !answer["error"].is_null() {
            return false;
        }
        self.began(&answer, lost.take());
        while let Some(push) = session.push().await {
            self.seen.take(&push["pub"]);
            if push.get("unsubscribe").is_some() || push.get("disconnect").is_some() {
                break;
            }
        }
        true
    }

    fn wish(&self) -> Value {
        let offset = self.seen.last();
        match &self.seen.lock().from {
            None => json!({ "channel": self.channel, "positioned": true, "recoverable": true }),
            Some((epoch, _)) => {
                json!({ "channel": self.channel, "recover": true, "epoch": epoch, "offset": offset })
            }
        }
    }

    fn began(&self, answer: &Value, lost: Option<(u16, Instant)>) {
        let mut notes = self.seen.lock();
        if notes.from.is_none() {
            let epoch = answer["epoch"].as_str().unwrap_or_default().to_owned();
            notes.from = Some((epoch, answer["offset"].as_u64().unwrap_or(0)));
        } else if answer["recovered"] != true {
            notes.unrecovered += 1;
        }
        notes.follows = true;
        if let Some((port, since)) = lost {
            notes.back.push(Back {
                lost: port,
                at: Instant::now(),
                after: since.elapsed(),
            });
        }
        drop(notes);
        for publication in answer["publications"].as_array().into_iter().flatten() {
            self.seen.take(publication);
        }
    }
}
