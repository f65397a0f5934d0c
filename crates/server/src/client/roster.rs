//! Which sessions are open on this server, by user, and what is asked of them from outside.
//!
//! A session deals with an order in its own task, between two commands of its client; who gives one never waits.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Outbox;

/// How many orders may wait for a session; more are dropped.
const ORDERS: usize = 64;

/// What a backend asks of sessions, on every server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The user whose sessions are meant.
    pub(crate) user: String,
    /// Only this one of them, if it is not empty.
    #[serde(default)]
    pub(crate) client: String,
    /// Not these.
    #[serde(default)]
    pub(crate) whitelist: Vec<String>,
    pub(crate) what: What,
}

/// What is asked of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// To be subscribed to a channel.
    Subscribe {
        channel: String,
        info: Option<Box<RawValue>>,
        data: Option<Box<RawValue>>,
        /// From where what came since is delivered.
        since: Option<(u64, String)>,
    },
    /// To be subscribed to a channel no more.
    Unsubscribe { channel: String },
    /// To end.
    Disconnect { code: u16, reason: String },
    /// To end now or then, unless the client presents another token.
    Refresh {
        expired: bool,
        expire_at: Option<u64>,
    },
}

/// The open sessions.
#[derive(Default)]
pub(crate) struct Roster(Mutex<HashMap<String, Vec<Entry>>>);

struct Entry {
    number: u64,
    client: String,
    mailbox: Arc<Mailbox>,
}

/// What waits for a session.
pub(crate) struct Mailbox {
    outbox: Arc<Outbox>,
    orders: Mutex<VecDeque<What>>,
}

/// A session's place in the roster, until it is dropped.
pub(crate) struct Listed {
    roster: Arc<Roster>,
    user: String,
    number: u64,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Roster {
    /// Adds a session.
    pub(crate) fn enter(
        self: &Arc<Self>,
        user: &str,
        client: &str,
        number: u64,
        outbox: &Arc<Outbox>,
    ) -> Listed {
        let mailbox = Arc::new(Mailbox {
            outbox: Arc::clone(outbox),
            orders: Mutex::default(),
        });
        let entry = Entry {
            number,
            client: client.to_owned(),
            mailbox: Arc::clone(&mailbox),
        };
        self.lock().entry(user.to_owned()).or_default().push(entry);
        Listed {
            roster: Arc::clone(self),
            user: user.to_owned(),
            number,
            mailbox,
        }
    }

    /// Hands an order to the sessions here that it is for.
    pub(crate) fn give(&self, order: &Order) {
        let roster = self.lock();
        let all = roster.get(&order.user).into_iter().flatten();
        let meant = all.filter(|entry| {
            (order.client.is_empty() || order.client == entry.client)
                && !order.whitelist.contains(&entry.client)
        });
        for entry in meant {
            entry.mailbox.put(order.what.clone());
        }
    }

    /// How many sessions and how many different users there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let roster = self.lock();
        (roster.values().map(Vec::len).sum(), roster.len())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    fn put(&self, what: What) {
        let mut orders = self.lock();
        if orders.len() >= ORDERS {
            tracing::warn!("a session has too many orders; one is dropped");
            return;
        }
        orders.push_back(what);
        drop(orders);
        self.outbox.poke();
    }

    /// The next order, if there is one.
    pub(crate) fn take(&self) -> Option<What> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<What>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut roster = self.roster.lock();
        if let Some(entries) = roster.get_mut(&self.user) {
            entries.retain(|entry| entry.number != self.number);
            if entries.is_empty() {
                roster.remove(&self.user);
            }
        }
        if roster.capacity() > 1024 && roster.len() * 8 < roster.capacity() {
            roster.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ORDERS, Order, Roster, What};
    use crate::{Limits, Outbox};

    fn outbox() -> Arc<Outbox> {
        let limits = Limits {
            frames: 4,
            bytes: 1000,
        };
        Arc::new(Outbox::new(limits))
    }

    fn order(user: &str, client: &str, whitelist: &[&str]) -> Order {
        Order {
            user: user.to_owned(),
            client: client.to_owned(),
            whitelist: whitelist.iter().map(|&text| text.to_owned()).collect(),
            what: What::Unsubscribe {
                channel: "a".to_owned(),
            },
        }
    }

    #[test]
    fn an_order_reaches_the_sessions_that_it_is_for() {
        let roster = Arc::<Roster>::default();
        let enter =
            |user: &str, client: &str, number| roster.enter(user, client, number, &outbox());
        let (first, second, other) = (enter("7", "a", 1), enter("7", "b", 2), enter("8", "c", 3));
        let got = |order: &Order| {
            roster.give(order);
            [&first, &second, &other].map(|listed| listed.mailbox.take().is_some())
        };
        assert_eq!(got(&order("7", "", &[])), [true, true, false]);
        assert_eq!(got(&order("7", "b", &[])), [false, true, false]);
        assert_eq!(got(&order("7", "", &["b"])), [true, false, false]);
        assert_eq!(got(&order("9", "", &[])), [false; 3]);
        assert_eq!(roster.counts(), (3, 2));
        drop((first, second, other));
        assert_eq!(roster.counts(), (0, 0));
    }

    #[test]
    fn orders_are_bounded() {
        let roster = Arc::<Roster>::default();
        let listed = roster.enter("7", "a", 1, &outbox());
        for _ in 0..ORDERS + 5 {
            roster.give(&order("7", "", &[]));
        }
        let taken = std::iter::from_fn(|| listed.mailbox.take()).count();
        assert_eq!(taken, ORDERS);
    }
}
