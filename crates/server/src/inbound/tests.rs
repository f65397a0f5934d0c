//! What a client writes is what is read, however it is cut; and what is against the rules is told apart.

use std::io::{self, Cursor, Read, Write};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{Role, WebSocket, WebSocketConfig},
};

use super::Inbound;
use crate::Close;

/// What a client's library writes for these messages, masked.
fn wire(messages: &[Message]) -> Vec<u8> {
    let socket = std::io::Cursor::new(Vec::new());
    let mut client = WebSocket::from_raw_socket(socket, Role::Client, None);
    for message in messages {
        client.send(message.clone()).unwrap();
    }
    client.get_ref().get_ref().clone()
}

#[tokio::test]
async fn what_was_read_with_the_request_is_not_lost() {
    let sent = [
        Message::text("one"),
        Message::Ping("x".into()),
        Message::text("zwölf"),
    ];
    let wire = wire(&sent);
    for split in 0..wire.len() {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(&wire[split..]).await.unwrap();
        let mut inbound = Inbound::new(server, &wire[..split], 100);
        for message in &sent {
            assert_eq!(&inbound.next().await.unwrap(), message);
        }
    }
}

#[tokio::test]
async fn errors_are_told_apart() {
    let long = wire(&[Message::text("x".repeat(101))]);
    let unmasked = [0x81, 1, b'x'];
    let reserved = [0xF1, 0x80, 0, 0, 0, 0];
    let not_text = [0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28];
    let cases: [(&[u8], Close); 5] = [
        (&long, Close::TooLarge),
        (&unmasked, Close::Protocol),
        (&reserved, Close::Protocol),
        (&not_text, Close::NotUtf8),
        (&[], Close::Gone),
    ];
    for (bytes, close) in cases {
        let mut inbound = Inbound::new(tokio::io::empty(), bytes, 100);
        assert_eq!(Close::of_error(&inbound.next().await.unwrap_err()), close);
    }
}

/// A frame as a client writes it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x1f, 0xa2, 0x03, 0xe4];
    let mut wire = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => wire.push(0x80 | length),
        _ => {
            wire.push(0x80 | 0x7E);
            wire.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    wire.extend(mask);
    wire.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    wire
}

async fn read(wire: &[u8], max_bytes: usize) -> Result<Message, Close> {
    let mut inbound = Inbound::new(wire, &[], max_bytes);
    inbound
        .next()
        .await
        .map_err(|error| Close::of_error(&error))
}

#[tokio::test]
async fn fragments_make_a_message_and_controls_may_come_between() {
    let text = "zwölf Boxkämpfer 🦀";
    for cut in 0..text.len() {
        let (first, last) = text.as_bytes().split_at(cut);
        let wire = [
            frame(0x01, first),
            frame(0x89, b"p"),
            frame(0x00, b""),
            frame(0x80, last),
        ]
        .concat();
        let mut inbound = Inbound::new(&wire[..], &[], 100);
        assert_eq!(inbound.next().await.unwrap(), Message::Ping("p".into()));
        assert_eq!(inbound.next().await.unwrap(), Message::text(text));
        inbound.next().await.unwrap_err();
        assert_eq!(inbound.buffer.capacity(), 0, "nothing is kept");
    }
    let wire = [frame(0x02, b"ab"), frame(0x80, b"\xff")].concat();
    assert_eq!(read(&wire, 3).await, Ok(Message::binary(&b"ab\xff"[..])));
    assert_eq!(read(&wire, 2).await, Err(Close::TooLarge));
}

#[tokio::test]
async fn what_the_rules_forbid_is_refused() {
    let cases = [
        // A continuation of nothing, and a message within another.
        (frame(0x80, b"x"), Close::Protocol),
        (
            [frame(0x01, b"x"), frame(0x81, b"y")].concat(),
            Close::Protocol,
        ),
        // A control frame in parts, too long, or unknown.
        (frame(0x09, b"x"), Close::Protocol),
        (frame(0x89, &[b'x'; 126]), Close::Protocol),
        (frame(0x8B, b""), Close::Protocol),
        (frame(0x83, b""), Close::Protocol),
        // A close with half a code, or a reason that is no text.
        (frame(0x88, b"x"), Close::Protocol),
        (frame(0x88, b"\x03\xe8\xff"), Close::NotUtf8),
        // Known to be no text before it ends; or only there.
        (frame(0x01, b"\xc3\x28"), Close::NotUtf8),
        (
            [frame(0x01, b"\xc3"), frame(0x80, b"")].concat(),
            Close::NotUtf8,
        ),
    ];
    for (wire, close) in cases {
        assert_eq!(read(&wire, 200).await, Err(close), "{wire:?}");
    }
}

#[tokio::test]
async fn nothing_is_read_after_a_close() {
    for (payload, code) in [
        (&b"\x0f\xa0bye"[..], 4000),
        (b"\x03\xec", 1002),
        (b"", 1005),
    ] {
        let wire = [frame(0x88, payload), frame(0x81, b"x")].concat();
        let mut inbound = Inbound::new(&wire[..], &[], 100);
        let Ok(Message::Close(close)) = inbound.next().await else {
            panic!("no close");
        };
        assert_eq!(Close::of_peer(close.as_ref()).code(), code);
        let error = inbound.next().await.unwrap_err();
        assert_eq!(Close::of_error(&error), Close::Gone);
    }
}

/// What comes of these bytes: messages up to an end.
async fn all(mut next: impl AsyncFnMut() -> Result<Message, Error>) -> (Vec<Message>, Close) {
    let mut messages = Vec::new();
    loop {
        match next().await {
            Ok(message) => messages.push(message),
            Err(error) => return (messages, Close::of_error(&error)),
        }
    }
}

/// Whole frames of every kind, most of them right. What is refused by its header alone is refused sooner here.
fn random_wire(random: &mut StdRng) -> Vec<u8> {
    let payloads: [&[u8]; 7] = [
        b"",
        b"a",
        "zwölf".as_bytes(),
        "zw\u{f6}".as_bytes().split_at(3).0,
        b"\xb6",
        b"\x03\xe8bye",
        &[b'x'; 130],
    ];
    let firsts = [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88];
    let mut wire = Vec::new();
    for _ in 0..random.random_range(1..8) {
        let first = match random.random_range(0..=firsts.len()) {
            n if n < firsts.len() => firsts[n],
            _ => random.random(),
        };
        wire.extend(frame(
            first,
            payloads[random.random_range(0..payloads.len())],
        ));
    }
    wire
}

#[tokio::test]
async fn it_reads_what_tungstenite_reads() {
    for seed in 0..5_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let wire = random_wire(&mut random);
        let most = random.random_range(100..200);
        let config = WebSocketConfig::default()
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        let socket = Both(Cursor::new(wire.clone()));
        let mut theirs = WebSocket::from_raw_socket(socket, Role::Server, Some(config));
        let theirs = all(async || theirs.read()).await;
        let (part, rest) = wire.split_at(random.random_range(0..=wire.len()));
        let mut inbound = Inbound::new(rest, part, most);
        let ours = all(async || inbound.next().await).await;
        assert_eq!(ours, theirs, "seed {seed}: {wire:?}");
    }
}

/// Bytes to read; what is written is forgotten.
struct Both(Cursor<Vec<u8>>);

impl Read for Both {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Both {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
