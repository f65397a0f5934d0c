//! The plain protocol on a connection: every text is a chat message, and becomes a durable job.
//!
//! A message that is taken is not answered: the client sees it come back with everybody else's. Never delivers a
//! message to anybody but through Redis.

use std::{borrow::Cow, sync::Arc};

use apalis_core::task::builder::TaskBuilder;
use broker::{FreshId, OnReceipt, RedisBackend};
use futures_util::SinkExt as _;
use protocol::{
    CHAT_KIND, CHAT_QUEUE, Channel, ChatPayload, ErrorCode, EventLevel, Job, JobOptions, Kind,
    LOBBY_TOPIC, QueueName, Tenant, Topic, plain,
};
use serde_json::value::RawValue;
use service::traces;
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    Close, Frame, Metrics, Outbox, Session, bucket::Bucket, channels::Subscription,
    message_span::MessageSpan, traced::Traced,
};

/// How often a client that sends more than its token allows is looked at again.
const PACE: std::time::Duration = std::time::Duration::from_millis(20);

/// The queue that messages go to.
pub(crate) fn queue() -> QueueName {
    QueueName::new(CHAT_QUEUE).expect("a constant that is a name")
}

/// Where messages of a plain connection go, and whose they are.
#[derive(Clone, Debug)]
pub struct Room {
    /// The topic on which messages and results are published.
    pub topic: Topic,
    /// Whose the jobs are.
    pub tenant: Tenant,
    /// What the client's token says of its end and of how much it may do.
    pub(crate) terms: Terms,
}

/// What the token of a plain client says of its end and of how much it may do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    /// When it ends.
    pub(crate) expires: Option<Instant>,
    /// How many messages it may send in a second; more wait.
    pub(crate) per_second: Option<u32>,
    /// How long a message may be, in bytes.
    pub(crate) most_bytes: Option<usize>,
}

impl Room {
    /// The room of everybody without a token.
    pub fn lobby() -> Self {
        Self {
            topic: Topic::new(LOBBY_TOPIC).expect("a constant that is a name"),
            tenant: Tenant::public(),
            terms: Terms::default(),
        }
    }

    /// The channel that its clients get.
    pub fn channel(&self) -> Channel {
        Channel {
            queue: queue(),
            topic: self.topic.clone(),
        }
    }

    /// The job that a text frame asks for.
    pub(crate) fn job(&self, text: &str) -> Result<Job, plain::EmptyMessage> {
        let msg = plain::parse(text)?;
        let announce = raw(&msg);
        let options = JobOptions {
            tenant: self.tenant.clone(),
            topic: Some(self.topic.clone()),
            events: EventLevel::Outcome,
            announce: Some(announce),
            ..JobOptions::default()
        };
        let payload = raw(&ChatPayload {
            msg: Cow::Borrowed(&msg),
        });
        Ok(Job {
            kind: Kind::new(CHAT_KIND).expect("a constant that is a name"),
            payload,
            options,
        })
    }
}

fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("texts are always JSON")
}

/// The plain protocol's state on one connection.
pub struct PlainSession {
    room: Room,
    place: Subscription,
    /// Whether the room's channel is followed here: what is said before would not come back to who said it.
    followed: bool,
    jobs: Arc<RedisBackend>,
    /// Made with the first message: most clients only listen.
    sender: Option<Box<Sender>>,
    outbox: Arc<Outbox>,
    max_in_flight: u32,
    pace: Option<Bucket>,
    metrics: Arc<Metrics>,
    traced: Arc<Traced>,
}

/// What it takes to hand in messages.
struct Sender {
    jobs: RedisBackend,
    in_flight: Arc<Semaphore>,
}

impl PlainSession {
    /// A session that hands in to its own clone of `jobs`, at most `max_in_flight` messages at a time.
    pub(crate) fn new(
        room: Room,
        place: Subscription,
        jobs: Arc<RedisBackend>,
        outbox: Arc<Outbox>,
        max_in_flight: u32,
        (metrics, traced): (Arc<Metrics>, Arc<Traced>),
    ) -> Self {
        let bucket = room.terms.per_second.map(|most| {
            let most = most.max(1) as f32;
            Bucket::new(most, most * 2.0)
        });
        Self {
            room,
            place,
            followed: false,
            jobs,
            sender: None,
            outbox,
            max_in_flight,
            pace: bucket,
            metrics,
            traced,
        }
    }
}

impl Session for PlainSession {
    async fn on_text(&mut self, text: &str) -> Result<(), Close> {
        let mut job = match self.room.job(text) {
            Ok(job) => job,
            Err(error) => {
                refuse(&self.outbox, &self.metrics, ErrorCode::EmptyMessage, &error);
                return Ok(());
            }
        };
        let most = self.room.terms.most_bytes;
        if let Some(most) = most.filter(|most| text.len() > *most) {
            let why = format!(
                "the message has {} bytes, at most {most} are taken",
                text.len()
            );
            refuse(&self.outbox, &self.metrics, ErrorCode::TooLarge, &why);
            return Ok(());
        }
        if let Some(pace) = &mut self.pace {
            // Not read from meanwhile: who sends too much is slowed down.
            while !pace.take(Instant::now()) {
                tokio::time::sleep(PACE).await;
            }
        }
        if !self.followed {
            if self.place.ready().await.is_err() {
                let why = "Redis is away: try again later";
                refuse(&self.outbox, &self.metrics, ErrorCode::Unavailable, &why);
                return Ok(());
            }
            self.followed = true;
        }
        let span = MessageSpan::begin(CHAT_QUEUE, &mut job, text.len());
        // Its id is known before its result can come.
        let fresh = traces::is_on().then(FreshId::new);
        let id = fresh.as_ref().map(FreshId::get);
        if let Some(id) = id {
            self.traced.submitted(id, job.options.trace.as_ref());
        }
        let most = self.max_in_flight as usize;
        let sender = self.sender.get_or_insert_with(|| {
            Box::new(Sender {
                jobs: RedisBackend::clone(&self.jobs),
                in_flight: Arc::new(Semaphore::new(most)),
            })
        });
        let permit = Arc::clone(&sender.in_flight).acquire_owned().await;
        let (outbox, metrics) = (Arc::clone(&self.outbox), Arc::clone(&self.metrics));
        let (told, traced) = (span.clone(), id.map(|id| (id, Arc::clone(&self.traced))));
        let on_receipt = OnReceipt::new(move |result| {
            // Held until the answer is in the outbox, whoever drops this last.
            let _ = &permit;
            told.end(&result);
            match result {
                Ok(_) => drop(metrics.accepted.inc()),
                Err(error) => {
                    if let Some((id, traced)) = &traced {
                        traced.forget(*id);
                    }
                    refuse(&outbox, &metrics, error.code(), &error);
                }
            }
        });
        self.metrics.submitted.inc();
        let mut task = TaskBuilder::new(job).data(on_receipt);
        if let Some(fresh) = fresh {
            task = task.data(Arc::new(fresh));
        }
        // Feeding hands over at once; what comes of it is told by the receipt. An error here means that there
        // will be none.
        if let Err(error) = sender.jobs.feed(task.build()).await {
            span.end(&Err(error.clone()));
            if let Some(id) = id {
                self.traced.forget(id);
            }
            refuse(&self.outbox, &self.metrics, error.code(), &error);
        }
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        self.room.terms.expires
    }

    async fn on_time(&mut self, now: Instant) -> Result<(), Close> {
        match self.room.terms.expires {
            Some(expires) if expires <= now => Err(Close::Expired),
            _ => Ok(()),
        }
    }

    async fn settle(&mut self) {
        if let Some(sender) = &self.sender {
            // All permits are back when all are answered. The semaphore is never closed.
            let _ = sender.in_flight.acquire_many(self.max_in_flight).await;
        }
    }
}

/// Tells the sender, and nobody else.
fn refuse(outbox: &Outbox, metrics: &Metrics, code: ErrorCode, why: &impl std::fmt::Display) {
    metrics.message_refused(code);
    // A client that takes no answers is closed by its outbox.
    let _ = outbox.push(Frame::text(&plain::error_frame(code, &why.to_string())));
}

#[cfg(test)]
mod tests {
    use protocol::{EventLevel, Priority};

    use super::Room;

    #[test]
    fn a_frame_becomes_a_chat_job_in_the_lobby() {
        for (frame, payload, announce) in [
            ("hi", r#"{"msg":"hi"}"#, r#""hi""#),
            (r#"{"msg":"hi","time":1}"#, r#"{"msg":"hi"}"#, r#""hi""#),
            (
                "say \"é\"\n",
                r#"{"msg":"say \"é\"\n"}"#,
                r#""say \"é\"\n""#,
            ),
            ("{}", r#"{"msg":"{}"}"#, r#""{}""#),
        ] {
            let job = Room::lobby().job(frame).unwrap();
            assert_eq!(job.kind.as_str(), "chat");
            assert_eq!(job.payload.get(), payload);
            assert_eq!(job.options.announce.as_ref().unwrap().get(), announce);
            assert_eq!(job.options.topic, Some(Room::lobby().topic));
            assert_eq!(job.options.events, EventLevel::Outcome);
            assert_eq!(job.options.priority, Priority::Normal);
            assert_eq!(job.validate(), Ok(()));
        }
    }

    #[test]
    fn nothing_becomes_no_job() {
        assert!(Room::lobby().job("").is_err());
        assert!(Room::lobby().job(r#"{"msg":""}"#).is_err());
    }
}
