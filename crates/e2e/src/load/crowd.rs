//! Any number of connections to one gateway, all subscribed, all read by one thread.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use broker::testing::PATIENCE;
use mio::Token;

use super::{connection::Connection, dialect::Dialect, files, socket::Scratch, waiter::Waiter};
use crate::bench::peers::Heard;

/// How many are connecting at a time. Below what a listener's backlog is wherever one is small.
const AT_ONCE: usize = 64;
/// How long after the last upgrade everybody is in the room: it is answered before the room is entered.
const SETTLE: Duration = Duration::from_millis(300);

pub(crate) struct Crowd<'a> {
    dialect: &'a dyn Dialect,
    waiter: Waiter,
    scratch: Scratch,
    members: Vec<Member>,
    subscribed: usize,
    /// When anything came last.
    last: Instant,
    connects_per_second: f64,
}

struct Member {
    connection: Connection,
    greeted: bool,
    subscribed: bool,
}

/// What is told of each delivery: who got it and the text.
pub(crate) type OnDelivery<'b> = &'b mut dyn FnMut(usize, &str) -> anyhow::Result<()>;

impl<'a> Crowd<'a> {
    /// Connects so many and waits until all are subscribed.
    pub(crate) fn gather(
        port: u16,
        count: usize,
        dialect: &'a dyn Dialect,
    ) -> anyhow::Result<Self> {
        files::allow(count)?;
        let start = Instant::now();
        let mut crowd = Self {
            dialect,
            waiter: Waiter::new()?,
            scratch: Scratch::default(),
            members: Vec::with_capacity(count),
            subscribed: 0,
            last: start,
            connects_per_second: 0.0,
        };
        while crowd.subscribed < count {
            while crowd.members.len() < count && crowd.members.len() - crowd.subscribed < AT_ONCE {
                let token = Token(crowd.members.len());
                let connection =
                    Connection::begin_in(dialect, port, crowd.waiter.registry(), token)?;
                crowd.members.push(Member {
                    connection,
                    greeted: false,
                    subscribed: false,
                });
            }
            crowd.step(None, &mut |_, _| Ok(()))?;
            ensure!(
                crowd.last.elapsed() < PATIENCE,
                "{} of {count} are subscribed, and nothing more comes",
                crowd.subscribed
            );
        }
        crowd.connects_per_second = count as f64 / start.elapsed().as_secs_f64();
        crowd.listen(SETTLE)?;
        Ok(crowd)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How fast they came.
    pub(crate) const fn connects_per_second(&self) -> f64 {
        self.connects_per_second
    }

    /// How long nothing came.
    pub(crate) fn silence(&self) -> Duration {
        self.last.elapsed()
    }

    /// Reads for so long, and wants no delivery.
    pub(crate) fn listen(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step(Some(end), &mut |member, text| {
                anyhow::bail!("connection {member} got {text:?}, which nobody sent")
            })?;
        }
        Ok(())
    }

    /// Has a member say something.
    pub(crate) fn say(&mut self, member: usize, text: &str) {
        self.members[member].connection.push(text.as_bytes());
    }

    /// Sends what a member is to say.
    pub(crate) fn flush(&mut self, member: usize) -> anyhow::Result<()> {
        self.members[member].connection.flush()
    }

    /// Waits until a time at most, and takes what came.
    pub(crate) fn step(
        &mut self,
        until: Option<Instant>,
        on_delivery: OnDelivery<'_>,
    ) -> anyhow::Result<()> {
        let Self {
            dialect,
            waiter,
            scratch,
            members,
            subscribed,
            last,
            ..
        } = self;
        for (number, readable) in waiter.wait(until)? {
            let member = &mut members[number];
            member.connection.flush()?;
            if !readable {
                continue;
            }
            *last = Instant::now();
            let mut says = None;
            let mut joined = false;
            let came = member.connection.read(scratch, |frame| {
                for line in std::str::from_utf8(frame)?.split('\n') {
                    match dialect.hear(line) {
                        Heard::Delivery(text) => on_delivery(number, &text)?,
                        Heard::Say(answer) => says = Some(answer),
                        Heard::Subscribed => joined = true,
                        Heard::Nothing => {}
                    }
                }
                Ok(())
            });
            came.with_context(|| format!("connection {number}"))?;
            if member.connection.is_open() && !member.greeted {
                member.greeted = true;
                joined |= dialect.subscribes_at_once();
                says = says.or(dialect.hello());
            }
            if joined && !member.subscribed {
                member.subscribed = true;
                *subscribed += 1;
            }
            if let Some(answer) = says {
                member.connection.push(answer.as_bytes());
                member.connection.flush()?;
            }
        }
        Ok(())
    }
}
