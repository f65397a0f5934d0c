//! A server that does what it must, and one that makes a fault.

use std::{
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

use super::{Length, Path, PathFigures};
use crate::load::{Order, Pace, Watched};

/// What is done to the frames of the fifth message: it is given its text and its result.
type Fault = fn(&str, &str) -> Vec<String>;

fn all(text: &str, result: &str) -> Vec<String> {
    vec![text.to_owned(), result.to_owned()]
}

fn serve(mut socket: WebSocket<TcpStream>, fault: Fault) {
    let mut count = 0;
    while let Ok(Message::Text(text)) = socket.read() {
        count += 1;
        let result = format!(r#"{{"msg":"{text}","time":1772710371837}}"#);
        let frames = if count == 5 { fault } else { all };
        for frame in frames(&text, &result) {
            // Who saw enough is gone.
            if socket.send(Message::text(frame)).is_err() {
                return;
            }
        }
    }
}

/// Puts load on a server of one connection that makes one fault.
fn load(fault: Fault, pace: Pace) -> anyhow::Result<PathFigures> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(accept(stream).unwrap(), fault);
    });
    let path = Path {
        port,
        path: "/".to_owned(),
        senders: 1,
        receivers: 1,
        bytes: 100,
        pace,
        warm_up: Duration::ZERO,
        length: Length::Messages(50),
        order: Order::Strict,
    };
    let figures = path.run(&[Watched::generator()]);
    server.join().unwrap();
    figures
}

#[test]
fn a_server_that_does_it_well_is_measured() {
    let figures = load(all, Pace::Window(10)).unwrap();
    assert!(figures.messages >= 50);
    assert!(figures.result_ms.samples >= 40, "{figures:?}");
    assert!(figures.result_ms.p50 >= figures.message_ms.p50);
    assert_eq!(figures.usage[0].name, "generator");
}

#[test]
fn an_open_loop_sends_at_its_times() {
    let figures = load(all, Pace::Rate(1_000.0)).unwrap();
    // The last may be sent before the first are back, never earlier than they are due.
    assert!(figures.seconds > 0.045, "{figures:?}");
}

#[test]
fn every_fault_is_seen() {
    let faults: [(&str, Fault); 7] = [
        // Whose message is lost gets its result too early.
        ("before its message", |_, result| vec![result.to_owned()]),
        ("was next", |text, _| vec![text.to_owned()]),
        ("came again", |text, result| {
            vec![text.to_owned(), text.to_owned(), result.to_owned()]
        }),
        ("came again", |text, result| {
            vec![text.to_owned(), result.to_owned(), result.to_owned()]
        }),
        ("before its message", |text, result| {
            vec![result.to_owned(), text.to_owned()]
        }),
        ("unexpected", |text, result| {
            vec![format!("{text}."), result.to_owned()]
        }),
        ("unexpected", |text, _| {
            vec![text.to_owned(), r#"{"error":"unavailable"}"#.to_owned()]
        }),
    ];
    for (index, (why, fault)) in faults.into_iter().enumerate() {
        let error = load(fault, Pace::Window(3)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(why), "fault {index}: {error}");
    }
}
