//! A queue is split while clients hand in, follow and ask: to them it stays one.

use std::collections::{BTreeMap, HashMap};

use broker::testing::{PATIENCE, TestRedis, until};
use e2e::{Session, Settings, System, command};
use serde_json::{Value, json};

const ROOMS: usize = 6;
/// Into how many partitions the queue is split, one after the other.
const COUNTS: [u16; 5] = [1, 3, 5, 2, 4];

/// What an operator's command prints.
async fn queue(system: &System, arguments: &[&str]) -> Value {
    let mut command = command("queue");
    command.args(system.redis.flags(None)).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn job(room: &str, n: usize) -> Value {
    json!({
        "queue": "chat",
        "kind": "chat",
        "payload": { "msg": n.to_string() },
        "options": { "topic": room, "announce": n },
    })
}

async fn submit(session: &mut Session, job: Value) -> Value {
    let receipt = session.rpc("job.submit", job).await.unwrap();
    assert!(receipt["error"].is_null(), "{receipt}");
    receipt
}

/// A room of those that are used first when the queue is split for the n-th time.
fn room(split: usize, n: usize) -> String {
    format!("room-{split}-{n}")
}

/// What a follower of all rooms got: of each room its events, in their order.
#[derive(Default)]
struct Got(BTreeMap<String, Vec<Value>>);

impl Got {
    /// Reads until each room has so many ends.
    async fn read(&mut self, session: &mut Session, ends: &HashMap<String, usize>) {
        let read = async {
            while !ends.iter().all(|(room, many)| self.ends(room) >= *many) {
                let push = session.push().await.expect("the session goes on");
                let channel = push["channel"].as_str().unwrap().to_owned();
                assert!(push["unsubscribe"].is_null(), "{push}");
                if push["pub"].is_object() {
                    self.0.entry(channel).or_default().push(push["pub"].clone());
                }
            }
        };
        let read = tokio::time::timeout(PATIENCE, read).await;
        read.unwrap_or_else(|_| panic!("some of {ends:?} is missing"));
    }

    fn of(&self, room: &str) -> &[Value] {
        self.0
            .get(&format!("chat:{room}"))
            .map_or(&[], Vec::as_slice)
    }

    fn ends(&self, room: &str) -> usize {
        let events = self.of(room).iter();
        events
            .filter(|event| event["data"]["type"] == "completed")
            .count()
    }
}

/// A system under a load that follows one who splits the queue.
struct Scene {
    system: System,
    /// One at each server.
    senders: Vec<Session>,
    follower: Session,
    got: Got,
    /// By room.
    sent: HashMap<String, Vec<(usize, Value)>>,
    /// Those without a room, which have keys.
    keyed: Vec<(Value, Value)>,
    count: usize,
}

impl Scene {
    async fn begin() -> Self {
        let settings = Settings {
            servers: 2,
            workers: 2,
            ..Settings::default()
        };
        let mut system = System::launch(TestRedis::durable().await, settings);
        system.ready().await;
        let mut senders = Vec::new();
        for server in &system.servers {
            senders.push(Session::connect(server.port()).await.unwrap());
        }
        let mut follower = Session::connect(system.servers[0].port()).await.unwrap();
        // Also of rooms in which nothing is said before the queue is split.
        for room in (0..COUNTS.len()).flat_map(|split| (0..ROOMS).map(move |n| room(split, n))) {
            let channel = format!("chat:{room}");
            let wish = json!({ "channel": channel, "recoverable": true, "positioned": true });
            let answer = follower.ask("subscribe", wish).await.unwrap();
            assert!(answer["error"].is_null(), "{answer}");
        }
        Self {
            system,
            senders,
            follower,
            got: Got::default(),
            sent: HashMap::new(),
            keyed: Vec::new(),
            count: 0,
        }
    }

    /// Rooms of before go on, and new ones begin.
    async fn load(&mut self, split: usize) {
        for _ in 0..4 {
            for room in (0..=split).flat_map(|split| (0..ROOMS).map(move |n| room(split, n))) {
                self.count += 1;
                let n = self.count;
                let receipt = submit(&mut self.senders[n % 2], job(&room, n)).await;
                let jobs = self.sent.entry(room).or_default();
                jobs.push((n, receipt["id"].clone()));
            }
        }
        let mut own = job("", split);
        own["options"] = json!({ "key": format!("order-{split}") });
        let receipt = submit(&mut self.senders[0], own.clone()).await;
        self.keyed.push((own, receipt["id"].clone()));
        let ends = self.sent.iter();
        let ends = ends.map(|(room, jobs)| (room.clone(), jobs.len()));
        self.got.read(&mut self.follower, &ends.collect()).await;
    }

    /// The follower has all events of all rooms, in the order in which the jobs were handed in.
    fn nothing_is_missing(&self) {
        for (room, jobs) in &self.sent {
            let events = self.got.of(room);
            for (at, event) in events.iter().enumerate() {
                assert_eq!(event["offset"], at + 1, "{room}: {events:?}");
            }
            let told = events.iter().map(|event| &event["data"]);
            let told = told.filter(|event| event["type"] == "queued");
            let told: Vec<_> = told
                .map(|event| (event["data"].clone(), event["job"].clone()))
                .collect();
            let expected = jobs.iter().map(|(n, id)| (json!(n), id.clone()));
            assert_eq!(told, expected.collect::<Vec<_>>(), "{room}");
            assert_eq!(self.got.ends(room), jobs.len(), "{room}");
        }
    }

    /// Both servers know every job, and take none of before again.
    async fn all_are_known(&mut self) {
        for (job, id) in self.keyed.clone() {
            for session in &mut self.senders {
                let again = submit(session, job.clone()).await;
                let found = (&again["id"], &again["duplicate"]);
                assert_eq!(found, (&id, &json!(true)), "{again}");
            }
        }
        let some = self.sent.values().flatten().step_by(7);
        let some = some.map(|(_, id)| id.clone());
        let keyed = self.keyed.iter().map(|(_, id)| id.clone());
        for id in some.chain(keyed) {
            for session in &mut self.senders {
                let which = json!({ "queue": "chat", "id": id });
                let there = session.rpc("job.get", which).await.unwrap();
                assert_eq!((&there["id"], &there["queue"]), (&id, &json!("chat")));
            }
        }
    }

    /// A reader who was away all the time gets all from the logs, wherever those are.
    async fn who_was_away_recovers(&self) {
        let port = self.system.servers[1].port();
        let mut late = Session::connect(port).await.unwrap();
        for room in self.sent.keys() {
            let channel = format!("chat:{room}");
            let wish = json!({ "channel": channel, "recover": true, "offset": 0, "epoch": "" });
            let answer = late.ask("subscribe", wish).await.unwrap();
            let missed = answer["publications"].as_array().unwrap();
            let last = missed.last().unwrap();
            assert_eq!(missed.len(), self.got.of(room).len(), "{room}");
            assert_eq!(last["offset"], missed.len(), "{room}");
        }
    }

    /// One that waits is cancelled through another server than it came in by.
    async fn one_is_cancelled(&mut self) {
        let mut later = job("room-0-0", 0);
        later["options"]["delay_ms"] = json!(3_600_000);
        let receipt = submit(&mut self.senders[0], later).await;
        let which = json!({ "queue": "chat", "id": receipt["id"] });
        let done = self.senders[1].rpc("job.cancel", which).await.unwrap();
        assert_eq!(done["outcome"], "done", "{done}");
    }

    /// A number that the command tells of each partition.
    async fn each(&self, what: &str) -> Vec<u64> {
        let shown = queue(&self.system, &["partitions", "chat", "--json"]).await;
        let partitions = shown["partitions"].as_array().unwrap().iter();
        partitions.map(|one| one[what].as_u64().unwrap()).collect()
    }

    /// Paused is paused everywhere.
    async fn it_is_paused_as_one(&mut self) {
        queue(&self.system, &["pause", "chat", "--json"]).await;
        let mut waiting = Vec::new();
        for n in 0..12 {
            let job = job(&format!("late-{n}"), n);
            waiting.push(submit(&mut self.senders[n % 2], job).await);
        }
        assert_eq!(self.each("waiting").await.iter().sum::<u64>(), 12);
        queue(&self.system, &["resume", "chat", "--json"]).await;
        for receipt in waiting {
            let which = json!({ "queue": "chat", "id": receipt["id"] });
            until("it is completed", async || {
                let there = self.senders[0].rpc("job.get", which.clone()).await?;
                (there["state"] == "completed").then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_one_queue_while_it_is_split_and_split_otherwise() {
    let mut scene = Scene::begin().await;
    for (split, count) in COUNTS.into_iter().enumerate() {
        if split > 0 {
            let words = ["partitions", "chat", &count.to_string(), "--json"];
            let shown = queue(&scene.system, &words).await;
            assert_eq!(shown["count"], count, "{shown}");
        }
        scene.load(split).await;
    }
    scene.nothing_is_missing();
    scene.all_are_known().await;
    scene.who_was_away_recovers().await;
    scene.one_is_cancelled().await;
    let enqueued = scene.each("enqueued").await;
    assert!(enqueued.len() == 5 && enqueued.iter().filter(|n| **n > 0).count() > 3);
    let all = scene.count + scene.keyed.len() + 1;
    assert_eq!(enqueued.iter().sum::<u64>(), all as u64, "{enqueued:?}");
    scene.it_is_paused_as_one().await;
}
