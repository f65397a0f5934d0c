//! What clients send is read, and what is sent to them has the form that SDKs want.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{
    BadFrame, ClientError, ConnectResult, Disconnect, Method, SubscribeResult, Unsubscribe,
    commands, error, event_publication, push, result, room_publication, unsubscribed,
};
use crate::ErrorCode;

fn bad(frame: &str) -> Option<BadFrame> {
    commands(frame).find_map(Result::err)
}

#[test]
fn a_frame_holds_any_number_of_commands() {
    let frame = "{\"id\":4,\"connect\":{\"token\":\"a.b.c\",\"name\":\"js\",\"unknown\":[1]}}\n\
                 {\"id\":5,\"subscribe\":{\"channel\":\"room:1\",\"flag\":1,\"recover\":true,\"offset\":43,\"epoch\":\"kQz\"}}\n\
                 {\"send\":{\"data\":1}}\n{}\n{\"id\":0}\n";
    let commands: Vec<_> = commands(frame).map(Result::unwrap).collect();
    assert_eq!(commands.len(), 5);
    assert!(matches!(&commands[0].method, Method::Connect(c) if c.token == "a.b.c"));
    let Method::Subscribe(subscribe) = &commands[1].method else {
        panic!("no subscribe");
    };
    assert!(subscribe.recover && subscribe.offset == 43 && subscribe.epoch == "kQz");
    assert!(matches!(commands[2].method, Method::Send(_)));
    assert!(matches!(commands[3].method, Method::Pong));
    assert!(matches!(commands[4].method, Method::Pong));
}

#[test]
fn what_breaks_the_rules_is_told() {
    assert_eq!(bad(""), Some(BadFrame::Empty));
    assert_eq!(bad("{}\n\n{}"), Some(BadFrame::Empty));
    assert_eq!(bad("{}\n\n"), Some(BadFrame::Empty));
    assert_eq!(bad("nonsense"), Some(BadFrame::Json));
    assert_eq!(bad("[]"), Some(BadFrame::Json));
    assert_eq!(bad(r#"{"id":-1,"ping":{}}"#), Some(BadFrame::Json));
    assert_eq!(bad(r#"{"id":1}"#), Some(BadFrame::NoMethod));
    assert_eq!(bad(r#"{"id":1,"dance":{}}"#), Some(BadFrame::NoMethod));
    assert_eq!(
        bad(r#"{"id":1,"subscribe":{"channel":7}}"#),
        Some(BadFrame::Json)
    );
    for array in [
        r#"{"id":1,"connect":[]}"#,
        r#"{"id":1,"connect":["token"]}"#,
        r#"{"id":1,"history":{"channel":"a","since":[1,"e"]}}"#,
    ] {
        assert_eq!(bad(array), Some(BadFrame::Json), "{array}");
    }
    // The first method in the protocol's order counts.
    let both = commands(r#"{"id":1,"publish":{},"connect":{}}"#).next();
    assert!(matches!(both.unwrap().unwrap().method, Method::Connect(_)));
}

#[test]
fn replies_leave_out_what_is_empty_and_keep_to_one_line() {
    let connected = ConnectResult {
        client: "c",
        version: "1",
        ping: 25,
        pong: true,
        ..ConnectResult::default()
    };
    assert_eq!(
        result(1, "connect", &connected),
        r#"{"id":1,"connect":{"client":"c","version":"1","ping":25,"pong":true}}"#
    );
    let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    let subscribed = SubscribeResult {
        publications: vec![raw("{\"data\":[1,\n2]}")],
        recovered: true,
        ..SubscribeResult::default()
    };
    assert_eq!(
        result(2, "subscribe", &subscribed),
        r#"{"id":2,"subscribe":{"publications":[{"data":[1, 2]}],"recovered":true}}"#
    );
    assert_eq!(
        result(3, "unsubscribe", &serde_json::json!({})),
        r#"{"id":3,"unsubscribe":{}}"#
    );
    assert_eq!(
        error(4, &ClientError::internal()),
        r#"{"id":4,"error":{"code":100,"message":"internal server error","temporary":true}}"#
    );
    assert_eq!(
        unsubscribed("a\"b", Unsubscribe::InsufficientState),
        r#"{"push":{"channel":"a\"b","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#
    );
    assert_eq!(
        push("a", "pub", &event_publication(r#"{"type":"queued"}"#, 3)),
        r#"{"push":{"channel":"a","pub":{"data":{"type":"queued"},"offset":3}}}"#
    );
    assert_eq!(
        room_publication(r#"{"data":{}}"#, 7),
        r#"{"data":{},"offset":7}"#
    );
    assert_eq!(room_publication(r#"{"data":{}}"#, 0), r#"{"data":{}}"#);
}

#[test]
fn a_refused_job_says_our_code_and_whether_to_try_again() {
    let full = ClientError::job(ErrorCode::QueueFull, &"later");
    assert_eq!((full.code, full.temporary), (429, true));
    assert_eq!(full.message, "queue_full: later");
    assert_eq!(ClientError::job(ErrorCode::InvalidJob, &"no").code, 400);
}

#[test]
fn reasons_of_closes_are_words_that_fit() {
    for close in [
        Disconnect::Shutdown,
        Disconnect::InvalidToken,
        Disconnect::TooManyErrors,
    ] {
        assert!(!close.reason().is_empty() && close.reason().len() <= 123);
        assert!(serde_json::from_str::<serde_json::Value>(close.reason()).is_err());
    }
}

/// Frames as an attacker would make them: pieces of real ones, in any order, with noise between.
fn frame() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("\n".to_owned()),
        Just("\"id\":1,".to_owned()),
        Just("\"id\":4294967296,".to_owned()),
        Just("\"subscribe\":{\"channel\":\"a:b\"}".to_owned()),
        Just("\"publish\":{\"channel\":\"a\",\"data\":".to_owned()),
        Just("\"rpc\":{\"method\":\"job.submit\",\"data\":{}}".to_owned()),
        Just("\"history\":{\"limit\":-1,\"since\":{\"offset\":1}}".to_owned()),
        Just("\\u0000\\ud800".to_owned()),
        Just("[".repeat(200)),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// How many frames are tried: `FUZZ_CASES=10000000 cargo test --release -p protocol any_frame`.
fn cases() -> u32 {
    let cases = std::env::var("FUZZ_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_is_read_or_refused(frame in frame()) {
        for command in commands(&frame).flatten() {
            prop_assert!(command.id > 0 || matches!(command.method, Method::Pong | Method::Send(_)));
        }
        // The plain protocol reads the same frames.
        let _ = crate::plain::parse(&frame);
    }
}
