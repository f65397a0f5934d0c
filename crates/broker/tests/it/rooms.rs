//! Publishing to rooms: what is logged, what goes out, and what is left.

use std::{collections::BTreeSet, time::Duration};

use broker::{
    Feed, History, Part, Position, Publication, PublishError, Redis, Rooms, RoomsConfig,
    testing::{TestRedis, until},
};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::house::{Heard, House, LONG, event, publication, raw, room};

#[tokio::test]
async fn offsets_are_dense_and_what_is_heard_is_what_is_logged() {
    let house = House::new().await;
    let feed = room("lobby");
    let heard = Heard::of(&house, &feed).await;
    let mut epochs = BTreeSet::new();
    for n in 1..=20 {
        let at = house.say(&feed, n, Some(LONG)).await;
        assert_eq!(at.offset, n);
        epochs.insert(at.epoch);
    }
    assert_eq!(epochs.len(), 1, "{epochs:?}");
    let log = house.log(&feed).await;
    assert_eq!(log, (1..=20).map(|n| (n, event(n))).collect::<Vec<_>>());
    let epoch = epochs.pop_first().unwrap();
    let logged = log.into_iter().map(|(n, event)| (epoch.clone(), n, event));
    assert_eq!(heard.until(20).await, logged.collect::<Vec<_>>());
    // A history of its own has nothing to do with it.
    let other = house.say(&room("other"), "1", Some(LONG)).await;
    assert_eq!(other.offset, 1);
}

#[tokio::test]
async fn what_is_in_no_log_comes_in_order_with_what_is() {
    let house = House::new().await;
    let feed = room("lobby");
    let heard = Heard::of(&house, &feed).await;
    let join = raw(r#"{"join":{"info":{"user":"a"}}}"#);
    let (said, joined, logged, left) = tokio::join!(
        house
            .rooms
            .publish(&feed, publication("1,\n\"tags\":\n{}", None)),
        house.rooms.announce(&feed, &join),
        house.rooms.publish(&feed, publication("2", Some(LONG))),
        house.rooms.announce(&feed, &join),
    );
    assert_eq!(said.unwrap(), Position::default());
    let at = logged.unwrap();
    assert_eq!(at.offset, 1);
    joined.unwrap();
    left.unwrap();
    let nowhere = |event: &str| (String::new(), 0, event.to_owned());
    let expected = [
        nowhere(r#"{"pub":{"data":1, "tags": {}}}"#),
        nowhere(join.get()),
        (at.epoch, 1, event(2)),
        nowhere(join.get()),
    ];
    assert_eq!(heard.until(4).await, expected);
    assert_eq!(house.log(&feed).await, [(1, event(2))]);
}

#[tokio::test]
async fn a_history_keeps_its_size_and_what_it_counts_is_right() {
    let house = House::new().await;
    let feed = room("lobby");
    let ten = History { size: 10, ..LONG };
    let many = (0..300).map(|n| house.say(&feed, format!("\"{n:0>50}\""), Some(LONG)));
    join_all(many).await;
    assert_eq!(house.log(&feed).await.len(), 100);
    // Many at once, and each by itself.
    join_all((0..55).map(|n| house.say(&feed, n, Some(ten)))).await;
    assert_eq!(house.log(&feed).await.len(), 10);
    for n in 55..60 {
        house.say(&feed, n, Some(ten)).await;
        assert_eq!(house.log(&feed).await.len(), 10);
    }
    let log = house.log(&feed).await;
    let expected: Vec<_> = (50..60).map(|n| (301 + n, event(n))).collect();
    assert_eq!(log, expected);
    let top: Vec<u64> = house
        .server
        .command(&["HMGET", "test{@}:top:lobby", "o", "f", "b"])
        .await;
    let bytes: usize = log.iter().map(|(_, event)| event.len()).sum();
    assert_eq!(top, [360, 351, bytes as u64]);
}

#[tokio::test]
async fn entries_expire_before_the_position_and_then_that_too() {
    let house = House::new().await;
    let feed = room("lobby");
    let short = History::new(10, Duration::from_millis(20));
    let first = house.say(&feed, "1", Some(short)).await;
    house.say(&feed, "2", Some(short)).await;
    until("the entries are gone", async || {
        house.log(&feed).await.is_empty().then_some(())
    })
    .await;
    let page = house.redis.log(&feed, Part::After(0), 1, 1).await.unwrap();
    let at = Position {
        offset: 2,
        ..first.clone()
    };
    assert_eq!(page.top.position, at);
    let left: u64 = house.server.command(&["PTTL", "test{@}:top:lobby"]).await;
    assert!(left > 29 * 24 * 3600 * 1000);
    // What was there before does not count any more.
    let third = house.say(&feed, "3", Some(LONG)).await;
    assert_eq!((&third.epoch, third.offset), (&first.epoch, 3));
    let top: Vec<usize> = house
        .server
        .command(&["HMGET", "test{@}:top:lobby", "f", "b"])
        .await;
    assert_eq!(top, [3, event(3).len()]);
    let gone = History {
        meta_ttl: Duration::from_millis(50),
        ..short
    };
    house.say(&feed, "4", Some(gone)).await;
    until("nothing is left", async || {
        house.keys().await.is_empty().then_some(())
    })
    .await;
    let again = house.say(&feed, "5", Some(LONG)).await;
    assert_eq!(again.offset, 1);
    assert_ne!(again.epoch, first.epoch);
}

#[tokio::test]
async fn a_removed_history_goes_on() {
    let house = House::new().await;
    let feed = room("lobby");
    house.rooms.history_remove(&feed).await.unwrap();
    assert!(house.keys().await.is_empty());
    let first = house.say(&feed, "1", Some(LONG)).await;
    house.say(&feed, "2", Some(LONG)).await;
    house.rooms.history_remove(&feed).await.unwrap();
    assert_eq!(house.log(&feed).await, []);
    let at = house.say(&feed, "3", Some(LONG)).await;
    assert_eq!((at.epoch, at.offset), (first.epoch, 3));
    assert_eq!(house.log(&feed).await, [(3, event(3))]);
}

#[tokio::test]
async fn the_same_key_publishes_once_in_a_room() {
    let house = House::new().await;
    let (feed, other) = (room("lobby"), room("lobby:x"));
    let heard = Heard::of(&house, &feed).await;
    let keyed = |data: &str, key: &str, history| Publication {
        key: Some(key.to_owned()),
        ..publication(data, history)
    };
    // In one batch, and in another.
    let (first, same) = tokio::join!(
        house.rooms.publish(&feed, keyed("1", "x:k", Some(LONG))),
        house.rooms.publish(&feed, keyed("2", "x:k", Some(LONG))),
    );
    let first = first.unwrap();
    assert_eq!(first.offset, 1);
    assert_eq!(same.unwrap(), first);
    house.say(&feed, "3", Some(LONG)).await;
    let later = keyed("4", "x:k", Some(LONG));
    assert_eq!(house.rooms.publish(&feed, later).await.unwrap(), first);
    // Keys of one room mean nothing in another, whatever they are made of.
    let elsewhere = house.rooms.publish(&other, keyed("1", "k", Some(LONG)));
    assert_eq!(elsewhere.await.unwrap().offset, 1);
    let unlogged = keyed("5", "\u{1f600} b", None);
    for _ in 0..2 {
        let at = house.rooms.publish(&feed, unlogged.clone()).await.unwrap();
        assert_eq!(at, Position::default());
    }
    house.say(&feed, "6", Some(LONG)).await;
    let heard: Vec<_> = heard
        .until(4)
        .await
        .into_iter()
        .map(|line| line.2)
        .collect();
    assert_eq!(heard, [event(1), event(3), event(5), event(6)]);
    let keys = house.keys().await;
    let mut kept = 0;
    for key in keys.iter().filter(|key| key.contains("}:idem:")) {
        let left: u64 = house.server.command(&["PTTL", key]).await;
        assert!((200_000..=300_000).contains(&left), "{key} stays {left} ms");
        kept += 1;
    }
    assert_eq!(kept, 3);
}

#[tokio::test]
async fn publishers_on_several_servers_keep_offsets_dense() {
    let house = House::new().await;
    let feed = room("lobby");
    let heard = Heard::of(&house, &feed).await;
    let servers: Vec<_> = (0..4)
        .map(|_| {
            let redis = house.server.connect("test");
            Rooms::spawn(redis, RoomsConfig::default(), &house.tracker)
        })
        .collect();
    let all = History { size: 1000, ..LONG };
    let handing_in = join_all(
        servers
            .iter()
            .enumerate()
            .map(|(server, rooms)| async move {
                let mut publishing = Vec::new();
                for n in 0..200 {
                    let said = publication(&(server * 1000 + n).to_string(), Some(all));
                    publishing.push(rooms.begin(&room("lobby"), said).await.unwrap());
                }
                join_all(publishing).await
            }),
    );
    let mut offsets = Vec::new();
    for positions in handing_in.await {
        let own: Vec<_> = positions.into_iter().map(|at| at.unwrap().offset).collect();
        assert!(own.is_sorted(), "{own:?}");
        offsets.extend(own);
    }
    offsets.sort_unstable();
    assert_eq!(offsets, (1..=800).collect::<Vec<_>>());
    let heard = heard.until(800).await;
    let heard: Vec<_> = heard.into_iter().map(|(_, n, event)| (n, event)).collect();
    assert_eq!(heard, house.log(&feed).await);
}

#[tokio::test]
async fn rooms_of_several_namespaces_go_in_one_batch() {
    let house = House::new().await;
    let feeds: Vec<_> = (0..40)
        .map(|n| Feed::room("test", ["", "a", "b"][n % 3], &(n % 4).to_string()))
        .collect();
    let positions = join_all(feeds.iter().map(|feed| house.say(feed, "1", Some(LONG)))).await;
    for (n, (feed, at)) in feeds.iter().zip(positions).enumerate() {
        let before = feeds[..n].iter().filter(|other| *other == feed).count() as u64;
        assert_eq!(at.offset, before + 1, "{feed:?}");
    }
}

#[tokio::test]
async fn a_room_can_be_opened_before_anything_is_said() {
    let house = House::new().await;
    let feed = room("lobby");
    let heard = Heard::of(&house, &feed).await;
    let none = History { size: 0, ..LONG };
    let at = house.rooms.open(&feed, none).await.unwrap();
    assert_eq!(at, Position::default());
    assert!(house.keys().await.is_empty());
    let at = house.rooms.open(&feed, LONG).await.unwrap();
    assert_eq!((at.epoch.len(), at.offset), (8, 0));
    assert_eq!(house.rooms.open(&feed, LONG).await.unwrap(), at);
    let first = house.say(&feed, "1", Some(LONG)).await;
    assert_eq!((first.epoch, first.offset), (at.epoch, 1));
    assert_eq!(heard.until(1).await[0].2, event(1));
}

#[tokio::test]
async fn odd_names_stay_in_their_slot_and_collide_with_nothing() {
    let house = House::new().await;
    let names = [
        "#7",
        "a b",
        "*",
        "{x}",
        "a:b",
        "",
        "log:a",
        "\u{1f600}",
        "}{",
        "a\nb",
        "?",
        "[a]",
    ];
    let mut heard = Vec::new();
    for name in names {
        heard.push((name, Heard::of(&house, &room(name)).await));
    }
    for (n, name) in names.into_iter().enumerate() {
        let at = house.say(&room(name), n, Some(LONG)).await;
        assert_eq!(at.offset, 1, "{name:?}");
    }
    for (n, (name, heard)) in heard.iter().enumerate() {
        assert_eq!(heard.until(1).await[0].2, event(n), "{name:?}");
        assert_eq!(heard.until(1).await.len(), 1, "{name:?}");
    }
    let keys = house.keys().await;
    assert_eq!(keys.len(), 2 * names.len());
    assert!(keys.iter().all(|key| key.starts_with("test{@}:")));
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_published_once() {
    let house = House::new().await;
    let feed = room("lobby");
    let mut args = house.server.args("test");
    args.redis_timeout_ms = 200;
    let hasty = Redis::new(&args).unwrap();
    let config = RoomsConfig {
        accept_timeout: Duration::from_secs(60),
        ..RoomsConfig::default()
    };
    let rooms = Rooms::spawn(hasty, config, &house.tracker);
    rooms
        .publish(&feed, publication("0", Some(LONG)))
        .await
        .unwrap();
    args.redis_timeout_ms = 600;
    let patient = Redis::new(&args).unwrap();
    patient.ping().await.unwrap();
    house.server.stall();
    let publishing = join_all((1..=3).map(|n| {
        let said = publication(&n.to_string(), Some(LONG));
        rooms.publish(&feed, said)
    }));
    let stalled = async {
        // By then the batch waits in the buffer of a connection that was given up.
        assert!(patient.ping().await.is_err());
        house.server.resume();
    };
    let (positions, ()) = tokio::join!(publishing, stalled);
    let offsets: Vec<_> = positions.into_iter().map(|at| at.unwrap().offset).collect();
    assert_eq!(offsets, [2, 3, 4]);
    assert_eq!(
        house.log(&feed).await,
        (0..=3).map(|n| (n + 1, event(n))).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_restart_is_waited_for_and_offsets_go_on() {
    let mut house = House::on(TestRedis::durable().await);
    let feed = room("lobby");
    let before = house.say(&feed, "1", Some(LONG)).await;
    house.server.kill();
    let rooms = house.rooms.clone();
    let waiting = rooms.publish(&feed, publication("2", Some(LONG)));
    let (after, ()) = tokio::join!(waiting, house.server.run());
    let after = after.unwrap();
    assert_eq!(after.offset, 2);
    // Redis can't know that it lost nothing.
    assert_ne!(after.epoch, before.epoch);
    let page = house.redis.log(&feed, Part::After(0), 1, 1).await;
    let top = page.unwrap().top;
    assert!(top.goes_on_from(&before));
    assert_eq!(house.log(&feed).await, [(1, event(1)), (2, event(2))]);
}

#[tokio::test]
async fn who_waited_long_enough_is_told_so() {
    let mut house = House::new().await;
    let config = RoomsConfig {
        accept_timeout: Duration::from_millis(100),
        ..RoomsConfig::default()
    };
    let rooms = Rooms::spawn(house.redis.clone(), config, &house.tracker);
    house.server.kill();
    let result = rooms.publish(&room("lobby"), publication("1", None)).await;
    assert_eq!(result, Err(PublishError::Unconfirmed));
}

#[tokio::test]
async fn a_full_redis_refuses_and_takes_again() {
    let house = House::new().await;
    let limit = async |bytes: &str| -> String {
        let words = ["CONFIG", "SET", "maxmemory", bytes];
        house.server.command(&words).await
    };
    limit("1").await;
    let feed = room("lobby");
    let said = house.rooms.publish(&feed, publication("1", None));
    assert_eq!(said.await, Err(PublishError::Full));
    limit("0").await;
    assert_eq!(house.say(&feed, 1, Some(LONG)).await.offset, 1);
}

#[tokio::test]
async fn who_stops_publishes_first_or_says_so() {
    let mut house = House::new().await;
    let hard = CancellationToken::new();
    let config = RoomsConfig {
        hard: hard.clone(),
        ..RoomsConfig::default()
    };
    let rooms = Rooms::spawn(house.redis.clone(), config, &house.tracker);
    let said = publication("1", Some(LONG));
    let done = rooms.begin(&room("lobby"), said.clone()).await.unwrap();
    assert_eq!(done.await.unwrap().offset, 1);
    house.server.kill();
    let lost = rooms.begin(&room("lobby"), said).await.unwrap();
    drop((rooms, house.rooms));
    hard.cancel();
    house.tracker.close();
    house.tracker.wait().await;
    assert_eq!(lost.await, Err(PublishError::Unconfirmed));
}
