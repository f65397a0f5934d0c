//! Waits for sockets, or for a time to come more exactly than a poll's milliseconds.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Registry, Token};

/// No connection has this number.
const ALARM: Token = Token(usize::MAX);
/// How much earlier the alarm goes off: waking up takes its time. The rest is waited for awake.
const EARLY: Duration = Duration::from_micros(80);
/// How long to wait at most, so that whoever waits can look whether anything moves at all.
const LONGEST: Duration = Duration::from_millis(100);

/// The poll of one thread.
pub(crate) struct Waiter {
    poll: Poll,
    events: Events,
    #[cfg(target_os = "linux")]
    alarm: nix::sys::timerfd::TimerFd,
}

impl Waiter {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        #[cfg(target_os = "linux")]
        let alarm = {
            use std::os::fd::{AsFd as _, AsRawFd as _};

            use mio::{Interest, unix::SourceFd};
            use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let alarm = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            let fd = alarm.as_fd().as_raw_fd();
            let mut source = SourceFd(&fd);
            poll.registry()
                .register(&mut source, ALARM, Interest::READABLE)?;
            alarm
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            #[cfg(target_os = "linux")]
            alarm,
        })
    }

    /// Where connections are registered.
    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits until a socket is ready, the time has come, or a moment is over. Returns what is ready: the connection's
    /// number, and whether there may be something to read.
    pub(crate) fn wait(
        &mut self,
        until: Option<Instant>,
    ) -> anyhow::Result<impl Iterator<Item = (usize, bool)>> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if left <= EARLY => {
                self.poll(Duration::ZERO)?;
                while self.events.is_empty() && until.is_some_and(|until| Instant::now() < until) {
                    std::hint::spin_loop();
                }
            }
            Some(left) if left < LONGEST => {
                self.set_alarm(left.saturating_sub(EARLY))?;
                self.poll(left)?;
            }
            _ => self.poll(LONGEST)?,
        }
        let ready = self
            .events
            .iter()
            .filter(|event| event.token() != ALARM)
            .map(|event| {
                let read = event.is_readable() || event.is_read_closed() || event.is_error();
                (event.token().0, read)
            });
        Ok(ready)
    }

    fn poll(&mut self, longest: Duration) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, Some(longest)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.into()),
            _ => Ok(()),
        }
    }

    #[cfg(target_os = "linux")]
    fn set_alarm(&self, after: Duration) -> anyhow::Result<()> {
        use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};

        // Nothing would switch it off.
        let after = after.max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(after.into());
        Ok(self.alarm.set(expiration, TimerSetTimeFlags::empty())?)
    }

    /// Elsewhere a poll's milliseconds must do.
    #[cfg(not(target_os = "linux"))]
    fn set_alarm(&self, _: Duration) -> anyhow::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Waiter;

    #[test]
    fn no_time_is_missed() {
        let mut waiter = Waiter::new().unwrap();
        for micros in [0, 10, 500, 5_500] {
            let until = Instant::now() + Duration::from_micros(micros);
            while Instant::now() < until {
                assert_eq!(waiter.wait(Some(until)).unwrap().count(), 0);
            }
        }
    }
}
