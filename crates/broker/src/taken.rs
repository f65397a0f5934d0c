//! A parcel that this worker has taken: while nothing happens to one of its jobs alone, all complete with one entry.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// One for all the jobs of a parcel.
#[derive(Debug)]
pub(crate) struct Taken {
    /// As it stands in Redis, and as scripts know it: see `lua/parcels.lua`.
    pub(crate) name: String,
    /// How many jobs it has.
    pub(crate) size: usize,
    /// Whether its jobs go each by itself from now on.
    is_broken: AtomicBool,
    /// Whether Redis has each by itself.
    is_unfolded: AtomicBool,
}

/// A job's place in its parcel.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) parcel: Arc<Taken>,
    pub(crate) index: usize,
}

impl Taken {
    pub(crate) const fn new(name: String, size: usize) -> Self {
        Self {
            name,
            size,
            is_broken: AtomicBool::new(false),
            is_unfolded: AtomicBool::new(false),
        }
    }

    /// Its jobs go each by itself from now on.
    pub(crate) fn break_up(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// Redis has each of its jobs by itself: a round has written about one.
    pub(crate) fn unfolded(&self) {
        self.is_unfolded.store(true, Ordering::Relaxed);
    }

    /// Whether the next round that writes about one of its jobs has to take it apart, which costs that round its short way.
    pub(crate) fn has_to_unfold(&self) -> bool {
        self.is_broken() && !self.is_unfolded.load(Ordering::Relaxed)
    }

    /// What the jobs are stored with before their heads, in the order of the parcel: the front that each would have by itself.
    pub(crate) fn fronts(&self) -> Option<impl Iterator<Item = String> + use<>> {
        let mut words = self.name.split(' ').skip(2);
        let mut word = || words.next();
        let (created, born) = (word()?, word()?);
        let (_kind, _line, _size) = (word()?, word()?, word()?);
        let (worker, started, place) = (word()?, word()?, word()?);
        let first: u64 = place.parse().ok()?;
        let before = format!("active 1 0 worker={worker} started={started} place=");
        let since = format!(";{created} {born} ");
        Some((first..).map(move |place| format!("{before}{place}{since}")))
    }
}
