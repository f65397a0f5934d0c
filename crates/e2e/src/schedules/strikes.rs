//! Strikes managers at random: kills them and starts others, or stops them for longer than a lease.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until};

use crate::{System, faults::dice::Dice};

/// Longer than a lease on a schedule.
const LONG: Duration = Duration::from_secs(12);

/// A manager that stands still, by its place, and when it goes on.
struct Stopped {
    place: usize,
    until: Instant,
}

pub(super) struct Strikes {
    dice: Dice,
    calm: u64,
    stopped: Option<Stopped>,
    pub(super) kills: u32,
    pub(super) stops: u32,
}

impl Strikes {
    pub(super) fn new(dice: Dice, calm: Duration) -> Self {
        Self {
            dice,
            calm: u64::try_from(calm.as_millis()).unwrap_or(u64::MAX).max(1),
            stopped: None,
            kills: 0,
            stops: 0,
        }
    }

    /// Strikes until a time; then all managers run.
    pub(super) async fn run(&mut self, system: &mut System, end: Instant) {
        loop {
            let pause = Duration::from_millis(self.dice.between(1, self.calm));
            let next = Instant::now() + pause;
            sleep_until(next.min(end)).await;
            let over = next >= end;
            self.go_on(system, over);
            if over {
                return;
            }
            let place = self.dice.index(system.managers.len());
            let is_stopped = self
                .stopped
                .as_ref()
                .is_some_and(|stopped| stopped.place == place);
            if is_stopped {
                continue;
            }
            if self.stopped.is_none() && self.dice.chance(15) {
                system.managers[place].signal(Signal::SIGSTOP);
                self.stops += 1;
                self.stopped = Some(Stopped {
                    place,
                    until: Instant::now() + LONG,
                });
                continue;
            }
            system.managers[place].kill();
            self.kills += 1;
            // The new one takes the dead one's place.
            system.add_manager();
            system.managers.swap_remove(place);
        }
    }

    fn go_on(&mut self, system: &System, over: bool) {
        let due = |stopped: &mut Stopped| over || stopped.until <= Instant::now();
        if let Some(stopped) = self.stopped.take_if(due) {
            system.managers[stopped.place].signal(Signal::SIGCONT);
        }
    }
}
