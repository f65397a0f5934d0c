//! Jobs that come together wait as one, and nobody but Redis notices.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use broker::{
    Browse, Control, Done, FreshId, JobFilter, JobPage, JobPlace, Producer, QueueArgs, Receipt,
    Redis,
    testing::{Act, Puppet, TestRedis, Topology, What, fresh},
};
use futures_util::future::join_all;
use protocol::{EventLevel, JobId, JobOptions, JobState, Kind, Priority, Topic};

use tokio::sync::oneshot;

use crate::rig::{Rig, job};

/// What asks for nothing special.
pub fn plain() -> JobOptions {
    JobOptions {
        events: EventLevel::Outcome,
        ..JobOptions::default()
    }
}

/// Ids of one moment, in no order: how fast a test hands in does not say what goes into one parcel.
fn id() -> FreshId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let random = u128::from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) << 8;
    fresh(JobId::from_parts(1_700_000_000_000, random))
}

/// Hands in so many, one after the other.
pub async fn submit(producer: &Producer, jobs: usize, options: &JobOptions) -> Vec<JobId> {
    let mut receipts = Vec::new();
    for n in 0..jobs {
        let (done, receipt) = oneshot::channel();
        let done = |answer| drop(done.send(answer));
        let job = job(&n.to_string(), options.clone());
        producer.hand_in(id(), job, done).await;
        receipts.push(receipt);
    }
    let mut ids = Vec::new();
    for receipt in receipts {
        let receipt: Receipt = receipt.await.unwrap().unwrap();
        assert!(!receipt.duplicate);
        ids.push(receipt.id);
    }
    ids
}

pub async fn parcels(rig: &Rig) -> usize {
    let parcels: usize = rig.server.command(&["ZCARD", "test{chat}:parcels"]).await;
    let lists = "return #redis.call('KEYS', '*:parcel:*')";
    if Topology::from_env() == Topology::One {
        let lists: usize = rig.server.command(&["EVAL", lists, "0"]).await;
        assert_eq!(lists, parcels);
    }
    parcels
}

/// A rig with ten jobs in one parcel.
async fn ten() -> (Rig, Vec<JobId>) {
    let rig = Rig::new().await;
    let ids = submit(&rig.producer, 10, &plain()).await;
    assert_eq!(parcels(&rig).await, 1);
    (rig, ids)
}

pub async fn waiting(rig: &Rig) -> Vec<JobId> {
    let ids = rig.inspector.ids(&rig.queue, JobState::Waiting, 1_000);
    ids.await.unwrap()
}

/// One page of a listing, of three.
pub async fn page(rig: &Rig, state: JobState, after: Option<JobPlace>) -> JobPage {
    let browse = Browse {
        queue: &rig.queue,
        states: &[state],
        filter: &JobFilter::default(),
        limit: 3,
    };
    rig.inspector.browse(&browse, after).await.unwrap().unwrap()
}

/// All that are listed, page by page.
pub async fn browsed(rig: &Rig, state: JobState) -> Vec<JobId> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = page(rig, state, after).await;
        listed.extend(page.jobs.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            return listed;
        }
    }
}

pub async fn scanned(rig: &Rig, state: JobState) -> Vec<JobId> {
    let mut scan = rig.inspector.scan(&rig.queue, state);
    let mut scanned = Vec::new();
    while let Some(page) = scan.page().await.unwrap() {
        scanned.extend(page.iter().map(|job| job.id));
    }
    scanned
}

fn worker(rig: &Rig, kinds: &[Kind]) -> Puppet {
    Puppet::new(
        rig.redis.clone(),
        rig.queue.clone(),
        QueueArgs::default(),
        "w",
        kinds,
    )
}

/// Has a worker take up to so many.
pub async fn take(worker: &mut Puppet, acts: &[Act], want: usize) -> Vec<JobId> {
    let answer = worker.round(acts, want, LEASE).await.unwrap();
    answer.claims.iter().map(|held| held.id).collect()
}

pub const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_is_seen_and_seeing_it_changes_nothing() {
    let (rig, ids) = ten().await;
    assert_eq!(waiting(&rig).await, ids);
    let counts = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.0.waiting, counts.1.enqueued), (10, 10));
    for (n, id) in ids.iter().enumerate() {
        let found = rig.inspector.find(*id).await.unwrap().unwrap();
        assert_eq!((found.state, found.attempt), (JobState::Waiting, 0));
        assert_eq!(found.payload.unwrap().get(), n.to_string());
        assert!(found.created_at > 1_700_000_000_000);
        // Its own channel is where it will tell of its end.
        assert_eq!(rig.events(id).await, []);
    }
    assert!(
        rig.inspector
            .oldest_waiting(&rig.queue)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(browsed(&rig, JobState::Waiting).await, ids);
    assert_eq!(parcels(&rig).await, 1);
}

#[tokio::test]
async fn a_page_begins_in_the_midst_of_one() {
    let rig = Rig::new().await;
    let mut ids = submit(&rig.producer, 700, &plain()).await;
    ids.push(rig.submit("1", JobOptions::default()).await);
    ids.extend(submit(&rig.producer, 5, &plain()).await);
    assert_eq!(scanned(&rig, JobState::Waiting).await, ids);
}

#[tokio::test]
async fn one_is_taken_out_and_the_others_keep_their_places() {
    let (rig, ids) = ten().await;
    let control = Control::new(rig.redis.clone(), QueueArgs::default());
    let done = control.cancel(&rig.queue, &[ids[4]], None).await.unwrap();
    assert_eq!(done, [Done::Yes]);
    assert_eq!(rig.get(ids[4]).await.state, JobState::Cancelled);
    let moved = control
        .set_priority(&rig.queue, &[ids[7]], Priority::High)
        .await;
    assert_eq!(moved.unwrap(), [Done::Yes]);
    let deleted = control.delete(&rig.queue, &[ids[0]]).await.unwrap();
    assert_eq!(deleted, [Done::Yes]);
    let order: Vec<_> = [7, 1, 2, 3, 5, 6, 8, 9].map(|n: usize| ids[n]).into();
    assert_eq!(waiting(&rig).await, order);
    assert_eq!(take(&mut worker(&rig, &[]), &[], 20).await, order);
    assert_eq!(parcels(&rig).await, 0);
}

#[tokio::test]
async fn workers_take_some_and_what_is_left_waits_in_its_order() {
    let rig = Rig::new().await;
    let mut worker = worker(&rig, &[]);
    // Sees that nothing is due, so that the next round has nothing else to do.
    assert_eq!(take(&mut worker, &[], 1).await, []);
    let ids = submit(&rig.producer, 10, &plain()).await;
    assert_eq!(take(&mut worker, &[], 4).await, ids[..4]);
    assert_eq!(parcels(&rig).await, 2);
    assert_eq!(waiting(&rig).await, ids[4..]);
    // A round whose answer was lost gives the same again.
    let again = worker.repeat().await.unwrap().claims;
    let again: Vec<_> = again.iter().map(|held| held.id).collect();
    assert_eq!(again, ids[..4]);
    assert_eq!(parcels(&rig).await, 1);
    let back = Act {
        id: ids[2],
        attempt: 1,
        what: What::HandBack,
    };
    let second = take(&mut worker, &[back], 3).await;
    assert_eq!(second, [ids[2], ids[4], ids[5]]);
    // One that comes later, by itself, is behind them.
    let last = rig.submit("1", JobOptions::default()).await;
    let rest: Vec<_> = ids[6..].iter().copied().chain([last]).collect();
    assert_eq!(take(&mut worker, &[], 20).await, rest);
    assert_eq!(parcels(&rig).await, 0);
    let counts = rig.inspector.counts(&rig.queue).await.unwrap().0;
    assert_eq!((counts.waiting, counts.active), (0, 11));
}

#[tokio::test]
async fn each_has_a_place_of_its_own() {
    let rig = Rig::new().await;
    let mut worker = worker(&rig, &[]);
    assert_eq!(take(&mut worker, &[], 1).await, []);
    let ids = submit(&rig.producer, 10, &plain()).await;
    let mut back = Vec::new();
    for id in &ids[..6] {
        assert_eq!(take(&mut worker, &[], 1).await, [*id]);
        back.push(Act {
            id: *id,
            attempt: 1,
            what: What::HandBack,
        });
    }
    assert_eq!(take(&mut worker, &back, 0).await, []);
    assert_eq!(waiting(&rig).await, ids);
    assert_eq!(take(&mut worker, &[], 20).await, ids);
}

#[tokio::test]
async fn one_that_came_before_a_split_is_known_after_it() {
    let (rig, ids) = ten().await;
    let control = Control::new(rig.server.connect("test"), QueueArgs::default());
    control.partition(&rig.queue, 8).await.unwrap();
    // From which the producer learns of it.
    submit(&rig.producer, 20, &plain()).await;
    for id in &ids {
        let again = rig.producer.submit(*id, job("1", plain()));
        assert!(again.await.unwrap().duplicate);
    }
    let (counts, totals) = rig.inspector.sum(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, totals.enqueued), (30, 30));
}

#[tokio::test]
async fn a_kind_that_the_worker_does_not_know_stays() {
    let (rig, ids) = ten().await;
    let other = [Kind::new("other").unwrap()];
    let mut stranger = worker(&rig, &other);
    let known = worker(&rig, &[Kind::new("test").unwrap()]);
    stranger.beat(LEASE, &[]).await.unwrap();
    known.beat(LEASE, &[]).await.unwrap();
    assert_eq!(take(&mut stranger, &[], 4).await, []);
    let mut listed = waiting(&rig).await;
    listed.sort_unstable();
    let mut all = ids.clone();
    all.sort_unstable();
    assert_eq!(listed, all);
}

#[tokio::test]
async fn an_id_in_a_parcel_is_known() {
    let (rig, ids) = ten().await;
    let again = rig.producer.submit(ids[3], job("3", plain()));
    let receipt = again.await.unwrap();
    assert_eq!(
        (receipt.duplicate, receipt.state),
        (true, Some(JobState::Waiting))
    );
    assert_eq!(waiting(&rig).await, ids);
}

#[tokio::test]
async fn what_is_special_waits_by_itself() {
    let rig = Rig::new().await;
    let all = JobOptions::default();
    let high = JobOptions {
        priority: Priority::High,
        ..plain()
    };
    let expires = JobOptions {
        ttl_ms: Some(60_000),
        ..plain()
    };
    for options in [all, high, expires] {
        submit(&rig.producer, 10, &options).await;
        assert_eq!(parcels(&rig).await, 0);
    }
    submit(&rig.producer, 3, &plain()).await;
    assert_eq!(parcels(&rig).await, 0);
    // So do those that may have been handed in before.
    let known = (0..10).map(|_| rig.producer.submit(Producer::new_id(), job("1", plain())));
    join_all(known).await;
    assert_eq!(parcels(&rig).await, 0);
    assert_eq!(waiting(&rig).await.len(), 43);
}

#[tokio::test]
async fn a_topic_hears_of_each() {
    let rig = Rig::new().await;
    let said = JobOptions {
        topic: Some(Topic::new("room").unwrap()),
        announce: Some(serde_json::value::RawValue::from_string("1".into()).unwrap()),
        ..plain()
    };
    let ids = submit(&rig.producer, 10, &said).await;
    assert_eq!(parcels(&rig).await, 1);
    let events = rig.events(&"room").await;
    assert_eq!(events.len(), 10);
    for ((offset, event), (n, id)) in events.iter().zip(ids.iter().enumerate()) {
        assert_eq!(*offset, n as u64 + 1);
        assert!(event.contains(&id.to_string()), "{event}");
        assert!(event.starts_with(r#"{"type":"queued""#), "{event}");
    }
}

/// Where Redis can be reached too. The first call that holds `word` gets lost with its connection, and is kept.
fn losing(server: &TestRedis, word: &'static [u8]) -> (String, Arc<Mutex<Option<Vec<u8>>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let address = server.connect("test").address();
    let lost = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&lost);
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let redis = TcpStream::connect(&address).unwrap();
            let (to_redis, to_client) = (redis.try_clone().unwrap(), client.try_clone().unwrap());
            let keep = Arc::clone(&keep);
            std::thread::spawn(move || {
                pass(client, to_redis, |bytes| {
                    let holds = bytes.windows(word.len()).any(|part| part == word);
                    let mut kept = keep.lock().unwrap();
                    if !holds || kept.is_some() {
                        return true;
                    }
                    *kept = Some(bytes.to_vec());
                    false
                });
            });
            std::thread::spawn(move || pass(redis, to_client, |_| true));
        }
    });
    (url, lost)
}

/// Passes on what passes, until either end is closed or something does not.
fn pass(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // They may be closed already.
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}

#[tokio::test]
async fn a_batch_that_was_held_up_and_sent_again_is_refused() {
    let server = TestRedis::start_as(Topology::One, &[]).await;
    let (url, lost) = losing(&server, b"marked");
    let mut args = server.args("test");
    args.redis_url = url;
    let mut rig = Rig::on(server, QueueArgs::default());
    rig.redis = Redis::new(&args).unwrap();
    rig.producer = Producer::spawn(
        rig.redis.clone(),
        rig.queue.clone(),
        QueueArgs::default(),
        broker::ProducerConfig::default(),
        &rig.tracker,
    );
    // So that Redis knows the script.
    submit(&rig.producer, 4, &plain()).await;
    let marked = r#""marked""#;
    let ten = (0..10).map(|_| rig.producer.submit(id(), job(marked, plain())));
    let receipts = join_all(ten).await;
    assert!(receipts.iter().all(Result::is_ok), "{receipts:?}");
    let late = lost.lock().unwrap().take().expect("one was lost");
    let mut connection = TcpStream::connect(rig.server.connect("test").address()).unwrap();
    connection.write_all(&late).unwrap();
    let mut answer = [0; 64];
    let count = connection.read(&mut answer).unwrap();
    assert!(answer[..count].ends_with(b"*0\r\n"), "{answer:?}");
    assert_eq!(waiting(&rig).await.len(), 14);
    // What comes after it is stored as ever.
    submit(&rig.producer, 4, &plain()).await;
    let counts = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.0.waiting, counts.1.enqueued), (18, 18));
    assert_eq!(take(&mut worker(&rig, &[]), &[], 100).await.len(), 18);
}
