//! Shares, moved by hand and at random.

use std::sync::Arc;

use futures_util::FutureExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{Share, Shares};

fn shared(capacity: usize, members: usize) -> (Arc<Shares>, Vec<Share>) {
    let shares = Shares::new(capacity);
    let members = (0..members).map(|_| shares.join()).collect();
    (shares, members)
}

/// Whether it was told since.
fn is_told(share: &Share) -> bool {
    share.freed().now_or_never().is_some()
}

/// Takes all that it may, as from a backlog without end.
fn fill(share: &Share) {
    loop {
        let want = share.depart(0, 128);
        share.land(0, want, want);
        if want == 0 {
            return;
        }
    }
}

#[test]
fn who_is_alone_has_all_and_is_told_nothing() {
    let (_, shares) = shared(10, 1);
    let share = &shares[0];
    assert_eq!((share.free(0), share.is_shared()), (10, false));
    assert_eq!(share.depart(0, 4), 4);
    assert_eq!(share.free(0), 6);
    share.land(0, 4, 3);
    assert_eq!((share.free(0), share.free(2), share.held()), (7, 9, 3));
    // What a round ends without taking it again another may take at once.
    assert_eq!(share.depart(2, 0), 0);
    assert_eq!(share.free(0), 9);
    share.land(2, 0, 0);
    fill(share);
    assert_eq!((share.free(0), share.held()), (0, 10));
    share.ask();
    assert_eq!(share.depart(3, 128), 3);
    share.land(3, 3, 0);
    assert!(!is_told(share));
}

#[test]
fn who_has_something_to_take_has_what_the_others_leave() {
    let (_, shares) = shared(16, 4);
    // Not all at once, so that the others may look meanwhile.
    assert_eq!(shares[0].depart(0, 128), 4);
    assert_eq!(shares[1].depart(0, 128), 4);
    shares[0].land(0, 4, 4);
    shares[1].land(0, 4, 0);
    fill(&shares[0]);
    assert_eq!(shares[0].held(), 16);
    assert!(shares[1..].iter().all(|share| share.free(0) == 0));
    // What it ends it may take again at once; nobody else before that is written.
    assert_eq!((shares[0].free(10), shares[1].free(0)), (10, 0));
    assert_eq!(shares[0].depart(10, 0), 0);
    assert_eq!(shares[1].free(0), 0);
    shares[0].land(10, 0, 0);
    assert!(is_told(&shares[1]));
    assert_eq!(shares[1].free(0), 4);
}

#[test]
fn who_is_starved_gets_its_share() {
    let (_, shares) = shared(16, 2);
    fill(&shares[0]);
    assert_eq!(shares[1].depart(0, 128), 0);
    shares[1].ask();
    for _ in 0..4 {
        assert_eq!(shares[0].depart(2, 128), 0);
        shares[0].land(2, 0, 0);
        assert!(is_told(&shares[1]));
        assert_eq!(shares[1].depart(0, 128), 2);
        assert!(!shares[1].is_hungry());
        shares[1].land(0, 2, 2);
        shares[1].ask();
        shares[0].ask();
    }
    // From here on each keeps its own.
    assert_eq!((shares[0].held(), shares[1].held()), (8, 8));
    assert_eq!(shares[0].depart(2, 128), 2);
    shares[0].land(2, 2, 2);
    assert_eq!(shares[1].depart(1, 128), 1);
    shares[1].land(1, 1, 0);
    assert!(is_told(&shares[0]));
    assert_eq!(shares[0].depart(0, 128), 1);
}

#[test]
fn three_that_share_one_take_turns() {
    let (_, shares) = shared(1, 3);
    let mut turns = Vec::new();
    assert_eq!(shares[0].depart(0, 128), 1);
    shares[0].land(0, 1, 1);
    shares[1].ask();
    shares[2].ask();
    let mut holder = 0;
    for _ in 0..6 {
        assert_eq!(shares[holder].depart(1, 128), 0);
        shares[holder].ask();
        assert!(shares.iter().all(|share| share.free(0) == 0));
        shares[holder].land(1, 0, 0);
        let told: Vec<_> = (0..3).filter(|n| is_told(&shares[*n])).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        holder = told[0];
        assert_eq!(shares[holder].depart(0, 128), 1);
        shares[holder].land(0, 1, 1);
        turns.push(holder);
    }
    assert_eq!(turns, [1, 2, 0, 1, 2, 0]);
}

#[test]
fn who_finds_nothing_or_leaves_makes_way_for_the_next() {
    let (_, mut shares) = shared(1, 3);
    assert_eq!(shares[0].depart(0, 128), 1);
    shares[1].ask();
    shares[2].ask();
    shares[0].land(0, 1, 0);
    assert!(is_told(&shares[1]) && !is_told(&shares[2]));
    assert_eq!(shares[0].free(0), 0);
    assert_eq!(shares[1].depart(0, 128), 1);
    shares[1].land(0, 1, 0);
    assert!(is_told(&shares[2]));
    shares[2].rest();
    assert!(!shares[2].is_hungry());
    assert_eq!(shares[0].depart(0, 128), 1);
    shares[0].land(0, 1, 1);
    shares[1].ask();
    drop(shares.remove(0));
    assert!(is_told(&shares[0]));
}

#[test]
fn who_asks_when_there_is_room_is_told_at_once() {
    let (_, shares) = shared(2, 2);
    shares[0].ask();
    assert!(is_told(&shares[0]));
}

#[test]
fn who_hears_nothing_of_redis_keeps_nothing_from_the_others() {
    let (_, shares) = shared(2, 2);
    assert_eq!(shares[0].depart(0, 128), 1);
    fill(&shares[1]);
    assert_eq!(shares[1].held(), 1);
    shares[1].ask();
    shares[0].hears(false);
    assert!(is_told(&shares[1]));
    assert_eq!(shares[1].depart(0, 128), 1);
    shares[1].land(0, 1, 1);
    // It comes back with something, and the other takes no more before there is room.
    shares[0].land(0, 1, 1);
    shares[0].hears(true);
    assert_eq!((shares[0].held(), shares[1].held()), (1, 2));
    assert_eq!(shares[1].depart(1, 128), 0);
}

/// A partition with a backlog, as its driver moves it.
struct Mover {
    share: Share,
    backlog: usize,
    running: usize,
    /// What ended and is not yet in a round, and what is under way: how many it ends, and takes.
    ended: usize,
    flights: Vec<(usize, usize)>,
    looks: bool,
}

impl Mover {
    fn active(&self) -> usize {
        self.running + self.ended + self.flights.iter().map(|flight| flight.0).sum::<usize>()
    }

    /// Sends a round, if it is worth it.
    fn fly(&mut self, rounds: usize) -> bool {
        if self.flights.len() >= rounds {
            return false;
        }
        let free = self.share.free(self.ended);
        self.looks |= free > 0 && self.share.is_hungry();
        if self.looks && free == 0 {
            self.share.ask();
            self.looks = false;
        }
        if self.ended == 0 && !self.looks {
            return false;
        }
        let want = self.share.depart(self.ended, 128);
        if want == 0 {
            self.share.ask();
        }
        self.flights.push((self.ended, want));
        (self.ended, self.looks) = (0, false);
        true
    }

    fn land(&mut self, which: usize) {
        let (ending, want) = self.flights.remove(which);
        let found = want.min(self.backlog);
        self.backlog -= found;
        self.running += found;
        self.share.land(ending, want, found);
        self.looks |= want > 0 && found == want;
    }

    fn end(&mut self, many: usize) {
        self.running -= many;
        self.ended += many;
    }
}

#[test]
fn nothing_is_over_capacity_and_nobody_is_forgotten() {
    for seed in 0..400 {
        let mut rng = StdRng::seed_from_u64(seed);
        let capacity = rng.random_range(1..=9);
        let (shares, members) = shared(capacity, rng.random_range(2..=6));
        let mut movers: Vec<_> = members
            .into_iter()
            .map(|share| Mover {
                share,
                backlog: rng.random_range(0..60),
                running: 0,
                ended: 0,
                flights: Vec::new(),
                looks: true,
            })
            .collect();
        let check = |movers: &[Mover]| {
            let active: usize = movers.iter().map(Mover::active).sum();
            let seen: usize = shares.lock().seats.values().map(super::Seat::seen).sum();
            assert!(active <= capacity, "seed {seed}: {active} of {capacity}");
            assert!(seen <= capacity, "seed {seed}: {seen} of {capacity}");
        };
        for _ in 0..300 {
            let n = rng.random_range(0..movers.len());
            let mover = &mut movers[n];
            match rng.random_range(0..4) {
                0 => drop(mover.fly(2)),
                1 if !mover.flights.is_empty() => {
                    mover.land(rng.random_range(0..mover.flights.len()));
                }
                2 => mover.end(rng.random_range(0..=mover.running)),
                3 => drop(is_told(&mover.share)),
                _ => {}
            }
            check(&movers);
        }
        // From here on each does all that it can, and moves only if it has a reason or is told.
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for n in 0..movers.len() {
                let mover = &mut movers[n];
                goes_on |= is_told(&mover.share) | mover.fly(1);
                while !mover.flights.is_empty() {
                    mover.land(0);
                    goes_on = true;
                }
                goes_on |= mover.running > 0;
                mover.end(mover.running);
                check(&movers);
            }
        }
        let left: Vec<_> = movers.iter().map(|mover| mover.backlog).collect();
        assert!(left.iter().all(|left| *left == 0), "seed {seed}: {left:?}");
    }
}
