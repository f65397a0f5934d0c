//! What the tests of rooms put together: rooms on a private Redis, and followers that write down what they hear.

use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{Arc, Mutex},
    time::Duration,
};

use broker::{
    Envelope, Feed, Feeds, FollowState, History, Listener, Part, Position, Publication, Redis,
    Rooms, RoomsConfig,
    testing::{TestRedis, until},
};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub const LONG: History = History::new(100, Duration::from_secs(600));

/// Rooms on a private Redis.
pub struct House {
    pub server: TestRedis,
    pub redis: Redis,
    pub rooms: Rooms,
    pub tracker: TaskTracker,
}

impl House {
    pub async fn new() -> Self {
        Self::on(TestRedis::start().await)
    }

    pub fn on(server: TestRedis) -> Self {
        let redis = server.connect("test");
        let tracker = TaskTracker::new();
        let rooms = Rooms::spawn(redis.clone(), RoomsConfig::default(), &tracker);
        Self {
            server,
            redis,
            rooms,
            tracker,
        }
    }

    pub async fn say(&self, feed: &Feed, data: impl Display, history: Option<History>) -> Position {
        let publication = publication(&data.to_string(), history);
        self.rooms.publish(feed, publication).await.unwrap()
    }

    /// Offsets and events of a room's log.
    pub async fn log(&self, feed: &Feed) -> Vec<(u64, String)> {
        let part = Part::After(0);
        self.redis
            .log(feed, part, 10_000, usize::MAX)
            .await
            .unwrap()
            .entries
    }

    /// All keys, but for what a sender keeps of its latest batch, which goes a minute after it.
    pub async fn keys(&self) -> BTreeSet<String> {
        let keys: BTreeSet<String> = self.server.command(&["KEYS", "*"]).await;
        let (sent, keys) = keys.into_iter().partition(|key| key.contains("}:sent:"));
        let sent: BTreeSet<String> = sent;
        for key in sent {
            let left: i64 = self.server.command(&["PTTL", &key]).await;
            assert!((1..=70_000).contains(&left), "{key} stays {left} ms");
        }
        keys
    }
}

pub fn room(name: &str) -> Feed {
    Feed::room("test", "", name)
}

pub fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

pub fn publication(data: &str, history: Option<History>) -> Publication {
    Publication {
        body: raw(&format!(r#"{{"data":{data}}}"#)),
        history,
        key: None,
    }
}

pub fn event(data: impl Display) -> String {
    format!(r#"{{"pub":{{"data":{data}}}}}"#)
}

/// What a follower of a room was told: epoch, offset and event.
pub struct Heard {
    lines: Arc<Mutex<Vec<(String, u64, String)>>>,
    _stop: DropGuard,
}

struct Ear {
    lines: Arc<Mutex<Vec<(String, u64, String)>>>,
    begun: watch::Sender<bool>,
}

impl Listener for Ear {
    fn begins(&mut self, _feed: &Feed, _at: &Position) {
        self.begun.send_replace(true);
    }

    fn events(&mut self, _feed: &Feed, events: &[Envelope<'_>]) {
        let mut lines = self.lines.lock().unwrap();
        for event in events {
            let text = event.event.get().to_owned();
            lines.push((event.epoch.to_owned(), event.offset, text));
        }
    }

    fn moved(&mut self, feed: &Feed, to: &Position, lost: bool) {
        assert!(!lost, "{feed:?} lost something before {to:?}");
    }

    fn state(&mut self, _state: FollowState) {}
}

impl Heard {
    pub async fn of(house: &House, feed: &Feed) -> Self {
        let lines = Arc::default();
        let (begun, mut has_begun) = watch::channel(false);
        let ear = Ear {
            lines: Arc::clone(&lines),
            begun,
        };
        let stop = CancellationToken::new();
        let feeds = Feeds::default();
        feeds.follow(feed);
        house
            .tracker
            .spawn(feeds.run(house.redis.clone(), ear, stop.clone()));
        has_begun.wait_for(|begun| *begun).await.unwrap();
        Self {
            lines,
            _stop: stop.drop_guard(),
        }
    }

    pub async fn until(&self, count: usize) -> Vec<(String, u64, String)> {
        until(&format!("{count} events are heard"), async || {
            let lines = self.lines.lock().unwrap();
            (lines.len() >= count).then(|| lines.clone())
        })
        .await
    }
}
