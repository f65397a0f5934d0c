//! The path of a message through everything.

use e2e::{Client, Ledger, Settings, System};
use protocol::ChatResult;

use crate::traffic::{drained, settle};

#[tokio::test]
async fn a_message_and_its_result_reach_every_client_of_every_server() {
    let system = System::start(Settings {
        servers: 2,
        workers: 3,
        ..Settings::default()
    })
    .await;
    let mut here = system.client(0).await;
    let there = system.client(1).await;
    assert!(
        here.send(r#"{"msg":"hi I am here :)","time":1772710371837}"#)
            .await
    );
    for client in [&here, &there] {
        let texts = client.until_count(2).await;
        assert_eq!(texts[0], "hi I am here :)");
        let value: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&texts[1]).unwrap();
        assert_eq!(value.keys().collect::<Vec<_>>(), ["msg", "time"]);
        assert_eq!(value["msg"], "hi I am here :)");
        assert!(value["time"].as_u64().unwrap() > 1_700_000_000_000);
    }
}

#[tokio::test]
async fn every_client_sees_every_message_once_and_in_order() {
    let system = System::start(Settings {
        servers: 2,
        workers: 3,
        ..Settings::default()
    })
    .await;
    let mut senders = Vec::new();
    for n in 0..4 {
        senders.push(system.client(n % 2).await);
    }
    for round in 0..100 {
        for (n, sender) in senders.iter_mut().enumerate() {
            assert!(sender.send(&format!("{n} says {round}")).await);
        }
    }
    let clients: Vec<&Client> = senders.iter().collect();
    settle(&clients, 400).await;
    // Messages of one client keep their order, as text, for everybody.
    for client in clients {
        for n in 0..4 {
            let own: Vec<_> = client.texts();
            let own: Vec<_> = own
                .iter()
                .filter(|text| text.starts_with(&format!("{n} says")))
                .collect();
            let expected: Vec<_> = (0..100).map(|round| format!("{n} says {round}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>());
        }
    }
    drained(&system).await;
}

#[tokio::test]
async fn control_characters_and_emoji_come_back_as_they_were() {
    let system = System::start(Settings::default()).await;
    let mut client = system.client(0).await;
    let odd = [
        "\u{0}\u{7}\u{1b}[31m\t\r\n\"\\",
        "🦀👩‍👩‍👧‍👦 \u{202e}abc",
        "[1,2]",
        "null",
        " ",
        "{}",
        "\u{feff}x",
    ];
    for text in odd {
        assert!(client.send(text).await);
    }
    let frames = client.until_count(odd.len() * 2).await;
    let results: Vec<ChatResult<'_>> = frames
        .iter()
        .filter_map(|frame| serde_json::from_str(frame).ok())
        .collect();
    for text in odd {
        assert!(
            frames.iter().any(|frame| frame == text),
            "{text:?} did not come"
        );
        assert!(
            results.iter().any(|result| result.msg == text),
            "{text:?} has no result"
        );
    }
}

#[tokio::test]
async fn it_works_without_a_queue_manager() {
    let system = System::start(Settings {
        managers: 0,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    assert!(client.send("hello").await);
    settle(&[&client], 1).await;
}

#[tokio::test]
async fn two_workers_of_one_name_work_side_by_side() {
    let worker = vec!["--name".to_owned(), "twin".to_owned()];
    let system = System::start(Settings {
        workers: 2,
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    for n in 0..200 {
        assert!(client.feed(&format!("twin {n}")).await);
    }
    assert!(client.flush().await);
    settle(&[&client], 200).await;
    let (_, totals) = system.inspector().counts(&System::chat()).await.unwrap();
    assert_eq!((totals.completed, totals.stale, totals.lost), (200, 0, 0));
}

#[tokio::test]
async fn a_flood_of_one_client_leaves_room_for_the_others() {
    let system = System::start(Settings {
        servers: 1,
        workers: 2,
        ..Settings::default()
    })
    .await;
    let mut flood = system.client(0).await;
    let mut other = system.client(0).await;
    for n in 0..5_000 {
        assert!(flood.feed(&format!("flood {n}")).await);
    }
    // The other speaks while the flood is on its way.
    assert!(other.send("may I").await);
    assert!(flood.flush().await);
    let frames = other.until_count(2).await;
    assert!(!frames.is_empty());
    settle(&[&flood, &other], 5_001).await;
    let place = other
        .texts()
        .iter()
        .position(|text| text == "may I")
        .unwrap();
    assert!(
        place < 5_000,
        "the other client was served last, at {place}"
    );
    assert_eq!(Ledger::of(&other.texts()).accepted(), 5_001);
}
