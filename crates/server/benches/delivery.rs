//! From a frame that came to a job, and from an event to the outboxes of everyone who is there. `cargo bench -p server`.

#[path = "../../protocol/benches/cases/mod.rs"]
mod cases;

use std::hint::black_box;
use std::io::Cursor;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use broker::Envelope;
use futures_util::FutureExt as _;
use server::testing::{Crowd, chat_job, encode};
use server::{Frame, Inbound};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{Role, WebSocket},
};

use cases::{Case, made};

const TEXT: &str = "message with forty characters, or so";
const QUEUED: &str = r#"{"epoch":"kqzftabc","offset":41,"event":{"type":"queued","job":"01KAT5X2M1RRD3Z8A0V5B9C7QE","kind":"chat","attempt":0,"time":1772710371830,"data":"message with forty characters, or so"}}"#;
const COMPLETED: &str = r#"{"epoch":"kqzftabc","offset":42,"event":{"type":"completed","job":"01KAT5X2M1RRD3Z8A0V5B9C7QE","kind":"chat","attempt":1,"time":1772710371837,"data":{"msg":"message with forty characters, or so","time":1772710371837}}}"#;

const CASES: &[Case] = &[
    Case::new("frame/read", 1_000, read),
    Case::new("frame/write", 1_000, || {
        made(|| Frame::text(black_box(TEXT)))
    }),
    Case::new("frame/job", 1_000, || made(|| chat_job(black_box(TEXT)))),
    Case::new("encode/queued/plain", 1_000, || encoded(QUEUED, true)),
    Case::new("encode/completed/plain", 1_000, || encoded(COMPLETED, true)),
    Case::new("encode/completed/session", 1_000, || {
        encoded(COMPLETED, false)
    }),
    Case::new("deliver/plain/1", 500, || deliver(1, true)),
    Case::new("deliver/plain/1000", 20, || deliver(1_000, true)),
    Case::new("deliver/session/1", 500, || deliver(1, false)),
    Case::new("deliver/session/1000", 20, || deliver(1_000, false)),
];

fn main() -> ExitCode {
    cases::main(CASES)
}

#[divan::bench(args = CASES)]
fn delivery(bencher: divan::Bencher<'_, '_>, case: &Case) {
    bencher.bench_local((case.prepare)());
}

/// A client that sends the same for ever.
struct Chatterbox(Cursor<Vec<u8>>);

impl AsyncRead for Chatterbox {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let place = usize::try_from(self.0.position()).unwrap_or_default();
        let rest = &self.0.get_ref()[place..];
        let part = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(part);
        let next = (place + part.len()) % self.0.get_ref().len();
        self.0.set_position(next as u64);
        Poll::Ready(Ok(()))
    }
}

fn read() -> Box<dyn FnMut()> {
    let mut client = WebSocket::from_raw_socket(Cursor::new(Vec::new()), Role::Client, None);
    client
        .send(Message::text(TEXT))
        .expect("there is room for a message");
    let wire = client.get_ref().get_ref().clone();
    let mut inbound = Inbound::new(Chatterbox(Cursor::new(wire)), &[], 1_000);
    Box::new(move || {
        let read = inbound.next().now_or_never();
        assert!(matches!(black_box(read), Some(Ok(Message::Text(_)))));
    })
}

fn event(json: &'static str) -> Envelope<'static> {
    serde_json::from_str(json).expect("an event as scripts write it")
}

fn encoded(json: &'static str, is_plain: bool) -> Box<dyn FnMut()> {
    let events = [event(json)];
    assert!(encode(&events, is_plain) > 0);
    made(move || encode(black_box(&events), is_plain))
}

/// Delivers an event to so many, and takes it from them as their writers do.
fn deliver(clients: usize, is_plain: bool) -> Box<dyn FnMut()> {
    let events = [event(COMPLETED)];
    let mut crowd = Crowd::new(clients, is_plain);
    Box::new(move || {
        crowd.deliver(black_box(&events));
        assert_eq!(crowd.take(), clients);
    })
}
