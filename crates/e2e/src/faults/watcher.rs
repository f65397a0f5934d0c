//! Watches from beside: follows both channels' logs, and reads Redis' record of each job that is over.
//!
//! Goes to Redis directly, so that only Redis' own faults disturb it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use broker::{Delivery, FollowState, Inspector, Redis};
use protocol::{Channel, EventType, JobId, LOBBY_TOPIC, QueueName, Topic};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    book::Book,
    history::{Kept, Seen},
    work::Done,
};

/// The topic that all `ledger` jobs share.
pub const WORK_TOPIC: &str = "faults";
/// How often the record of a job is asked for while Redis does not answer.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the records of jobs that are not over are asked for.
const ASK: Duration = Duration::from_secs(5);

/// Watches until `stop`. Returns once both logs are followed, since what comes before is not seen.
pub async fn watch(
    redis: &Redis,
    queue: &QueueName,
    book: &Arc<Book>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    for topic in [LOBBY_TOPIC, WORK_TOPIC] {
        let channel = Channel {
            queue: queue.clone(),
            topic: Topic::new(topic).expect("the constants are names"),
        };
        let (live, mut is_live) = watch::channel(false);
        let on_state = move |state| {
            live.send_replace(state == FollowState::Live);
        };
        let book = Arc::clone(book);
        let deliver = move |delivery: Delivery<'_>| deliver(&book, topic, &delivery);
        tracker.spawn(broker::follow(
            redis.clone(),
            channel,
            on_state,
            deliver,
            stop.clone(),
        ));
        // An error means that it was stopped already.
        let _ = is_live.wait_for(|live| *live).await;
    }
    let (redis, queue, book) = (redis.clone(), queue.clone(), Arc::clone(book));
    tracker.spawn(stop.clone().run_until_cancelled_owned(async move {
        keep_reading(&Inspector::new(redis), &queue, &book).await;
    }));
}

fn deliver(book: &Book, topic: &'static str, delivery: &Delivery<'_>) {
    let Delivery::Event(published) = delivery else {
        return book.gap(topic);
    };
    let event = &published.event;
    let data = event.data.map_or("", |data| data.get());
    let of_attempt = serde_json::from_str::<Done>(data).ok();
    let text = match event.event {
        EventType::Queued => serde_json::from_str(data).ok(),
        _ => None,
    };
    let seen = Seen {
        topic,
        epoch: published.epoch.to_owned(),
        offset: published.offset,
        job: event.job,
        event: event.event,
        attempt: event.attempt,
        time: event.time,
        of_attempt: of_attempt.map(|done| done.attempt),
        failure: event.error.as_ref().map(|failure| failure.code),
    };
    book.event(seen, text);
}

async fn keep_reading(inspector: &Inspector, queue: &QueueName, book: &Book) {
    let mut next = 0;
    let mut asked = Instant::now();
    loop {
        let (jobs, end) = book.ends_from(next);
        next = end;
        for job in jobs {
            read(inspector, queue, book, job).await;
        }
        // An end whose event does not come is found before Redis forgets the job.
        if asked.elapsed() >= ASK {
            asked = Instant::now();
            for job in book.unfinished() {
                if let Some(kept) = get(inspector, queue, job).await
                    && kept.state.is_terminal()
                {
                    book.kept(job, kept);
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads Redis' record of a job into the book. A record that is gone is none.
pub async fn read(inspector: &Inspector, queue: &QueueName, book: &Book, job: JobId) {
    if let Some(kept) = get(inspector, queue, job).await {
        book.kept(job, kept);
    }
}

/// Redis' record of a job, however long Redis is away.
async fn get(inspector: &Inspector, queue: &QueueName, job: JobId) -> Option<Kept> {
    let record = loop {
        match inspector.get(queue, job).await {
            Ok(record) => break record?,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let result = record.result.as_ref().map_or("", |result| result.get());
    let of_attempt = serde_json::from_str::<Done>(result).ok();
    Some(Kept {
        state: record.state,
        attempt: record.attempt,
        of_attempt: of_attempt.map(|done| done.attempt),
        finished: record.finished_at,
        topic: record.topic,
    })
}
