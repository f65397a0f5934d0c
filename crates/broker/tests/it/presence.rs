//! Who is in a room: exactly, whatever dies.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use broker::{
    Entrant, Feed, Presence, PresenceStats,
    testing::{TestRedis, until},
};

use crate::house::{raw, room};

struct Hall {
    server: TestRedis,
    presence: Presence,
}

impl Hall {
    async fn new() -> Self {
        Self::on(TestRedis::start().await)
    }

    fn on(server: TestRedis) -> Self {
        let presence = Presence::new(server.connect("test"), Presence::TTL);
        Self { server, presence }
    }

    /// A server whose entries live only so long.
    fn dying(&self, ttl_ms: u64) -> Presence {
        Presence::new(self.server.connect("test"), Duration::from_millis(ttl_ms))
    }

    async fn stats(&self, feed: &Feed) -> (u64, u64) {
        let PresenceStats { clients, users } = self.presence.stats(feed).await.unwrap();
        (clients, users)
    }

    /// Clients and users in a room.
    async fn list(&self, feed: &Feed) -> BTreeMap<String, String> {
        let present = self.presence.list(feed).await.unwrap();
        assert!(present.complete);
        let user = |info: &str| {
            let info: serde_json::Value = serde_json::from_str(info).unwrap();
            info["user"].as_str().unwrap().to_owned()
        };
        let clients = present.clients.into_iter();
        clients
            .map(|(client, info)| (client, user(info.get())))
            .collect()
    }

    async fn size(&self) -> u64 {
        self.server.command(&["DBSIZE"]).await
    }
}

fn named(user: &str) -> Box<serde_json::value::RawValue> {
    raw(&format!(r#"{{"user":"{user}"}}"#))
}

fn entrant(feed: &Feed, client: impl Display, user: &str) -> Entrant {
    Entrant {
        feed: feed.clone(),
        client: client.to_string(),
        info: named(user),
    }
}

#[tokio::test]
async fn clients_enter_and_leave_and_are_counted_exactly() {
    let hall = Hall::new().await;
    let feed = room("lobby");
    let enter = async |client: &str, user: &str| {
        let info = named(user);
        hall.presence.enter(&feed, client, &info).await.unwrap()
    };
    assert_eq!(hall.stats(&feed).await, (0, 0));
    assert!(hall.list(&feed).await.is_empty());
    assert!(enter("a1", "a").await);
    assert!(enter("a2", "a").await);
    assert!(enter("b1", "b").await);
    assert!(enter("x1", "").await);
    assert!(enter("x2", "").await);
    assert!(!enter("a1", "a").await);
    assert_eq!(hall.stats(&feed).await, (5, 3));
    // The same client as another user.
    assert!(!enter("b1", "c").await);
    assert_eq!(hall.stats(&feed).await, (5, 3));
    assert!(!enter("b1", "a").await);
    assert_eq!(hall.stats(&feed).await, (5, 2));
    let there = hall.list(&feed).await;
    let expected = [
        ("a1", "a"),
        ("a2", "a"),
        ("b1", "a"),
        ("x1", ""),
        ("x2", ""),
    ];
    assert_eq!(
        there,
        expected
            .map(|(client, user)| (client.into(), user.into()))
            .into()
    );
    assert!(hall.presence.leave(&feed, "a1").await.unwrap());
    assert!(!hall.presence.leave(&feed, "a1").await.unwrap());
    assert_eq!(hall.stats(&feed).await, (4, 2));
    let rest = ["a2", "b1", "nobody", "x1", "x2"].map(|client| (feed.clone(), client.to_owned()));
    let were = hall.presence.leave_all(&rest).await.unwrap();
    assert_eq!(were, [true, true, false, true, true]);
    assert_eq!(hall.size().await, 0);
}

#[tokio::test]
async fn a_dead_servers_clients_go_and_others_stay() {
    let hall = Hall::new().await;
    let feed = room("lobby");
    let dying = hall.dying(1_000);
    let all: Vec<_> = (0..1200)
        .map(|n| entrant(&feed, n, &format!("u{}", n % 400)))
        .collect();
    assert!(dying.enter_all(&all).await.unwrap().iter().all(|new| *new));
    let living = entrant(&feed, "living", "u1");
    hall.presence.enter_all(&[living]).await.unwrap();
    // First those who only read are right, and then those who sweep.
    until("only the living one is listed", async || {
        (hall.list(&feed).await.len() == 1).then_some(())
    })
    .await;
    let kept: u64 = hall.server.command(&["ZCARD", "test{@}:due:lobby"]).await;
    assert!(kept > 500, "{kept} are too few to be swept in two steps");
    assert_eq!(hall.stats(&feed).await, (1, 1));
    let users: BTreeMap<String, u64> = hall
        .server
        .command(&["HGETALL", "test{@}:users:lobby"])
        .await;
    assert_eq!(users, BTreeMap::from([("u1".to_owned(), 1)]));
    // Whoever died enters anew.
    let again = entrant(&feed, "7", "u7");
    assert_eq!(hall.presence.enter_all(&[again]).await.unwrap(), [true]);
    assert_eq!(hall.stats(&feed).await, (2, 2));
}

#[tokio::test]
async fn a_refresh_keeps_clients_and_keys() {
    let hall = Hall::new().await;
    let (feed, other) = (room("lobby"), Feed::room("test", "ns", "lobby"));
    let dying = hall.dying(1_500);
    let two = [entrant(&feed, "a", "a"), entrant(&other, "b", "b")];
    dying.enter_all(&two).await.unwrap();
    let beat = [
        (feed.clone(), "a".to_owned()),
        (feed.clone(), "nobody".to_owned()),
        (other.clone(), "b".to_owned()),
    ];
    // Another server with the usual time to live.
    let found = hall.presence.refresh(&beat).await.unwrap();
    assert_eq!(found, [true, false, true]);
    dying.refresh(&beat).await.unwrap();
    hall.presence.refresh(&beat).await.unwrap();
    for key in ["due", "who", "users"] {
        let key = format!("test{{@}}:{key}:lobby");
        let left: u64 = hall.server.command(&["PTTL", &key]).await;
        assert!((50_000..=60_000).contains(&left), "{key} lives {left} ms");
    }
    // A room whose users change has keys that die all the same.
    dying.leave(&feed, "a").await.unwrap();
    dying.enter(&other, "b", &named("another")).await.unwrap();
    dying.enter(&feed, "c", &named("c")).await.unwrap();
    dying.enter(&feed, "c", &named("d")).await.unwrap();
    hall.presence.leave(&other, "b").await.unwrap();
    until("nothing is left", async || {
        (hall.size().await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_late_client_is_swept_by_whoever_comes() {
    let hall = Hall::new().await;
    let feed = room("lobby");
    hall.dying(1).enter(&feed, "a", &named("a")).await.unwrap();
    hall.presence.enter(&feed, "b", &named("b")).await.unwrap();
    until("the late one is not listed", async || {
        (hall.list(&feed).await.len() == 1).then_some(())
    })
    .await;
    assert!(!hall.presence.leave(&feed, "a").await.unwrap());
    let beat = [(feed.clone(), "a".to_owned())];
    assert_eq!(hall.presence.refresh(&beat).await.unwrap(), [false]);
    assert_eq!(hall.stats(&feed).await, (1, 1));
}

#[tokio::test]
async fn a_list_ends_where_it_gets_too_long() {
    let hall = Hall::new().await;
    let feed = room("lobby");
    let more = Presence::MOST + 500;
    let all: Vec<_> = (0..more).map(|n| entrant(&feed, n, "")).collect();
    hall.presence.enter_all(&all).await.unwrap();
    let present = hall.presence.list(&feed).await.unwrap();
    assert_eq!(
        (present.clients.len(), present.complete),
        (Presence::MOST, false)
    );
    assert_eq!(hall.stats(&feed).await, (more as u64, 1));
    let some: Vec<_> = (0..500)
        .map(|n: u32| (feed.clone(), n.to_string()))
        .collect();
    hall.presence.leave_all(&some).await.unwrap();
    assert_eq!(hall.list(&feed).await.len(), Presence::MOST);
}

#[tokio::test]
async fn clients_enter_again_after_redis_lost_its_memory() {
    let mut hall = Hall::new().await;
    let feed = room("lobby");
    let all: Vec<_> = (0..300).map(|n| entrant(&feed, n, "a")).collect();
    hall.presence.enter_all(&all).await.unwrap();
    hall.server.kill();
    assert!(hall.presence.leave(&feed, "1").await.is_err());
    hall.server.run().await;
    let beat: Vec<_> = (0..300)
        .map(|n: u32| (feed.clone(), n.to_string()))
        .collect();
    let found = until("Redis answers", async || {
        hall.presence.refresh(&beat).await.ok()
    })
    .await;
    assert!(found.iter().all(|found| !found));
    hall.presence.enter_all(&all).await.unwrap();
    assert_eq!(hall.stats(&feed).await, (300, 1));
}

#[tokio::test]
async fn odd_names_of_rooms_clients_and_users_are_kept_apart() {
    let hall = Hall::new().await;
    let names = [
        "#7",
        "a b",
        "*",
        "{x}",
        "a:b",
        "",
        "3:a",
        "\u{1f600}",
        "a\nb",
        "?",
    ];
    for name in names {
        for client in names {
            let info = serde_json::json!({ "user": client, "conn_info": { "a": ":" } });
            let entrant = Entrant {
                feed: room(name),
                client: client.to_owned(),
                info: raw(&info.to_string()),
            };
            assert_eq!(hall.presence.enter_all(&[entrant]).await.unwrap(), [true]);
        }
    }
    let expected: BTreeMap<_, _> = names.map(|name| (name.to_owned(), name.to_owned())).into();
    for name in names {
        assert_eq!(hall.list(&room(name)).await, expected);
        assert_eq!(hall.stats(&room(name)).await, (10, 10));
    }
    assert_eq!(hall.size().await, 30);
    let all: Vec<_> = names
        .iter()
        .flat_map(|name| names.map(|client| (room(name), client.to_owned())))
        .collect();
    let were = hall.presence.leave_all(&all).await.unwrap();
    assert!(were.iter().all(|was| *was));
    assert_eq!(hall.size().await, 0);
}
