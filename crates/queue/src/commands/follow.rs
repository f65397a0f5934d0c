//! Follows a job to its end. Never misses the end: it also asks for the job's state.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker::{Delivery, Feed, FollowState, Part, follow};
use protocol::{Channel, Event, EventType, JobId, JobRecord, JobState, QueueName};
use serde_json::value::{RawValue, to_raw_value};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Millis,
    console::Console,
    fault::Fault,
    output,
    text::{age, escape},
};

/// How often the job's state is asked for, should events be lost.
const LOOK: Duration = Duration::from_secs(2);
/// The same for a job that was there before, whose events may come on another channel.
const LOOK_OFTEN: Duration = Duration::from_millis(250);
/// How many events may wait to be printed.
const EVENTS: usize = 4_096;
/// How much of a log is told, from the newest back.
const LOGGED: usize = 10_000;
const LOGGED_BYTES: usize = 16 * 1024 * 1024;

/// Where an event stands in its log.
type Place = (String, u64);

/// One event, with which job and what.
struct Told {
    job: JobId,
    /// Nothing of an event that was made out of the job's state.
    place: Option<Place>,
    event: EventType,
    time: u64,
    /// For people and for programs.
    line: String,
    json: Option<Box<RawValue>>,
}

impl Told {
    fn of(event: &Event<'_>, place: Option<Place>) -> Self {
        Self {
            job: event.job,
            place,
            event: event.event,
            time: event.time,
            line: line(event),
            // As text: data is kept byte for byte.
            json: to_raw_value(event).ok(),
        }
    }
}

/// Listens to a channel.
pub(super) struct Waiter<'a> {
    console: &'a Console,
    queue: QueueName,
    patience: Option<Millis>,
    began: Instant,
    events: mpsc::Receiver<Told>,
    /// Whether the log or this process lost events.
    gap: Arc<AtomicBool>,
    /// What was told already, out of the log, with the times of events that need not be new.
    seen: Option<Place>,
    /// Whether Redis did not answer last time; so that an outage is said once.
    away: bool,
    _stop: DropGuard,
}

impl<'a> Waiter<'a> {
    /// Returns when it listens.
    pub(super) async fn listen(
        console: &'a Console,
        channel: Channel,
        patience: Option<Millis>,
        tracker: &TaskTracker,
    ) -> Result<Self, Fault> {
        let queue = channel.queue.clone();
        let (sender, events) = mpsc::channel(EVENTS);
        let (state, mut states) = watch::channel(FollowState::Away);
        let stop = CancellationToken::new();
        let gap = Arc::new(AtomicBool::new(false));
        let lost = Arc::clone(&gap);
        let deliver = move |delivery: Delivery<'_>| {
            let taken = match delivery {
                Delivery::Event(published) => {
                    let place = (published.epoch.to_owned(), published.offset);
                    let told = Told::of(&published.event, Some(place));
                    sender.try_send(told).is_ok()
                }
                _ => false,
            };
            if !taken {
                lost.store(true, Ordering::Relaxed);
            }
        };
        let on_state = move |now| {
            state.send_replace(now);
        };
        let following = follow(
            console.redis.clone(),
            channel,
            on_state,
            deliver,
            stop.clone(),
        );
        tracker.spawn(following);
        let live = states.wait_for(|state| *state == FollowState::Live);
        match tokio::time::timeout(Duration::from_secs(10), live).await {
            Ok(Ok(_)) => {}
            _ => {
                return Err(Fault::Redis(format!(
                    "Redis at {} can't be subscribed to",
                    console.redis.address()
                )));
            }
        }
        Ok(Self {
            console,
            queue,
            patience,
            began: Instant::now(),
            events,
            gap,
            seen: None,
            away: false,
            _stop: stop.drop_guard(),
        })
    }

    /// Prints the job's events until its last; it is a fault if that is not `completed`. Where the job was there before,
    /// it is looked at at once and often.
    pub(super) async fn until_over(
        mut self,
        id: JobId,
        was_there: bool,
        json: bool,
    ) -> Result<(), Fault> {
        let mut looks = tokio::time::interval(if was_there { LOOK_OFTEN } else { LOOK });
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !was_there {
            looks.reset();
        }
        let end = self.patience.map(|time| self.began + time.duration());
        let over = async {
            match end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        loop {
            let told = tokio::select! {
                told = self.events.recv() => told,
                _ = looks.tick() => match self.look(id).await? {
                    None => continue,
                    // What was told before it was looked at comes first.
                    Some(last) => Some(self.events.try_recv().unwrap_or(last)),
                },
                () = &mut over => {
                    return Err(Fault::NotEnded(id, self.patience.unwrap_or(Millis(0))));
                }
            };
            let Some(told) = told else {
                return Err(Fault::Redis("the channel is not followed any more".into()));
            };
            if self.gap.swap(false, Ordering::Relaxed) {
                looks.reset_immediately();
            }
            if told.job != id || self.was_told(&told) {
                continue;
            }
            print(self.console, &told, self.seen.is_some(), json)?;
            if let Some(result) = ended(told.event) {
                return result;
            }
        }
    }

    fn was_told(&self, told: &Told) -> bool {
        match (&told.place, &self.seen) {
            (Some((epoch, offset)), Some((known, seen))) => epoch == known && offset <= seen,
            _ => false,
        }
    }

    /// The job's last event, made out of what is stored, if it has ended.
    async fn look(&mut self, id: JobId) -> Result<Option<Told>, Fault> {
        let record = match self.console.inspector.get(&self.queue, id).await {
            Ok(record) => record.ok_or(Fault::NoJob(id))?,
            // The job goes on without Redis' answer, and so does who waits for it.
            Err(error) if error.is_temporary() => {
                if !std::mem::replace(&mut self.away, true) {
                    output::complain(&self.console.fault(&error).to_string());
                }
                return Ok(None);
            }
            Err(error) => return Err(self.console.fault(&error)),
        };
        self.away = false;
        Ok(last_event(&record).map(|event| Told::of(&event, None)))
    }
}

/// Prints what the log has of a job, and how far it was read; and whether the job's last event so far was an end.
async fn logged(
    console: &Console,
    job: &JobRecord,
    json: bool,
) -> Result<(Place, Option<EventType>), Fault> {
    let feed = Feed::topic(console.redis.prefix(), &channel(job));
    let page = console
        .redis
        .log(&feed, Part::Before(0), LOGGED, LOGGED_BYTES)
        .await
        .map_err(|error| console.fault(&error))?;
    let epoch = page.top.position.epoch;
    let mut seen = 0;
    let mut last = None;
    for (offset, text) in page.entries.into_iter().rev() {
        seen = offset;
        // A topic may be shared, and what is damaged can't be shown.
        let Ok(event) = serde_json::from_str::<Event<'_>>(&text) else {
            continue;
        };
        if event.job == job.id {
            let told = Told::of(&event, Some((epoch.clone(), offset)));
            print(console, &told, true, json)?;
            last = Some(told.event);
        }
    }
    Ok(((epoch, seen), last))
}

/// Prints the events that the log has of a job.
pub(super) async fn events(console: &Console, job: &JobRecord, json: bool) -> Result<(), Fault> {
    logged(console, job, json).await.map(drop)
}

/// Prints the events of a job until its last; it is a fault if that is not `completed`.
pub(super) async fn to_the_end(
    console: &Console,
    job: &JobRecord,
    json: bool,
) -> Result<(), Fault> {
    let tracker = TaskTracker::new();
    // What comes while the log is read is kept back.
    let mut waiter = Waiter::listen(console, channel(job), None, &tracker).await?;
    let (seen, last) = logged(console, job, json).await?;
    waiter.seen = Some(seen);
    // A job that was run again has ends in its log, and goes on.
    let now = console.inspector.get(&job.queue, job.id).await;
    let over = now
        .map_err(|error| console.fault(&error))?
        .is_none_or(|job| job.state.is_terminal());
    match last.and_then(ended) {
        Some(result) if over => result,
        _ => waiter.until_over(job.id, true, json).await,
    }
}

fn channel(job: &JobRecord) -> Channel {
    Channel {
        queue: job.queue.clone(),
        topic: job.topic.clone(),
    }
}

fn print(console: &Console, told: &Told, timed: bool, json: bool) -> Result<(), Fault> {
    if json {
        return console.out.json(&told.json);
    }
    let time = if timed {
        format!("{}  ", age::rfc3339(told.time))
    } else {
        String::new()
    };
    console.out.print(&format!("{time}{}\n", told.line))
}

/// How it ended, if this is an end.
fn ended(event: EventType) -> Option<Result<(), Fault>> {
    match event {
        EventType::Completed => Some(Ok(())),
        event if event.is_terminal() => Some(Err(Fault::Told)),
        _ => None,
    }
}

fn last_event(record: &JobRecord) -> Option<Event<'_>> {
    let event = match record.state {
        JobState::Completed => EventType::Completed,
        JobState::Failed => EventType::Failed,
        JobState::Cancelled => EventType::Cancelled,
        _ => return None,
    };
    let failed = event == EventType::Failed;
    Some(Event {
        event,
        job: record.id,
        kind: record.kind.clone(),
        attempt: record.attempt,
        time: record.finished_at.unwrap_or(0),
        data: record.result.as_deref(),
        error: record.error.clone().filter(|_| failed),
        from: None,
    })
}

fn line(event: &Event<'_>) -> String {
    let name = event.event.as_str();
    let what = match (&event.error, event.data, event.event) {
        (Some(error), ..) => error.to_string(),
        (None, Some(data), _) => data.get().to_owned(),
        (None, None, EventType::Started) => format!("attempt {}", event.attempt),
        _ => String::new(),
    };
    let line = format!("{name:<10}{what}");
    escape::line(line.trim_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use protocol::Event;

    use super::line;

    #[test]
    fn an_event_is_a_line() {
        let shown = |rest: &str| {
            let text = format!(
                r#"{{"job":"01ARZ3NDEKTSV4RRFFQ69G5FAV","kind":"chat","attempt":2,"time":5,{rest}}}"#
            );
            line(&serde_json::from_str::<Event<'_>>(&text).unwrap())
        };
        assert_eq!(shown(r#""type":"queued""#), "queued");
        assert_eq!(shown(r#""type":"started""#), "started   attempt 2");
        assert_eq!(
            shown(r#""type":"completed","data":{"a":1}"#),
            r#"completed {"a":1}"#
        );
        let failed = r#""type":"failed","error":{"code":"panic","message":"one\ntwo"}"#;
        assert_eq!(shown(failed), "failed    panic: one\\ntwo");
    }
}
