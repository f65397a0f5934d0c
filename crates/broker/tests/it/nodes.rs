//! Which servers are there, and what they tell one another.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker::{
    FollowState, Nodes, Presence, Redis, TellError,
    testing::{PATIENCE, TestRedis, Topology, until},
};
use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::house::raw;

fn nodes(server: &TestRedis, ttl: Duration) -> Nodes {
    Nodes::new(server.connect("test"), ttl)
}

async fn list(nodes: &Nodes) -> BTreeMap<String, String> {
    let list = nodes.list().await.unwrap();
    list.into_iter()
        .map(|(uid, about)| (uid, about.get().to_owned()))
        .collect()
}

/// A server that writes down what it hears.
struct Listening {
    heard: Arc<Mutex<Vec<String>>>,
    state: watch::Receiver<FollowState>,
    stop: DropGuard,
    tracker: TaskTracker,
}

impl Listening {
    fn on(server: &TestRedis) -> Self {
        Self::to(nodes(server, Presence::TTL))
    }

    fn to(nodes: Nodes) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (state, states) = watch::channel(FollowState::Away);
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let on_message = {
            let heard = Arc::clone(&heard);
            move |text: &str| heard.lock().unwrap().push(text.to_owned())
        };
        let on_state = move |now| {
            state.send_replace(now);
        };
        tracker.spawn(nodes.listen(on_message, on_state, stop.clone()));
        Self {
            heard,
            state: states,
            stop: stop.drop_guard(),
            tracker,
        }
    }

    async fn until_state(&mut self, state: FollowState) {
        let changed = self.state.wait_for(|now| *now == state);
        tokio::time::timeout(PATIENCE, changed)
            .await
            .unwrap()
            .unwrap();
    }

    async fn until_heard(&self, last: &str) -> Vec<String> {
        until(&format!("{last} is heard"), async || {
            let heard = self.heard.lock().unwrap();
            heard.iter().any(|text| text == last).then(|| heard.clone())
        })
        .await
    }

    async fn end(self) {
        drop(self.stop);
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn servers_are_listed_until_they_are_gone_or_dead() {
    let server = TestRedis::start().await;
    let living = nodes(&server, Presence::TTL);
    let dying = nodes(&server, Duration::from_secs(1));
    assert!(list(&living).await.is_empty());
    let (first, later) = (raw(r#"{"num_clients":1}"#), raw(r#"{"num_clients":2}"#));
    assert!(dying.beat("dying", &first).await.unwrap());
    assert!(living.beat("a", &first).await.unwrap());
    assert!(living.beat("b c:{d}", &first).await.unwrap());
    assert!(!living.beat("a", &later).await.unwrap());
    let expected = |servers: &[(&str, &str)]| {
        let owned = |(uid, about): &(&str, &str)| ((*uid).to_owned(), (*about).to_owned());
        servers.iter().map(owned).collect::<BTreeMap<_, _>>()
    };
    let two = expected(&[("a", later.get()), ("b c:{d}", first.get())]);
    let there = until("the dead one is not listed", async || {
        let there = list(&living).await;
        (!there.contains_key("dying")).then_some(there)
    })
    .await;
    assert_eq!(there, two);
    assert!(living.gone("a").await.unwrap());
    assert!(!living.gone("a").await.unwrap());
    assert!(!living.gone("dying").await.unwrap());
    assert_eq!(list(&living).await, expected(&[("b c:{d}", first.get())]));
    assert!(living.gone("b c:{d}").await.unwrap());
    let left: u64 = server.command(&["DBSIZE"]).await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn all_servers_hear_what_is_told_in_order() {
    let server = TestRedis::start().await;
    let (mut a, mut b) = (Listening::on(&server), Listening::on(&server));
    a.until_state(FollowState::Live).await;
    b.until_state(FollowState::Live).await;
    let nodes = nodes(&server, Presence::TTL);
    let other = Nodes::new(server.connect("another"), Presence::TTL);
    assert_eq!(other.send(&raw("0")).await.unwrap(), 0);
    for n in 1..=100 {
        assert_eq!(nodes.send(&raw(&n.to_string())).await.unwrap(), 2);
    }
    let expected: Vec<_> = (1..=100).map(|n| n.to_string()).collect();
    assert_eq!(a.until_heard("100").await, expected);
    assert_eq!(b.until_heard("100").await, expected);
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn what_is_no_message_is_not_sent_and_not_heard() {
    let server = TestRedis::start().await;
    let mut listening = Listening::on(&server);
    listening.until_state(FollowState::Live).await;
    let nodes = nodes(&server, Presence::TTL);
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let longest = raw(&text(Nodes::MOST_BYTES));
    nodes.send(&longest).await.unwrap();
    let longer = text(Nodes::MOST_BYTES + 1);
    let refused = nodes.send(&raw(&longer)).await.unwrap_err();
    assert!(matches!(refused, TellError::TooLong(bytes) if bytes == longer.len()));
    let channel = "test{@:}:ch:control";
    let told: u64 = server.command(&[server.publish(), channel, &longer]).await;
    assert_eq!(told, 1);
    nodes.send(&raw("1")).await.unwrap();
    assert_eq!(listening.until_heard("1").await, [longest.get(), "1"]);
}

#[tokio::test]
async fn a_listener_is_live_again_after_a_restart_and_hears_what_is_told_then() {
    let mut server = TestRedis::start().await;
    let mut listening = Listening::on(&server);
    listening.until_state(FollowState::Live).await;
    let nodes = nodes(&server, Presence::TTL);
    nodes.send(&raw("1")).await.unwrap();
    listening.until_heard("1").await;
    server.kill();
    listening.until_state(FollowState::Away).await;
    assert!(nodes.send(&raw("2")).await.is_err());
    server.run().await;
    listening.until_state(FollowState::Live).await;
    nodes.send(&raw("3")).await.unwrap();
    // What was told meanwhile is lost.
    assert_eq!(listening.until_heard("3").await, ["1", "3"]);
    listening.end().await;
}

/// Where Redis can be reached too. Once `deaf`, what comes back on connections that subscribe is lost, for ever.
fn proxy(server: &TestRedis, deaf: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let address = server.connect("test").address();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let Ok(redis) = TcpStream::connect(&address) else {
                continue;
            };
            let (to_redis, to_client) = (redis.try_clone().unwrap(), client.try_clone().unwrap());
            let listens = Arc::new(AtomicBool::new(false));
            let (deaf, is_listening) = (Arc::clone(&deaf), Arc::clone(&listens));
            std::thread::spawn(move || {
                pass(client, to_redis, |bytes| {
                    if bytes.windows(9).any(|word| word == b"SUBSCRIBE") {
                        listens.store(true, Ordering::SeqCst);
                    }
                    true
                });
            });
            std::thread::spawn(move || {
                let mut lost = false;
                pass(redis, to_client, |_| {
                    lost |= is_listening.load(Ordering::SeqCst) && deaf.load(Ordering::SeqCst);
                    !lost
                });
            });
        }
    });
    url
}

/// Passes on what passes, until either end is closed.
fn pass(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if passes(&buffer[..count]) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other may be closed already.
    drop(to.shutdown(Shutdown::Write));
}

#[tokio::test]
async fn a_listener_whose_connection_is_silent_subscribes_again() {
    // One server, whose connections go through a proxy.
    let server = TestRedis::start_as(Topology::One, &[]).await;
    let deaf = Arc::new(AtomicBool::new(false));
    let mut args = server.args("test");
    args.redis_url = proxy(&server, Arc::clone(&deaf));
    let behind = Nodes::new(Redis::new(&args).unwrap(), Duration::from_secs(3));
    let mut listening = Listening::to(behind);
    listening.until_state(FollowState::Live).await;
    let nodes = nodes(&server, Presence::TTL);
    nodes.send(&raw("1")).await.unwrap();
    listening.until_heard("1").await;
    deaf.store(true, Ordering::SeqCst);
    listening.until_state(FollowState::Away).await;
    deaf.store(false, Ordering::SeqCst);
    listening.until_state(FollowState::Live).await;
    nodes.send(&raw("2")).await.unwrap();
    assert_eq!(listening.until_heard("2").await, ["1", "2"]);
    listening.end().await;
}

#[tokio::test]
async fn a_listener_that_hears_only_itself_stays() {
    let server = TestRedis::start().await;
    let mut listening = Listening::to(nodes(&server, Duration::from_millis(1_200)));
    listening.until_state(FollowState::Live).await;
    let calls = async || -> u64 {
        let stats: String = server.command(&["INFO", "commandstats"]).await;
        let calls = stats
            .split(&format!(
                "cmdstat_{}:calls=",
                server.publish().to_lowercase()
            ))
            .nth(1);
        calls.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    until("it has asked many times", async || {
        (calls().await > 5).then_some(())
    })
    .await;
    assert!(!listening.state.has_changed().unwrap());
    assert!(listening.heard.lock().unwrap().is_empty());
    listening.end().await;
}

#[tokio::test]
async fn a_listener_ends_while_redis_is_away() {
    let mut server = TestRedis::start().await;
    let mut listening = Listening::on(&server);
    listening.until_state(FollowState::Live).await;
    server.kill();
    listening.until_state(FollowState::Away).await;
    listening.end().await;
}
