//! One message to many: each of a crowd gets what is published, once and in order.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use broker::testing::PATIENCE;
use serde::Serialize;

use super::{
    Latency, Length, Meter, Pace, Publisher, Times, Usage, Watched, crowd::Crowd, dialect::Dialect,
    message::Messages, pace::Schedule,
};

/// How long to listen when all has come: what comes again would come now.
const LINGER: Duration = Duration::from_millis(100);

/// A load on one gateway.
#[derive(Clone, Copy, Debug)]
pub struct FanOut {
    /// The gateway's port on this machine.
    pub port: u16,
    /// How many get every message.
    pub subscribers: usize,
    /// How long a message is, in bytes.
    pub bytes: usize,
    /// When messages are published. One is on its way until the last subscriber has it.
    pub pace: Pace,
    /// How long to go on before anything is counted.
    pub warm_up: Duration,
    /// How long to count.
    pub length: Length,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct FanOutFigures {
    /// How many subscribers got every message.
    pub subscribers: usize,
    /// How many of them were subscribed in a second, before.
    pub connects_per_second: f64,
    /// How many messages all had in the time that was measured.
    pub messages: u64,
    /// How many frames came in this time.
    pub deliveries: u64,
    /// How long it was.
    pub seconds: f64,
    /// Frames in a second.
    pub deliveries_per_second: f64,
    /// From when a message was to be published to each delivery.
    pub delivery_ms: Latency,
    /// From when a message was to be published to its last delivery.
    pub last_ms: Latency,
    /// What the processes used in this time.
    pub usage: Vec<Usage>,
}

impl FanOutFigures {
    /// CPU seconds of a process for each million of deliveries.
    pub fn cpu_per_million(&self, name: &str) -> Option<f64> {
        let usage = self.usage.iter().find(|usage| usage.name == name)?;
        Some(usage.cpu_seconds * 1e6 / self.deliveries.max(1) as f64)
    }
}

/// What was published and who has it.
struct Ledger {
    messages: Messages,
    /// The next message of each subscriber.
    next: Vec<u64>,
    /// Messages that not all have, from `first` on: when each was due, and how many have it.
    on_the_way: VecDeque<(Instant, usize)>,
    first: u64,
    deliveries: u64,
    counted: Option<(Instant, Option<Instant>)>,
    each: Times,
    last: Times,
}

impl Ledger {
    fn new(subscribers: usize, bytes: usize) -> Self {
        Self {
            messages: Messages::new(bytes),
            next: vec![0; subscribers],
            on_the_way: VecDeque::new(),
            first: 0,
            deliveries: 0,
            counted: None,
            each: Times::default(),
            last: Times::default(),
        }
    }

    fn published(&self) -> u64 {
        self.first + self.on_the_way.len() as u64
    }

    fn take(&mut self, subscriber: usize, text: &str, now: Instant) -> anyhow::Result<()> {
        let (_, number) = self
            .messages
            .read(text.as_bytes())
            .with_context(|| format!("unexpected: {text:.300}"))?;
        let expected = self.next[subscriber];
        ensure!(
            number == expected,
            "message {number} came to subscriber {subscriber}, {expected} was next"
        );
        self.next[subscriber] += 1;
        self.deliveries += 1;
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        let (due, have) = self
            .on_the_way
            .get_mut(index)
            .context("a message came that nobody published")?;
        *have += 1;
        let (due, all) = (*due, *have == self.next.len());
        let counts = self
            .counted
            .is_some_and(|(start, end)| due >= start && end.is_none_or(|end| due < end));
        if counts {
            self.each.add(now.saturating_duration_since(due));
        }
        if all {
            // In order for each, so in order for the last of each.
            self.on_the_way.pop_front();
            self.first += 1;
            if counts {
                self.last.add(now.saturating_duration_since(due));
            }
        }
        Ok(())
    }
}

impl FanOut {
    /// Makes the load and checks everything that comes.
    pub fn run(
        &self,
        dialect: &dyn Dialect,
        publisher: &mut Publisher,
        watched: &[Watched],
    ) -> anyhow::Result<FanOutFigures> {
        let mut crowd = Crowd::gather(self.port, self.subscribers, dialect)?;
        let mut ledger = Ledger::new(self.subscribers, self.bytes);
        let start = Instant::now();
        let mut schedule = self.pace.schedule(start);
        let mut turn = |crowd: &mut Crowd<'_>, ledger: &mut Ledger, end| {
            self.turn(crowd, ledger, publisher, schedule.as_mut(), end)
        };
        while start.elapsed() < self.warm_up {
            turn(&mut crowd, &mut ledger, start + self.warm_up)?;
        }
        let meter = Meter::start(watched)?;
        let (start, before, deliveries) = (Instant::now(), ledger.first, ledger.deliveries);
        ledger.counted = Some((start, None));
        let (longest, most) = self.length.limits();
        while start.elapsed() < longest && ledger.first - before < most {
            turn(&mut crowd, &mut ledger, start + longest)?;
        }
        let end = Instant::now();
        let usage = meter.read()?;
        let (messages, deliveries) = (ledger.first - before, ledger.deliveries - deliveries);
        ledger.counted = Some((start, Some(end)));
        while !ledger.on_the_way.is_empty() {
            step(&mut crowd, &mut ledger, None)?;
        }
        crowd.listen(LINGER)?;
        let seconds = (end - start).as_secs_f64();
        Ok(FanOutFigures {
            subscribers: crowd.len(),
            connects_per_second: crowd.connects_per_second(),
            messages,
            deliveries,
            seconds,
            deliveries_per_second: deliveries as f64 / seconds,
            delivery_ms: ledger.each.latency(),
            last_ms: ledger.last.latency(),
            usage,
        })
    }

    /// Publishes what is to be published now, and takes what comes, until `end` at most.
    fn turn(
        &self,
        crowd: &mut Crowd<'_>,
        ledger: &mut Ledger,
        publisher: &mut Publisher,
        schedule: Option<&mut Schedule>,
        end: Instant,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        let mut until = end;
        let free = self.pace.window().saturating_sub(ledger.on_the_way.len());
        let mut due = Vec::new();
        if let Some(schedule) = schedule {
            let taken = std::iter::from_fn(|| schedule.take(now)).map(|(_, due)| due);
            due.extend(taken.take(free));
            if due.len() < free {
                until = until.min(schedule.due());
            }
        } else {
            due.resize(free, now);
        }
        for due in &due {
            let mut text = Vec::new();
            ledger.messages.write(&mut text, 0, ledger.published());
            ledger.on_the_way.push_back((*due, 0));
            publisher.publish(crowd, std::str::from_utf8(&text)?)?;
        }
        if !due.is_empty() {
            publisher.flush(crowd)?;
        }
        step(crowd, ledger, Some(until))
    }
}

fn step(crowd: &mut Crowd<'_>, ledger: &mut Ledger, until: Option<Instant>) -> anyhow::Result<()> {
    let mut now = Instant::now();
    let mut of = usize::MAX;
    crowd.step(until, &mut |subscriber, text| {
        // What comes to one together came at one time.
        if subscriber != of {
            (now, of) = (Instant::now(), subscriber);
        }
        ledger.take(subscriber, text, now)
    })?;
    ensure!(
        ledger.on_the_way.is_empty() || crowd.silence() < PATIENCE,
        "message {} never came to all, {} were published",
        ledger.first,
        ledger.published()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::Ledger;

    /// Two subscribers and three messages that nobody has.
    fn three() -> (Ledger, Vec<String>) {
        let mut ledger = Ledger::new(2, 40);
        let texts = (0..3).map(|number| {
            let mut text = Vec::new();
            ledger.messages.write(&mut text, 0, number);
            String::from_utf8(text).unwrap()
        });
        let texts: Vec<_> = texts.collect();
        for _ in &texts {
            ledger.on_the_way.push_back((Instant::now(), 0));
        }
        (ledger, texts)
    }

    #[test]
    fn a_message_is_on_its_way_until_all_have_it() {
        let (mut ledger, texts) = three();
        let now = Instant::now();
        ledger.take(0, &texts[0], now).unwrap();
        ledger.take(0, &texts[1], now).unwrap();
        assert_eq!((ledger.first, ledger.on_the_way.len()), (0, 3));
        ledger.take(1, &texts[0], now).unwrap();
        assert_eq!((ledger.first, ledger.on_the_way.len()), (1, 2));
        assert_eq!((ledger.published(), ledger.deliveries), (3, 3));
    }

    #[test]
    fn what_is_lost_or_comes_again_or_is_another_is_seen() {
        let now = Instant::now();
        for wrong in [vec![1], vec![0, 2], vec![0, 0], vec![0, 1, 0]] {
            let (mut ledger, texts) = three();
            let (last, first) = wrong.split_last().unwrap();
            for number in first {
                ledger.take(1, &texts[*number], now).unwrap();
            }
            assert!(ledger.take(1, &texts[*last], now).is_err(), "{wrong:?}");
        }
        let (mut ledger, texts) = three();
        assert!(ledger.take(0, &texts[0][1..], now).is_err());
        ledger.on_the_way.clear();
        assert!(ledger.take(0, &texts[0], now).is_err(), "nobody sent it");
    }
}
