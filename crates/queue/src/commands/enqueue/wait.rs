//! Follows a job from before it is stored to its end. Never misses the end: it also asks for the job's state.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker::{Delivery, FollowState, Receipt, follow};
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

use crate::{Millis, console::Console, fault::Fault, output, text::escape};

/// How often the job's state is asked for, should events be lost.
const LOOK: Duration = Duration::from_secs(2);
/// The same for a job that was there before, whose events may come on another channel.
const LOOK_OFTEN: Duration = Duration::from_millis(250);
/// How many events may wait to be printed.
const EVENTS: usize = 4_096;

/// One event, with which job and what.
struct Told {
    job: JobId,
    event: EventType,
    /// For people and for programs.
    line: String,
    json: Option<Box<RawValue>>,
}

impl Told {
    fn of(event: &Event<'_>) -> Self {
        Self {
            job: event.job,
            event: event.event,
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
                Delivery::Event(published) => sender.try_send(Told::of(&published.event)).is_ok(),
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
            away: false,
            _stop: stop.drop_guard(),
        })
    }

    /// Prints the job's events until its last; it is a fault if that is not `completed`.
    pub(super) async fn until_over(mut self, receipt: &Receipt, json: bool) -> Result<(), Fault> {
        let id = receipt.id;
        let mut looks = tokio::time::interval(if receipt.duplicate { LOOK_OFTEN } else { LOOK });
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !receipt.duplicate {
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
            if told.job != id {
                continue;
            }
            if json {
                self.console.out.json(&told.json)?;
            } else {
                self.console.out.print(&format!("{}\n", told.line))?;
            }
            match told.event {
                EventType::Completed => return Ok(()),
                event if event.is_terminal() => return Err(Fault::Told),
                _ => {}
            }
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
        Ok(last_event(&record).map(|event| Told::of(&event)))
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
