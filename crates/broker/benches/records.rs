//! Reading what Redis has and what it publishes: jobs as they are stored, and messages with events. `cargo bench -p broker`.

#[path = "../../protocol/benches/cases/mod.rs"]
mod cases;

use std::hint::black_box;
use std::process::ExitCode;

use broker::testing::{Messages, Offline, read_job};
use broker::{Envelope, Feed, FollowState, Listener, Position};

use cases::{Case, made};

/// As `enqueue.lua` writes it.
const WAITING: &[u8] = b";1772710371830 a1b2c3 oif46 chat 5 1 public lobby\n{\"msg\":\"message with forty characters, or so\"}";
/// As it is when it has been tried, with everything that there may be.
const COMPLETED: &[u8] = b"completed 3 1 worker=worker-01KAT5X2M1RRD3Z8A0V5B9C7QE started=1772710371835 place=172 finished=1772710371837 kept=640 log=7:1:1024:a1b2c3:kqzftabc result=31;1772710371830 a1b2c3 aie12 report 5 2 acme = extra=16 key=report-2026-11 expires=1772710431830\n{\"month\":11}{\"timeout\":3000}{\"pages\":12,\"time\":1772710371}";

const CASES: &[Case] = &[
    Case::new("stored/waiting", 1_000, || read(WAITING)),
    Case::new("stored/completed", 1_000, || read(COMPLETED)),
    Case::new("feeds/1-message-of-1", 1_000, || receive(1, 1)),
    Case::new("feeds/1-message-of-16", 500, || receive(1, 16)),
    Case::new("feeds/16-messages-of-1", 500, || receive(16, 1)),
];

fn main() -> ExitCode {
    cases::main(CASES)
}

#[divan::bench(args = CASES)]
fn records(bencher: divan::Bencher<'_, '_>, case: &Case) {
    bencher.bench_local((case.prepare)());
}

fn read(record: &'static [u8]) -> Box<dyn FnMut()> {
    assert!(read_job(record).is_some_and(|bytes| bytes > 0));
    made(move || read_job(black_box(record)))
}

/// Nobody is subscribed.
struct Nobody;

impl Listener for Nobody {
    fn begins(&mut self, _: &Feed, _: &Position) {}
    fn events(&mut self, _: &Feed, events: &[Envelope<'_>]) {
        black_box(events);
    }
    fn moved(&mut self, _: &Feed, _: &Position, _: bool) {}
    fn state(&mut self, _: FollowState) {}
}

/// Takes messages with so many events each, as `append` in `log.lua` writes them.
fn receive(messages: u64, events: u64) -> Box<dyn FnMut()> {
    let feed = Feed::room("bench", "chat", "lobby");
    let event = |offset: u64| {
        format!(
            r#"{{"epoch":"kqzftabc","offset":{offset},"event":{{"type":"completed","job":"01KAT5X2M1RRD3Z8A0V5B9C7QE","kind":"chat","attempt":1,"time":1772710371837,"data":{{"msg":"message with forty characters, or so","time":1772710371837}}}}}}"#
        )
    };
    let payload = |first: u64| {
        let lines: Vec<_> = (first..first + events).map(event).collect();
        lines.join("\n")
    };
    let payloads: Vec<_> = (0..messages)
        .map(|message| payload(1 + message * events))
        .collect();
    let messages = Messages::of(&feed, &payloads);
    let mut follower = Offline::new(Nobody, feed, "kqzftabc");
    Box::new(move || follower.receive(0, black_box(&messages)))
}
