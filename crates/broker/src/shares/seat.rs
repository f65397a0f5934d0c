//! What one partition has of a worker's capacity.

use std::sync::Arc;

use tokio::sync::Notify;

pub(super) struct Seat {
    /// Attempts that are held, but for those whose end is under way.
    pub(super) held: usize,
    /// How many more may be taken by what is under way.
    pub(super) wanted: usize,
    /// How many ends are under way in whose place the same round takes nothing.
    pub(super) leaving: usize,
    /// When it asked for room, if it got none since.
    pub(super) hungry: Option<u64>,
    /// Whether it found no room when it looked last.
    pub(super) full: bool,
    /// Whether Redis does not answer it.
    pub(super) silent: bool,
    pub(super) freed: Arc<Notify>,
}

impl Seat {
    pub(super) const fn new(freed: Arc<Notify>) -> Self {
        Self {
            held: 0,
            wanted: 0,
            leaving: 0,
            hungry: None,
            full: false,
            silent: false,
            freed,
        }
    }

    /// What it has: what it ends it may take again at once.
    pub(super) const fn own(&self) -> usize {
        self.held + self.wanted
    }

    /// What it has, as the others see it: what it ends is free for them once that is written.
    pub(super) const fn seen(&self) -> usize {
        let wanted = if self.silent { 0 } else { self.wanted };
        self.held + wanted + self.leaving
    }

    /// How much of an equal share the others leave to it.
    pub(super) const fn owed(&self, share: usize) -> usize {
        if self.silent || self.hungry.is_none() {
            return 0;
        }
        share.saturating_sub(self.own())
    }

    pub(super) const fn waits(&self) -> bool {
        self.full || self.hungry.is_some()
    }

    pub(super) const fn depart(&mut self, ending: usize, want: usize) {
        self.held = self.held.saturating_sub(ending);
        self.wanted += want;
        self.leaving += ending.saturating_sub(want);
        if want > 0 {
            self.hungry = None;
        }
    }

    pub(super) const fn land(&mut self, ending: usize, want: usize, found: usize) {
        self.held += found;
        self.wanted = self.wanted.saturating_sub(want);
        self.leaving = self.leaving.saturating_sub(ending.saturating_sub(want));
    }
}
