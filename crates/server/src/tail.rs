//! The latest events of a channel, for one request that reads them as it can.
//!
//! Bounded: who reads too slowly loses what is here and goes on from the log, at its own pace, so that nobody has to be
//! closed. Whoever delivers never waits.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use broker::Envelope;
use tokio::sync::Notify;

/// How many events may wait.
const EVENTS: usize = 256;
/// How many bytes of events may wait; a single longer one is taken when nothing else waits.
const BYTES: usize = 256 * 1024;

/// An event, and its place in the channel's log.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) epoch: Box<str>,
    pub(crate) offset: u64,
    /// The event's JSON.
    pub(crate) event: Box<str>,
}

/// What came for one request and was not read.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    state: Mutex<State>,
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Arc<Item>>,
    bytes: usize,
    lost: bool,
}

/// Gives events to tails; they share them.
pub(crate) fn tell(tails: &HashMap<u64, Arc<Tail>>, events: &[Envelope<'_>]) {
    if tails.is_empty() {
        return;
    }
    let items: Vec<_> = events.iter().map(Item::of).collect();
    for tail in tails.values() {
        tail.push(&items);
    }
}

impl Item {
    fn of(event: &Envelope<'_>) -> Arc<Self> {
        Arc::new(Self {
            epoch: event.epoch.into(),
            offset: event.offset,
            event: event.event.get().into(),
        })
    }
}

impl Tail {
    fn push(&self, items: &[Arc<Item>]) {
        let mut state = self.lock();
        for item in items {
            // What follows something lost has to be read from the log as well.
            if state.lost {
                break;
            }
            let bytes = state.bytes + item.event.len();
            if state.items.len() >= EVENTS || (bytes > BYTES && !state.items.is_empty()) {
                state.lose();
            } else {
                state.bytes = bytes;
                state.items.push_back(Arc::clone(item));
            }
        }
        drop(state);
        self.came.notify_one();
    }

    /// The log goes on from elsewhere, or under another name.
    pub(crate) fn lose(&self) {
        self.lock().lose();
        self.came.notify_one();
    }

    /// Waits for events. None: there were some that the log alone has now. Only one task may wait.
    pub(crate) async fn next(&self) -> Option<VecDeque<Arc<Item>>> {
        loop {
            {
                let mut state = self.lock();
                if std::mem::take(&mut state.lost) {
                    return None;
                }
                if !state.items.is_empty() {
                    state.bytes = 0;
                    return Some(std::mem::take(&mut state.items));
                }
            }
            self.came.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self) {
        self.items = VecDeque::new();
        self.bytes = 0;
        self.lost = true;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use broker::Envelope;
    use futures_util::FutureExt as _;
    use serde_json::value::RawValue;

    use super::{BYTES, EVENTS, Tail, tell};

    fn push(tail: &Arc<Tail>, offset: u64, length: usize) {
        let json = format!("\"{}\"", "x".repeat(length));
        let event = RawValue::from_string(json).unwrap();
        let envelope = Envelope {
            epoch: "a",
            offset,
            event: &event,
        };
        tell(&HashMap::from([(1, Arc::clone(tail))]), &[envelope]);
    }

    #[tokio::test]
    async fn events_come_in_order_and_once() {
        let tail = Arc::<Tail>::default();
        assert!(tail.next().now_or_never().is_none());
        push(&tail, 1, 1);
        push(&tail, 2, BYTES / 2);
        let items = tail.next().await.unwrap();
        let offsets: Vec<_> = items.iter().map(|item| item.offset).collect();
        assert_eq!(offsets, [1, 2]);
        assert!(tail.next().now_or_never().is_none());
        // One alone may be longer.
        push(&tail, 3, BYTES * 2);
        assert_eq!(tail.next().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_too_much_is_lost_as_a_whole() {
        let tail = Arc::<Tail>::default();
        for offset in 0..=EVENTS as u64 {
            push(&tail, offset, 1);
        }
        push(&tail, 999, 1);
        assert!(tail.next().await.is_none());
        assert!(tail.next().now_or_never().is_none());
        push(&tail, 1, BYTES);
        push(&tail, 2, 1);
        assert!(tail.next().await.is_none());
        push(&tail, 3, 1);
        assert_eq!(tail.next().await.unwrap()[0].offset, 3);
        tail.lose();
        assert!(tail.next().await.is_none());
    }
}
