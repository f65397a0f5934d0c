//! Workers of a queue that is split: they claim from all its partitions, within one capacity.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use broker::{Producer, ProducerConfig, testing::until};
use protocol::{JobId, JobOptions, JobRecord, JobState, QueueName};
use tokio::sync::{Semaphore, mpsc};

use crate::rig::{Rig, Setup, Worker, id_in, job};

/// Says that the queue is split, as whoever splits it does.
async fn split(rig: &Rig, generation: u64, counts: &str) {
    let placement = format!("{generation} {counts}");
    let words = ["HSET", "test{chat}:count", "placement", &placement];
    let _: i64 = rig.server.command(&words).await;
}

/// Another process hands a job in that goes to a partition; it goes by what is in Redis now.
async fn hand_in(rig: &Rig, index: u16, options: JobOptions) -> JobId {
    let redis = rig.server.connect("test");
    let id = id_in(&redis, &rig.queue, index).await;
    let producer = Producer::spawn(
        redis,
        rig.queue.clone(),
        rig.args.clone(),
        ProducerConfig::default(),
        &rig.tracker,
    );
    producer.submit(id, job("1", options)).await.unwrap();
    id
}

/// A partition to which jobs are handed in.
struct Part<'a> {
    rig: &'a Rig,
    index: u16,
    queue: QueueName,
}

impl Part<'_> {
    /// What it is called as a queue of its own.
    const fn queue(&self) -> &QueueName {
        &self.queue
    }
}

fn partition(rig: &Rig, index: u16) -> Part<'_> {
    let queue = broker::partition_name(&rig.queue, index).unwrap();
    Part { rig, index, queue }
}

async fn submit(part: &Part<'_>, count: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let id = part.rig.id_in(part.index).await;
        let job = job(&n.to_string(), JobOptions::default());
        part.rig.producer.submit(id, job).await.unwrap();
        ids.push(id);
    }
    ids
}

async fn until_state(rig: &Rig, queue: &QueueName, id: JobId, state: JobState) -> JobRecord {
    until(&format!("{id} of {queue} is {state}"), async || {
        let record = rig.inspector.get(queue, id).await.ok()??;
        (record.state == state).then_some(record)
    })
    .await
}

/// A worker whose jobs say that they begin, and run until they are let go.
fn held_worker(
    rig: &Rig,
    name: &str,
    capacity: usize,
    go: &Arc<Semaphore>,
) -> (Worker, mpsc::Receiver<JobId>) {
    let (started, starts) = mpsc::channel(1_000);
    let go = Arc::clone(go);
    let setup = Setup {
        capacity,
        ..Setup::default()
    };
    let worker = rig.worker(name, setup, move |handle, _| {
        let (started, go) = (started.clone(), Arc::clone(&go));
        async move {
            started.send(handle.id()).await?;
            go.acquire().await?.forget();
            Ok("0".into())
        }
    });
    (worker, starts)
}

#[tokio::test]
async fn a_worker_runs_the_jobs_of_all_partitions() {
    let rig = Rig::new().await;
    split(&rig, 1, "3 1").await;
    let mut worker = rig.worker("w", Setup::default(), async |_, job| {
        Ok(job.payload.get().to_owned())
    });
    for index in 0..3 {
        let producer = partition(&rig, index);
        for id in submit(&producer, 5).await {
            // Its result is where it came from, and nowhere else.
            let record = until_state(&rig, producer.queue(), id, JobState::Completed).await;
            assert_eq!((record.attempt, record.worker.as_deref()), (1, Some("w")));
            // As a queue the first is all of them.
            for other in (1..3).filter(|other| *other != index) {
                let other = broker::partition_name(&rig.queue, other).unwrap();
                assert!(rig.inspector.get(&other, id).await.unwrap().is_none());
            }
        }
    }
    worker.until_ready(true).await;
    let ready = worker.ready.clone();
    worker.stop().await;
    assert!(!*ready.borrow());
    // It has said goodbye everywhere.
    for index in 0..3 {
        let queue = broker::partition_name(&rig.queue, index).unwrap();
        assert!(rig.inspector.workers(&queue).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn partitions_that_come_up_are_noticed() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Completed).await;
    // It is told: who hands in shares nothing with it, and the next roll call is far off.
    for (generation, counts, last) in [(1, "3 1", 2), (2, "5 3 1", 4)] {
        split(&rig, generation, counts).await;
        let before = Instant::now();
        let inbox = "test{chat}:inbox:w";
        let _: i64 = rig.server.command(&["RPUSH", inbox, "partitions"]).await;
        let id = hand_in(&rig, last, JobOptions::default()).await;
        let name = broker::partition_name(&rig.queue, last).unwrap();
        until_state(&rig, &name, id, JobState::Completed).await;
        assert!(before.elapsed() < Duration::from_secs(8), "told in vain");
    }
    // Fewer partitions: what is in the others is still done.
    let later = JobOptions {
        delay_ms: 1_000,
        ..JobOptions::default()
    };
    let id = hand_in(&rig, 4, later).await;
    split(&rig, 3, "1 5 3").await;
    rig.redis.newest_placement(&rig.queue).await.unwrap();
    let fifth = broker::partition_name(&rig.queue, 4).unwrap();
    until_state(&rig, &fifth, id, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn all_partitions_together_have_one_capacity() {
    let rig = Rig::new().await;
    split(&rig, 1, "3 1").await;
    let producers: Vec<_> = (0..3).map(|index| partition(&rig, index)).collect();
    for producer in &producers {
        submit(producer, 40).await;
    }
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let setup = Setup {
        capacity: 4,
        ..Setup::default()
    };
    let worker = {
        let most = Arc::clone(&most);
        rig.worker("w", setup, move |_, _| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok("0".into())
            }
        })
    };
    until("all are done", async || {
        let mut active = 0;
        let mut completed = 0;
        for producer in &producers {
            let (counts, totals) = rig.inspector.counts(producer.queue()).await.unwrap();
            active += counts.active;
            completed += totals.completed;
        }
        // They are counted one after the other, so a job that ends here makes room for one there meanwhile.
        assert!(active <= 8, "{active}");
        (completed == 120).then_some(())
    })
    .await;
    assert!((1..=4).contains(&most.load(Ordering::SeqCst)));
    worker.stop().await;
}

#[tokio::test]
async fn capacity_for_one_is_enough_for_many_partitions() {
    let rig = Rig::new().await;
    split(&rig, 1, "4 1").await;
    let producers: Vec<_> = (0..4).map(|index| partition(&rig, index)).collect();
    let setup = Setup {
        capacity: 1,
        ..Setup::default()
    };
    let worker = rig.worker("w", setup, async |_, _| Ok("0".into()));
    let mut all = Vec::new();
    for producer in &producers {
        for id in submit(producer, 5).await {
            all.push((producer, id));
        }
    }
    for (producer, id) in all {
        until_state(&rig, producer.queue(), id, JobState::Completed).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_deep_backlog_leaves_the_other_partitions_their_share() {
    let rig = Rig::new().await;
    let (deep, other) = (partition(&rig, 0), partition(&rig, 1));
    submit(&deep, 60).await;
    let go = Arc::new(Semaphore::new(0));
    let (worker, mut starts) = held_worker(&rig, "w", 4, &go);
    for _ in 0..4 {
        starts.recv().await.unwrap();
    }
    // All places are taken when the partition comes up.
    split(&rig, 1, "2 1").await;
    rig.redis.newest_placement(&rig.queue).await.unwrap();
    until("the partition has a worker", async || {
        let workers = rig.inspector.workers(other.queue()).await.unwrap();
        (!workers.is_empty()).then_some(())
    })
    .await;
    let light = submit(&other, 10).await;
    let (mut all, mut of_light) = (0, 0);
    while of_light < light.len() {
        go.add_permits(1);
        let next = tokio::time::timeout(broker::testing::PATIENCE, starts.recv()).await;
        all += 1;
        of_light += usize::from(light.contains(&next.unwrap().unwrap()));
    }
    // From when it asked on, no less than every other place that came free was its own.
    assert!(all <= 30, "{all}");
    go.add_permits(1_000);
    until("all are done", async || {
        let (_, totals) = rig.inspector.counts(deep.queue()).await.unwrap();
        (totals.completed == 60).then_some(())
    })
    .await;
    worker.stop().await;
}

#[tokio::test]
async fn a_stopping_worker_hands_back_to_each_partition_its_own() {
    let rig = Rig::new().await;
    split(&rig, 1, "3 1").await;
    let producers: Vec<_> = (0..3).map(|index| partition(&rig, index)).collect();
    for producer in &producers {
        submit(producer, 10).await;
    }
    let go = Arc::new(Semaphore::new(0));
    let (worker, mut starts) = held_worker(&rig, "first", 12, &go);
    for _ in 0..12 {
        starts.recv().await.unwrap();
    }
    worker.hard.cancel();
    worker.end().await;
    let mut back = 0;
    for producer in &producers {
        let (counts, totals) = rig.inspector.counts(producer.queue()).await.unwrap();
        assert_eq!((counts.waiting, counts.active), (10, 0));
        back += totals.handed_back;
    }
    assert_eq!(back, 12);
}

#[tokio::test]
async fn what_was_taken_ahead_goes_back_to_its_partition() {
    let rig = Rig::new().await;
    split(&rig, 1, "3 1").await;
    let producers: Vec<_> = (0..3).map(|index| partition(&rig, index)).collect();
    for producer in &producers {
        submit(producer, 4).await;
    }
    let setup = Setup {
        capacity: 12,
        concurrency: 1,
        ..Setup::default()
    };
    let (started, mut starts) = mpsc::channel(12);
    let go = Arc::new(Semaphore::new(0));
    let worker = {
        let go = Arc::clone(&go);
        rig.worker("w", setup, move |_, _| {
            let (started, go) = (started.clone(), Arc::clone(&go));
            async move {
                started.send(()).await?;
                go.acquire().await?.forget();
                Ok("0".into())
            }
        })
    };
    starts.recv().await.unwrap();
    until("all are taken", async || {
        let mut active = 0;
        for producer in &producers {
            let (counts, _) = rig.inspector.counts(producer.queue()).await.unwrap();
            active += counts.active;
        }
        (active == 12).then_some(())
    })
    .await;
    worker.soft.cancel();
    // What runs goes on; the rest is not kept from others meanwhile, but for one that apalis may have in its hands.
    until("what was taken ahead is back", async || {
        let mut waiting = 0;
        for producer in &producers {
            let (counts, _) = rig.inspector.counts(producer.queue()).await.unwrap();
            waiting += counts.waiting;
        }
        (waiting >= 10).then_some(())
    })
    .await;
    go.add_permits(12);
    worker.end().await;
    for producer in &producers {
        let (counts, totals) = rig.inspector.counts(producer.queue()).await.unwrap();
        assert_eq!((counts.waiting + totals.completed, counts.active), (4, 0));
        assert_eq!(totals.handed_back, counts.waiting);
    }
}

#[tokio::test]
async fn what_is_taken_of_partitions_while_a_worker_stops_is_handed_back() {
    let rig = Rig::new().await;
    split(&rig, 1, "3 1").await;
    let producers: Vec<_> = (0..3).map(|index| partition(&rig, index)).collect();
    for n in 0..30 {
        for producer in &producers {
            submit(producer, 1).await;
        }
        let setup = Setup {
            capacity: 100,
            ..Setup::default()
        };
        let worker = rig.worker(&format!("w{n}"), setup, async |_, _| Ok("0".into()));
        // Somewhere between its start and its first answers, a little later each time.
        for _ in 0..2 * n {
            tokio::task::yield_now().await;
        }
        worker.stop().await;
    }
    for producer in &producers {
        let (counts, totals) = rig.inspector.counts(producer.queue()).await.unwrap();
        assert_eq!((counts.waiting + totals.completed, counts.active), (30, 0));
    }
}
