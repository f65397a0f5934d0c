//! Reading what clients send and writing what they get, in both protocols. `cargo bench -p protocol`.

mod cases;

use std::hint::black_box;
use std::process::ExitCode;

use protocol::centrifugo::{
    ClientError, Command, PresenceStatsResult, SubscribeResult, error, event_publication, push,
    result,
};
use protocol::{ErrorCode, plain};

use cases::{Case, made};

const CONNECT: &str =
    r#"{"id":1,"connect":{"token":"header.payload.signature","name":"js","version":"5.3.0"}}"#;
const SUBSCRIBE: &str = r#"{"id":2,"subscribe":{"channel":"chat:lobby","recover":true,"offset":41,"epoch":"kqzftabc","flag":1}}"#;
const PUBLISH: &str = r#"{"id":3,"publish":{"channel":"room","data":{"text":"message with forty characters, or so"}}}"#;
const RPC: &str = r#"{"id":4,"rpc":{"method":"submit","data":{"kind":"report","payload":{"month":11},"options":{"priority":"high","max_attempts":3}}}}"#;
const EVENT: &str = r#"{"type":"completed","job":"01KAT5X2M1RRD3Z8A0V5B9C7QE","kind":"chat","attempt":1,"time":1772710371837,"data":{"msg":"message with forty characters, or so","time":1772710371837}}"#;

const fn case(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Case {
    Case::new(name, 1_000, prepare)
}

const CASES: &[Case] = &[
    case("plain/parse/text", || {
        read_plain("message with forty characters, or so")
    }),
    case("plain/parse/json", || {
        read_plain(r#"{"msg":"message with forty characters, or so"}"#)
    }),
    case("plain/error", || {
        made(|| plain::error_frame(black_box(ErrorCode::QueueFull), "try later"))
    }),
    case("centrifugo/parse/connect", || read(CONNECT)),
    case("centrifugo/parse/subscribe", || read(SUBSCRIBE)),
    case("centrifugo/parse/publish", || read(PUBLISH)),
    case("centrifugo/parse/rpc", || read(RPC)),
    case("centrifugo/parse/pong", || read("{}")),
    case("centrifugo/encode/stats", || {
        let stats = PresenceStatsResult {
            num_clients: 12_345,
            num_users: 678,
        };
        made(move || result(black_box(3), "presence_stats", &stats))
    }),
    case("centrifugo/encode/subscribe", subscribed),
    case("centrifugo/encode/error", || {
        let refused = ClientError::job(ErrorCode::QueueFull, &"try later");
        made(move || error(black_box(4), &refused))
    }),
    case("centrifugo/encode/push", || {
        made(|| {
            let publication = event_publication(black_box(EVENT), 42);
            push("chat:lobby", "pub", &publication)
        })
    }),
];

fn main() -> ExitCode {
    cases::main(CASES)
}

#[divan::bench(args = CASES)]
fn frames(bencher: divan::Bencher<'_, '_>, case: &Case) {
    bencher.bench_local((case.prepare)());
}

fn read_plain(text: &'static str) -> Box<dyn FnMut()> {
    made(move || plain::parse(black_box(text)))
}

fn read(line: &'static str) -> Box<dyn FnMut()> {
    made(move || Command::parse(black_box(line)))
}

fn subscribed() -> Box<dyn FnMut()> {
    let reply = SubscribeResult {
        recoverable: true,
        epoch: "kqzftabc".to_owned(),
        recovered: true,
        offset: 41,
        positioned: true,
        was_recovering: true,
        ..SubscribeResult::default()
    };
    made(move || result(black_box(2), "subscribe", &reply))
}
