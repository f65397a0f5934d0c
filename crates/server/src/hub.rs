//! Who is connected, whatever they speak: for asking all of them to leave.
//!
//! Delivers nothing: that is [`crate::channels`]'.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Limits, Outbox, Signal};

/// All connections of this server.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    members: Mutex<Members>,
}

#[derive(Debug)]
struct Members {
    next: u64,
    outboxes: HashMap<u64, Arc<Outbox>>,
    /// What was asked of everyone, and is asked of those who come later.
    signal: Signal,
}

/// A connection's place in the hub, until it is dropped.
#[derive(Debug)]
pub struct Membership {
    hub: Arc<Hub>,
    id: u64,
    outbox: Arc<Outbox>,
}

impl Hub {
    /// A hub whose members' outboxes have these bounds.
    pub fn new(limits: Limits) -> Self {
        let members = Mutex::new(Members {
            next: 0,
            outboxes: HashMap::new(),
            signal: Signal::None,
        });
        Self { limits, members }
    }

    /// Adds a connection.
    pub fn join(self: &Arc<Self>) -> Membership {
        let outbox = Arc::new(Outbox::new(self.limits));
        let mut members = self.lock();
        let id = members.next;
        members.next += 1;
        members.outboxes.insert(id, Arc::clone(&outbox));
        outbox.ask(members.signal);
        Membership {
            hub: Arc::clone(self),
            id,
            outbox,
        }
    }

    /// Everyone who is connected now.
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.lock().outboxes.values().cloned().collect()
    }

    /// Asks something of everyone, those who come later included.
    pub fn ask_all(&self, signal: Signal) {
        let mut members = self.lock();
        members.signal = members.signal.max(signal);
        for outbox in members.outboxes.values() {
            outbox.ask(signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// A number that no other connection of this process has.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What waits to be written to this connection.
    pub const fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut members = self.hub.lock();
        members.outboxes.remove(&self.id);
        // After a peak the table would stay as large as the peak.
        if members.outboxes.capacity() > 1024
            && members.outboxes.len() * 8 < members.outboxes.capacity()
        {
            members.outboxes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::Hub;
    use crate::{Limits, Signal};

    fn hub() -> Arc<Hub> {
        let limits = Limits {
            frames: 2,
            bytes: 1000,
        };
        Arc::new(Hub::new(limits))
    }

    #[test]
    fn who_left_is_not_there() {
        let hub = hub();
        let member = hub.join();
        assert_ne!(member.id(), hub.join().id());
        drop(member);
        assert!(hub.outboxes().is_empty());
    }

    #[test]
    fn who_comes_late_is_asked_too() {
        let hub = hub();
        let early = hub.join();
        hub.ask_all(Signal::Leave);
        let late = hub.join();
        for member in [early, late] {
            let asked = member.outbox().asked(Signal::Leave).now_or_never();
            assert!(asked.is_some());
        }
    }
}
