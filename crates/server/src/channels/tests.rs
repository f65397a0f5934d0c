//! The seam between the log and what comes live, and what a log's beginning means to who waits for it.

use std::sync::Arc;

use broker::{Envelope, Feed, Feeds, Position};
use protocol::{Channel as Name, QueueName, Topic, centrifugo::PING};

use super::{Channels, Subscription, Wish};
use crate::{
    Batch, Frame, Limits, Metrics, Outbox,
    encode::{Encoded, Encoding},
};

const NAME: &str = "chat:a";

struct Bench {
    metrics: Arc<Metrics>,
    outbox: Arc<Outbox>,
    subscription: Subscription,
}

impl Bench {
    fn new() -> Self {
        let metrics = Arc::<Metrics>::default();
        let channels = Arc::new(Channels::new(Feeds::default(), Arc::clone(&metrics)));
        let limits = Limits {
            frames: 100,
            bytes: 100_000,
        };
        let outbox = Arc::new(Outbox::new(limits));
        let name = Name {
            queue: QueueName::new("chat").unwrap(),
            topic: Topic::new("a").unwrap(),
        };
        let wish = Wish {
            positioned: true,
            ..Wish::default()
        };
        let feed = Feed::topic("p", &name);
        let subscription = channels.subscribe(&feed, NAME, Encoding::Events, 1, &outbox, wish);
        Self {
            metrics,
            outbox,
            subscription,
        }
    }

    fn deliver(&self, offset: u64) {
        let json = format!(r#"{{"epoch":"e","offset":{offset},"event":{{"type":"log"}}}}"#);
        let event: Envelope<'_> = serde_json::from_str(&json).unwrap();
        for encoded in Encoded::of(NAME, Encoding::Events, &[event], (false, true)) {
            let mut due = Vec::new();
            let channel = &self.subscription.channel;
            channel.deliver(&encoded, &self.metrics, &mut due);
            for outbox in due {
                outbox.flush();
            }
        }
    }

    /// What was kept back after an offset is given, and what comes goes out at once.
    fn go_live(&self, after: u64) {
        while let Some(frames) = self.subscription.kept_back(after, false) {
            self.outbox.push_all(&frames);
        }
    }

    /// How many frames wait, one that is put in here aside.
    fn waiting(&self) -> usize {
        self.outbox.push(Frame::text(PING));
        let mut batch = Batch::default();
        self.outbox.take_rest(&mut batch);
        batch.len() - 1
    }
}

fn at(epoch: &str, offset: u64) -> Position {
    let epoch = epoch.to_owned();
    Position { epoch, offset }
}

#[test]
fn what_was_read_from_the_log_does_not_come_live_once_more() {
    let bench = Bench::new();
    bench.subscription.channel.begins(&at("e", 3));
    bench.deliver(4);
    // The log is ahead: it was read up to 6 before these two came.
    bench.go_live(6);
    assert_eq!(bench.waiting(), 0);
    bench.deliver(5);
    bench.deliver(6);
    assert_eq!(bench.waiting(), 0);
    bench.deliver(7);
    bench.deliver(8);
    assert_eq!(bench.waiting(), 2);
}

#[test]
fn a_log_that_begins_costs_nobody_its_position() {
    let bench = Bench::new();
    let channel = &bench.subscription.channel;
    channel.begins(&at("", 0));
    channel.opened(&at("e", 0));
    bench.go_live(0);
    channel.moved(&at("e", 0), false, &bench.metrics);
    bench.deliver(1);
    assert_eq!(bench.waiting(), 1);
    assert!(bench.subscription.is_live());
    // Another log does.
    channel.moved(&at("f", 0), false, &bench.metrics);
    assert_eq!(bench.waiting(), 1);
    assert!(!bench.subscription.is_live());
}
