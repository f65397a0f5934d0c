//! Begins the log of a topic before anything was said on it, in the place where the queue would begin it.

use std::{slice::from_ref, time::Duration};

use crate::{Error, Feed, Position, Redis, script};

/// How often a topic may turn out to be elsewhere.
const TRIES: usize = 5;

impl Redis {
    /// Has a topic's log begin, which lives for so long unless something is written to it, and says where it is.
    pub(crate) async fn open_topic(&self, feed: &Feed, lives: Duration) -> Result<Position, Error> {
        let gone = || Error::Stored(format!("{} is no topic", feed.name()));
        let queue = feed.queue().ok_or_else(gone)?;
        for _ in 0..TRIES {
            let placement = self.placement(&queue).await?;
            let (places, failure) = self.find(&queue, from_ref(feed)).await;
            let Some(place) = places.into_iter().next().flatten() else {
                return Err(failure.unwrap_or_else(gone));
            };
            if place.generation == placement.generation() {
                let newest = placement.places(feed.name())[0];
                let only_there = place.feed != feed.at(self.prefix(), &queue, newest)?;
                let lives = u64::try_from(lives.as_millis()).unwrap_or(u64::MAX);
                let mut call = script::open(place.feed.base(), lives);
                call.arg(placement.generation())
                    .arg(u8::from(only_there))
                    .arg(feed.name());
                let (is_open, epoch, offset): (bool, String, u64) = self.script(&call).await?;
                if is_open {
                    return Ok(Position { epoch, offset });
                }
            }
            self.newest_placement(&queue).await?;
        }
        let why = format!("where {} is changes all the time", feed.name());
        Err(Error::Stored(why))
    }
}
