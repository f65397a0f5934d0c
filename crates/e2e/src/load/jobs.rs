//! The whole path over HTTP: a job is handed in with a POST, and its events are followed on a stream until it is over.
//!
//! Each client has one connection and one job at a time, so that as many jobs are on their way as there are clients.

mod client;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use broker::testing::PATIENCE;
use mio::Token;

use super::{
    Length, Meter, PathFigures, Times, Watched, files, message::Messages, pace::Schedule,
    socket::Scratch, waiter::Waiter,
};

use client::{Client, News};

/// A load on one server that serves the HTTP API.
#[derive(Clone, Copy, Debug)]
pub struct Jobs {
    /// The server's port on this machine.
    pub port: u16,
    /// How many clients there are.
    pub clients: usize,
    /// How long a text is, in bytes.
    pub bytes: usize,
    /// How many jobs are handed in in a second, as far as there is a client that has none; else as many as go.
    pub per_second: Option<f64>,
    /// How long to go on before anything is counted.
    pub warm_up: Duration,
    /// How long to count.
    pub length: Length,
}

impl Jobs {
    /// Makes the load and checks everything that comes. In the figures a message has come back when its job is stored.
    pub fn run(&self, watched: &[Watched]) -> anyhow::Result<PathFigures> {
        ensure!(
            (1..=10_000).contains(&self.clients),
            "a client's number has four digits: from 1 to 10,000 clients"
        );
        files::allow(self.clients)?;
        Run::connect(self)?.run(self, watched)
    }
}

struct Run {
    waiter: Waiter,
    scratch: Scratch,
    clients: Vec<Client>,
    /// Those that have no job.
    idle: Vec<usize>,
    messages: Messages,
    ledger: Ledger,
}

/// What came.
struct Ledger {
    /// Jobs that were due from the first time on, before the second, are counted.
    counted: Option<(Instant, Option<Instant>)>,
    stored: Times,
    results: Times,
    /// How many jobs are over.
    over: u64,
    /// When anything came last.
    last: Instant,
}

impl Run {
    fn connect(jobs: &Jobs) -> anyhow::Result<Self> {
        let waiter = Waiter::new()?;
        let clients = (0..jobs.clients)
            .map(|number| Client::connect(number, jobs.port, waiter.registry(), Token(number)));
        Ok(Self {
            clients: clients.collect::<anyhow::Result<_>>()?,
            waiter,
            scratch: Scratch::default(),
            idle: (0..jobs.clients).rev().collect(),
            messages: Messages::new(jobs.bytes),
            ledger: Ledger {
                counted: None,
                stored: Times::default(),
                results: Times::default(),
                over: 0,
                last: Instant::now(),
            },
        })
    }

    fn run(mut self, jobs: &Jobs, watched: &[Watched]) -> anyhow::Result<PathFigures> {
        let start = Instant::now();
        let mut schedule = jobs
            .per_second
            .map(|per_second| Schedule::new(start, per_second));
        while start.elapsed() < jobs.warm_up {
            self.turn(schedule.as_mut(), start + jobs.warm_up)?;
        }
        let meter = Meter::start(watched)?;
        let (start, before) = (Instant::now(), self.ledger.over);
        self.ledger.counted = Some((start, None));
        let (longest, most) = jobs.length.limits();
        while start.elapsed() < longest && self.ledger.over - before < most {
            self.turn(schedule.as_mut(), start + longest)?;
        }
        let end = Instant::now();
        let usage = meter.read()?;
        self.ledger.counted = Some((start, Some(end)));
        let messages = self.ledger.over - before;
        while self.idle.len() < self.clients.len() {
            self.step(None)?;
        }
        let seconds = (end - start).as_secs_f64();
        Ok(PathFigures {
            messages,
            seconds,
            per_second: messages as f64 / seconds,
            result_ms: self.ledger.results.latency(),
            message_ms: self.ledger.stored.latency(),
            early_results: 0,
            usage,
        })
    }

    /// Hands in what is to be handed in now, then waits for what comes, until `end` at most.
    fn turn(&mut self, mut schedule: Option<&mut Schedule>, end: Instant) -> anyhow::Result<()> {
        let mut until = end;
        let now = Instant::now();
        while let Some(number) = self.idle.last() {
            let due = match &mut schedule {
                None => now,
                Some(schedule) => {
                    let Some((_, due)) = schedule.take(now) else {
                        until = until.min(schedule.due());
                        break;
                    };
                    due
                }
            };
            self.clients[*number].hand_in(&self.messages, due)?;
            self.idle.pop();
        }
        self.step(Some(until))
    }

    /// Waits a moment and takes what came.
    fn step(&mut self, until: Option<Instant>) -> anyhow::Result<()> {
        let Self {
            waiter,
            scratch,
            clients,
            idle,
            messages,
            ledger,
        } = self;
        for (number, readable) in waiter.wait(until)? {
            let client = &mut clients[number];
            client.flush()?;
            if !readable {
                continue;
            }
            let now = Instant::now();
            ledger.last = now;
            let due = client.due();
            let came = client.read(scratch, messages, |news| match news {
                News::Stored => ledger.add(now, due, |ledger| &mut ledger.stored),
                News::Result => ledger.add(now, due, |ledger| &mut ledger.results),
                News::Over => {
                    ledger.over += 1;
                    idle.push(number);
                }
            });
            came.with_context(|| format!("client {number}"))?;
        }
        ensure!(
            ledger.last.elapsed() < PATIENCE || idle.len() == clients.len(),
            "nothing came for {PATIENCE:?}, and {} jobs are not over",
            clients.len() - idle.len()
        );
        Ok(())
    }
}

impl Ledger {
    /// Adds the time since a job was due, if that counts.
    fn add(&mut self, now: Instant, due: Instant, times: impl Fn(&mut Self) -> &mut Times) {
        let counts = self
            .counted
            .is_some_and(|(start, end)| due >= start && end.is_none_or(|end| due < end));
        if counts {
            times(self).add(now.saturating_duration_since(due));
        }
    }
}
