//! One load while it runs: connect, warm up, measure, wait for what is on its way, and look whether all has come.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use broker::testing::PATIENCE;
use mio::Token;

use super::{Path, PathFigures};
use crate::load::{
    Book, Meter, Times, Watched, connection::Connection, message::Messages, pace::Schedule,
    socket::Scratch, waiter::Waiter,
};

/// How long to listen when all has come: what comes again would come now.
const LINGER: Duration = Duration::from_millis(100);

pub(super) struct Run<'a> {
    path: &'a Path,
    waiter: Waiter,
    scratch: Scratch,
    text: Vec<u8>,
    connections: Vec<Connection>,
    ledger: Ledger,
}

/// What was sent and what came.
struct Ledger {
    messages: Messages,
    book: Book,
    senders: Vec<Sender>,
    /// Messages that were due from the first time on, before the second, are counted.
    counted: Option<(Instant, Option<Instant>)>,
    results: Times,
    echoes: Times,
    /// How many results are back at their senders.
    back: u64,
    last: Instant,
}

#[derive(Default)]
struct Sender {
    sent: u64,
    back: u64,
    /// When those were due whose results are not back, from `first` on.
    due: VecDeque<Instant>,
    first: u64,
}

impl<'a> Run<'a> {
    pub(super) fn connect(path: &'a Path) -> anyhow::Result<Self> {
        let waiter = Waiter::new()?;
        let connections = (0..path.receivers)
            .map(|n| Connection::begin(path.port, &path.path, waiter.registry(), Token(n)));
        let connections = connections.collect::<anyhow::Result<_>>()?;
        let mut run = Self {
            path,
            waiter,
            scratch: Scratch::default(),
            text: Vec::new(),
            connections,
            ledger: Ledger {
                messages: Messages::new(path.bytes),
                book: Book::new(path.receivers, path.senders, path.order),
                senders: (0..path.senders).map(|_| Sender::default()).collect(),
                counted: None,
                results: Times::default(),
                echoes: Times::default(),
                back: 0,
                last: Instant::now(),
            },
        };
        while !run.connections.iter().all(Connection::is_open) {
            run.step(None)?;
        }
        Ok(run)
    }

    pub(super) fn run(mut self, watched: &[Watched]) -> anyhow::Result<PathFigures> {
        self.meet()?;
        let start = Instant::now();
        let mut schedule = self.path.pace.schedule(start);
        while start.elapsed() < self.path.warm_up {
            self.send_and_step(schedule.as_mut(), start + self.path.warm_up)?;
        }
        let meter = Meter::start(watched)?;
        let (start, before) = (Instant::now(), self.ledger.back);
        self.ledger.counted = Some((start, None));
        let (longest, most) = self.path.length.limits();
        while start.elapsed() < longest && self.ledger.back - before < most {
            self.send_and_step(schedule.as_mut(), start + longest)?;
        }
        let end = Instant::now();
        let usage = meter.read()?;
        self.ledger.counted = Some((start, Some(end)));
        let messages = self.ledger.back - before;
        self.drain()?;
        let seconds = (end - start).as_secs_f64();
        Ok(PathFigures {
            messages,
            seconds,
            per_second: messages as f64 / seconds,
            result_ms: self.ledger.results.latency(),
            message_ms: self.ledger.echoes.latency(),
            early_results: self.ledger.book.early(),
            usage,
        })
    }

    /// One message of each sender, one after the other: a server may follow a room only when somebody speaks, so that
    /// from here on everybody gets everything.
    fn meet(&mut self) -> anyhow::Result<()> {
        for sender in 0..self.path.senders {
            self.push(sender, Instant::now());
            self.connections[sender].flush()?;
            while self.ledger.missing().is_some() {
                self.step(None)?;
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        while self.ledger.missing().is_some() {
            self.step(None)?;
        }
        let end = Instant::now() + LINGER;
        while Instant::now() < end {
            self.step(Some(end))?;
        }
        match self.ledger.missing() {
            Some(wrong) => Err(wrong.into()),
            None => Ok(()),
        }
    }

    /// Sends what is to be sent now, then waits for what comes, until `end` at most.
    fn send_and_step(
        &mut self,
        schedule: Option<&mut Schedule>,
        end: Instant,
    ) -> anyhow::Result<()> {
        let mut until = end;
        let window = self.path.pace.window();
        if let Some(schedule) = schedule {
            let now = Instant::now();
            while self.ledger.on_the_way() < window {
                let Some((number, due)) = schedule.take(now) else {
                    until = until.min(schedule.due());
                    break;
                };
                let sender = usize::try_from(number).unwrap_or_default() % self.path.senders;
                self.push(sender, due);
                self.connections[sender].flush()?;
            }
        } else {
            for sender in 0..self.path.senders {
                let now = Instant::now();
                let state = &self.ledger.senders[sender];
                let free = (window as u64).saturating_sub(state.sent - state.back);
                for _ in 0..free {
                    self.push(sender, now);
                }
                if free > 0 {
                    self.connections[sender].flush()?;
                }
            }
        }
        self.step(Some(until))
    }

    fn push(&mut self, sender: usize, due: Instant) {
        let state = &mut self.ledger.senders[sender];
        let messages = &self.ledger.messages;
        messages.write(&mut self.text, sender, state.sent);
        state.sent += 1;
        state.due.push_back(due);
        self.connections[sender].push(&self.text);
    }

    /// Waits a moment and takes what came.
    fn step(&mut self, until: Option<Instant>) -> anyhow::Result<()> {
        let Self {
            waiter,
            scratch,
            connections,
            ledger,
            ..
        } = self;
        for (receiver, readable) in waiter.wait(until)? {
            let connection = &mut connections[receiver];
            connection.flush()?;
            if readable {
                let now = Instant::now();
                let came = connection.read(scratch, |text| ledger.take(receiver, text, now));
                came.with_context(|| format!("connection {receiver}"))?;
                ledger.last = now;
            }
        }
        ensure!(
            ledger.last.elapsed() < PATIENCE || ledger.missing().is_none(),
            "nothing came for {PATIENCE:?}: {}",
            ledger
                .missing()
                .map_or_else(|| "nothing lacks".to_owned(), |wrong| wrong.to_string())
        );
        Ok(())
    }
}

impl Ledger {
    /// How many messages have no result yet, of all senders.
    fn on_the_way(&self) -> usize {
        let sent: u64 = self.senders.iter().map(|sender| sender.sent).sum();
        usize::try_from(sent - self.back).unwrap_or(usize::MAX)
    }

    fn missing(&self) -> Option<crate::load::Wrong> {
        let sent: Vec<u64> = self.senders.iter().map(|sender| sender.sent).collect();
        self.book.close(&sent, true).err()
    }

    /// Takes a frame's text.
    fn take(&mut self, receiver: usize, text: &[u8], now: Instant) -> anyhow::Result<()> {
        let (message, is_result) = match result_of(text) {
            Some(message) => (message, true),
            None => (text, false),
        };
        let Some((sender, number)) = self.messages.read(message) else {
            let begin = &text[..text.len().min(300)];
            bail!("unexpected: {}", String::from_utf8_lossy(begin));
        };
        let time = (receiver == sender)
            .then(|| self.time(sender, number, now))
            .flatten();
        if !is_result {
            self.book.message(receiver, sender, number)?;
            if let Some(time) = time {
                self.echoes.add(time);
            }
            return Ok(());
        }
        let first = self.book.result(receiver, sender, number)?;
        if let Some(time) = time {
            self.results.add(time);
        }
        if receiver == sender {
            self.back += 1;
            let state = &mut self.senders[sender];
            state.back += 1;
            let gone = usize::try_from(first - state.first).unwrap_or_default();
            state.due.drain(..gone);
            state.first = first;
        }
        Ok(())
    }

    /// How long ago a message was due, if it counts.
    fn time(&self, sender: usize, number: u64, now: Instant) -> Option<Duration> {
        let state = &self.senders[sender];
        let index = usize::try_from(number.checked_sub(state.first)?).ok()?;
        let due = *state.due.get(index)?;
        let (start, end) = self.counted?;
        let counts = due >= start && end.is_none_or(|end| due < end);
        counts.then(|| now.saturating_duration_since(due))
    }
}

/// The message in `{"msg":"…","time":…}`.
fn result_of(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(br#"{"msg":""#)?;
    // The last quote is the one behind the other key.
    let end = rest.iter().rposition(|byte| *byte == b'"')?;
    rest[..end].strip_suffix(br#"","time"#)
}

#[cfg(test)]
mod tests {
    use super::result_of;

    #[test]
    fn a_result_is_told_from_a_message() {
        let result = br#"{"msg":"0000 0000000001 abc","time":1772710371837}"#;
        assert_eq!(result_of(result), Some(&b"0000 0000000001 abc"[..]));
        for other in [
            &b"0000 0000000001 abc"[..],
            b"{}",
            br#"{"msg":"abc"}"#,
            br#"{"msg":""#,
        ] {
            assert_eq!(result_of(other), None);
        }
    }
}
