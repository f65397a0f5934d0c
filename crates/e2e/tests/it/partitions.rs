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

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_one_queue_while_it_is_split_and_split_otherwise() {
    let settings = Settings {
        servers: 2,
        workers: 2,
        ..Settings::default()
    };
    let mut system = System::launch(TestRedis::durable().await, settings);
    system.ready().await;
    let ports = [system.servers[0].port(), system.servers[1].port()];
    let mut follower = Session::connect(ports[0]).await.unwrap();
    for split in 0..COUNTS.len() {
        for n in 0..ROOMS {
            let channel = format!("chat:{}", room(split, n));
            let wish = json!({ "channel": channel, "recoverable": true, "positioned": true });
            let answer = follower.ask("subscribe", wish).await.unwrap();
            assert!(answer["error"].is_null(), "{answer}");
        }
    }
    let mut senders = Vec::new();
    for port in ports {
        senders.push(Session::connect(port).await.unwrap());
    }
    let mut sent: HashMap<String, Vec<(usize, Value)>> = HashMap::new();
    let mut keyed = Vec::new();
    let mut n = 0;
    let mut got = Got::default();
    for (split, count) in COUNTS.into_iter().enumerate() {
        if split > 0 {
            let shown = queue(
                &system,
                &["partitions", "chat", &count.to_string(), "--json"],
            )
            .await;
            assert_eq!(shown["count"], count, "{shown}");
        }
        // Rooms of before go on, and new ones begin.
        for _ in 0..4 {
            for former in 0..=split {
                for which in 0..ROOMS {
                    let room = room(former, which);
                    n += 1;
                    let receipt = submit(&mut senders[n % 2], job(&room, n)).await;
                    sent.entry(room)
                        .or_default()
                        .push((n, receipt["id"].clone()));
                }
            }
        }
        let mut own = job("", split);
        own["options"] = json!({ "key": format!("order-{split}") });
        let receipt = submit(&mut senders[0], own.clone()).await;
        keyed.push((own, receipt["id"].clone()));
        let ends = sent.iter().map(|(room, jobs)| (room.clone(), jobs.len()));
        got.read(&mut follower, &ends.collect()).await;
    }

    let mut epochs = HashMap::new();
    for (room, jobs) in &sent {
        let events = got.of(room);
        for (at, event) in events.iter().enumerate() {
            assert_eq!(event["offset"], at + 1, "{room}: {events:?}");
        }
        let told = events
            .iter()
            .filter(|event| event["data"]["type"] == "queued");
        let told: Vec<_> = told
            .map(|event| (&event["data"]["data"], &event["data"]["job"]))
            .collect();
        let numbers: Vec<_> = jobs.iter().map(|(n, _)| json!(n)).collect();
        let expected: Vec<_> = numbers
            .iter()
            .zip(jobs)
            .map(|(n, (_, id))| (n, id))
            .collect();
        assert_eq!(told, expected, "{room}");
        assert_eq!(got.ends(room), jobs.len(), "{room}");
        epochs.insert(room, events.len());
    }

    // Whoever asks, and wherever a job is: both servers know it, and what came in before is not taken again.
    for (at, (job, id)) in keyed.iter().enumerate() {
        for session in &mut senders {
            let again = submit(session, job.clone()).await;
            assert_eq!(
                (&again["id"], &again["duplicate"]),
                (id, &json!(true)),
                "{at}: {again}"
            );
        }
    }
    let some = sent.values().flatten().step_by(7).map(|(_, id)| id.clone());
    for id in some.chain(keyed.iter().map(|(_, id)| id.clone())) {
        for session in &mut senders {
            let which = json!({ "queue": "chat", "id": id });
            let there = session.rpc("job.get", which).await.unwrap();
            assert_eq!(there["queue"], "chat", "{there}");
            assert_eq!(there["id"], id, "{there}");
        }
    }
    // A reader who was away all the time gets it from the log, wherever that is.
    let mut late = Session::connect(ports[1]).await.unwrap();
    for (room, many) in &epochs {
        let wish =
            json!({ "channel": format!("chat:{room}"), "recover": true, "offset": 0, "epoch": "" });
        let answer = late.ask("subscribe", wish).await.unwrap();
        assert_eq!(answer["offset"], *many, "{room}: {answer}");
    }

    // One that waits is cancelled through another server than it came in by.
    let mut later = job("room-0-0", 0);
    later["options"]["delay_ms"] = json!(3_600_000);
    let receipt = submit(&mut senders[0], later).await;
    let which = json!({ "queue": "chat", "id": receipt["id"] });
    let done = senders[1].rpc("job.cancel", which).await.unwrap();
    assert_eq!(done["state"], "cancelled", "{done}");

    let shown = queue(&system, &["partitions", "chat", "--json"]).await;
    let partitions = shown["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 5, "{shown}");
    let taken = partitions
        .iter()
        .filter(|part| part["enqueued"].as_u64() > Some(0));
    assert!(taken.count() > 3, "{shown}");
    let enqueued: u64 = partitions
        .iter()
        .filter_map(|part| part["enqueued"].as_u64())
        .sum();
    assert_eq!(enqueued, (n + keyed.len() + 1) as u64, "{shown}");

    // Paused is paused everywhere.
    queue(&system, &["pause", "chat", "--json"]).await;
    let mut waiting = Vec::new();
    for which in 0..12 {
        waiting.push(
            submit(
                &mut senders[which % 2],
                job(&format!("late-{which}"), which),
            )
            .await,
        );
    }
    let shown = queue(&system, &["partitions", "chat", "--json"]).await;
    let partitions = shown["partitions"].as_array().unwrap();
    let waits: u64 = partitions
        .iter()
        .filter_map(|part| part["waiting"].as_u64())
        .sum();
    assert_eq!(waits, 12, "{shown}");
    queue(&system, &["resume", "chat", "--json"]).await;
    for receipt in waiting {
        let which = json!({ "queue": "chat", "id": receipt["id"] });
        until("it is completed", async || {
            let there = senders[0].rpc("job.get", which.clone()).await?;
            (there["state"] == "completed").then_some(())
        })
        .await;
    }
}
