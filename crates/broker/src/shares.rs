//! How the partitions of a worker's queue share its one capacity. Pure: asks nobody, and never waits.
//!
//! What is free goes to who asks for it, and who has nothing to take keeps nothing. Who wanted some and got none is hungry:
//! the others leave it room, up to an equal share, before they take more. So one deep backlog has all of a worker until
//! another partition has something too.

mod seat;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use seat::Seat;

/// The capacity of a worker, and who has how much of it.
pub(crate) struct Shares {
    capacity: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    seats: BTreeMap<u64, Seat>,
    /// Of the last who came, and of the last who asked.
    number: u64,
}

/// What one partition has of it. It leaves when this is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    number: u64,
    /// Told when there may be room where there was none.
    freed: Arc<Notify>,
}

impl Shares {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            table: Mutex::default(),
        })
    }

    /// One more has a share, none of it yet.
    pub(crate) fn join(self: &Arc<Self>) -> Share {
        let freed = Arc::<Notify>::default();
        let mut table = self.lock();
        table.number += 1;
        let number = table.number;
        table.seats.insert(number, Seat::new(Arc::clone(&freed)));
        self.tell(&mut table);
        drop(table);
        Share {
            shares: Arc::clone(self),
            number,
            freed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each may have if all want some.
    fn equal(&self, table: &Table) -> usize {
        (self.capacity / table.seats.len().max(1)).max(1)
    }

    /// How many more one may take in a round that ends so many of its own.
    fn room(&self, table: &Table, number: u64, ending: usize) -> usize {
        let Some(seat) = table.seats.get(&number) else {
            return 0;
        };
        let own = seat.own().saturating_sub(ending);
        if table.seats.len() == 1 {
            return self.capacity.saturating_sub(own);
        }
        let others = || table.seats.iter().filter(|(other, _)| **other != number);
        let taken: usize = others().map(|(_, other)| other.seen()).sum();
        let share = self.equal(table);
        // Who has its share lets all go first who have not; who has less, those that asked before it.
        let since = seat.hungry.filter(|_| own < share).unwrap_or(u64::MAX);
        let owed: usize = others()
            .filter(|(_, other)| other.hungry.is_some_and(|asked| asked < since))
            .map(|(_, other)| other.owed(share))
            .sum();
        // Nobody asks for all at once: what one is about to take nobody else can.
        let most = ending.max(share.saturating_sub(seat.wanted));
        self.capacity
            .saturating_sub(own + seat.leaving + taken + owed)
            .min(most)
    }

    /// Tells those that found no room, if there is some.
    fn tell(&self, table: &mut Table) {
        if table.seats.len() == 1 {
            return;
        }
        let waiting = table.seats.iter().filter(|(_, seat)| seat.waits());
        let waiting: Vec<_> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            if self.room(table, number, 0) > 0
                && let Some(seat) = table.seats.get_mut(&number)
            {
                seat.full = false;
                seat.freed.notify_one();
            }
        }
    }
}

impl Share {
    /// Changes what is known of this one, and tells who may have room by it.
    fn change<T>(&self, change: impl FnOnce(&mut Seat) -> T) -> Option<T> {
        let mut table = self.shares.lock();
        let changed = table.seats.get_mut(&self.number).map(change);
        self.shares.tell(&mut table);
        changed
    }

    fn read<T: Default>(&self, read: impl FnOnce(&Seat) -> T) -> T {
        let table = self.shares.lock();
        table.seats.get(&self.number).map(read).unwrap_or_default()
    }

    /// How many more could be taken now, by a round that ends so many. Who finds none is told when there may be some.
    pub(crate) fn free(&self, ending: usize) -> usize {
        let mut table = self.shares.lock();
        let free = self.shares.room(&table, self.number, ending);
        if let Some(seat) = table.seats.get_mut(&self.number) {
            seat.full = free == 0;
        }
        free
    }

    /// A round goes that ends so many and takes at most so many more: says how many.
    pub(crate) fn depart(&self, ending: usize, most: usize) -> usize {
        let mut table = self.shares.lock();
        let want = self.shares.room(&table, self.number, ending).min(most);
        if let Some(seat) = table.seats.get_mut(&self.number) {
            seat.depart(ending, want);
        }
        self.shares.tell(&mut table);
        want
    }

    /// A round is back that ended so many and was to take so many, and took what it found.
    pub(crate) fn land(&self, ending: usize, want: usize, found: usize) {
        self.change(|seat| seat.land(ending, want, found));
    }

    /// One more is held, which was given without being asked for.
    pub(crate) fn hold(&self) {
        self.change(|seat| seat.held += 1);
    }

    /// There may be something to take, and there is no room: from now on the others leave some.
    pub(crate) fn ask(&self) {
        let mut table = self.shares.lock();
        table.number += 1;
        let number = table.number;
        if let Some(seat) = table.seats.get_mut(&self.number) {
            seat.full = true;
            seat.hungry.get_or_insert(number);
        }
        // What was freed just now it was not told of.
        self.shares.tell(&mut table);
    }

    /// Nothing is wanted any more.
    pub(crate) fn rest(&self) {
        if self.read(Seat::waits) {
            self.change(|seat| (seat.hungry, seat.full) = (None, false));
        }
    }

    /// Whether Redis answers here. Where it does not, what was to be taken keeps nobody else from taking it. If it is taken
    /// after all, the worker has more than it should for a while, which waits until it can run.
    pub(crate) fn hears(&self, answer: bool) {
        self.change(|seat| seat.silent = !answer);
    }

    /// Whether room was asked for and none was taken since.
    pub(crate) fn is_hungry(&self) -> bool {
        self.read(|seat| seat.hungry.is_some())
    }

    /// Whether others share.
    pub(crate) fn is_shared(&self) -> bool {
        self.shares.lock().seats.len() > 1
    }

    /// How many attempts are held, but for those whose end is under way.
    pub(crate) fn held(&self) -> usize {
        self.read(|seat| seat.held)
    }

    /// Waits until there may be room where there was none.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut table = self.shares.lock();
        table.seats.remove(&self.number);
        self.shares.tell(&mut table);
    }
}
