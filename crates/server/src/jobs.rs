//! What clients do with jobs, whatever protocol they speak: submit, look, cancel, run again.
//!
//! Ownership is checked here, on every verb: a job of another tenant is one that does not exist.

mod answer;
mod list;
mod refused;

use std::{collections::BTreeMap, sync::Arc};

use broker::{Control, Feed, FreshId, Inspector, NewId, Producer, Receipt, Redis, SubmitError};
use protocol::{
    Channel, ErrorCode, EventLevel, Job, JobId, JobOptions, JobRecord, Kind, QueueName, Topic,
    limits::MAX_PAYLOAD_BYTES,
};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use answer::{Accepted, Changed};
use answer::{accepted, changed};
pub(crate) use list::List;

use crate::{
    Metrics,
    identity::{Identity, TopicOwner},
    message_span::MessageSpan,
    traced::Traced,
};

pub(crate) use refused::Refused;

/// What a client hands in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submit {
    /// The queue.
    pub(crate) queue: String,
    /// Which handler runs it.
    pub(crate) kind: String,
    /// What it works on.
    #[serde(default = "null")]
    pub(crate) payload: Box<RawValue>,
    /// All that has a default. The tenant is the client's own, whatever stands here.
    #[serde(default)]
    pub(crate) options: JobOptions,
    /// The job's id, if the client chose one: handing in the same id again is safe.
    #[serde(default)]
    pub(crate) id: Option<JobId>,
    /// Whether the client is to be subscribed to the job's channel.
    #[serde(default)]
    pub(crate) subscribe: bool,
    /// What becomes of the job when its client leaves.
    #[serde(default)]
    pub(crate) on_disconnect: OnDisconnect,
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// What becomes of a job when its client leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnDisconnect {
    /// It goes on.
    #[default]
    Keep,
    /// It is cancelled, unless somebody follows it again within a grace.
    Cancel,
}

/// Names a job.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// The queue that it is in.
    pub(crate) queue: String,
    /// Its id.
    pub(crate) id: String,
}

/// A job that may be handed in.
pub(crate) struct Checked {
    id: NewId,
    producer: Producer,
    job: Job,
    topic: Topic,
    span: MessageSpan,
}

/// The job verbs.
pub(crate) struct Jobs {
    redis: Redis,
    producers: BTreeMap<QueueName, Producer>,
    inspector: Inspector,
    control: Control,
    metrics: Arc<Metrics>,
    traced: Arc<Traced>,
}

impl Jobs {
    pub(crate) fn new(
        redis: Redis,
        producers: impl IntoIterator<Item = Producer>,
        control: Control,
        metrics: Arc<Metrics>,
        traced: Arc<Traced>,
    ) -> Self {
        let producers = producers.into_iter();
        Self {
            inspector: Inspector::new(redis.clone()),
            producers: producers.map(|one| (one.queue().clone(), one)).collect(),
            redis,
            control,
            metrics,
            traced,
        }
    }

    /// Looks whether a client may hand this in.
    pub(crate) fn check(&self, who: &Identity, submit: Submit) -> Result<Checked, Refused> {
        let queue = self.queue(who, &submit.queue)?;
        let kind: Kind = submit.kind.parse().map_err(|error| invalid_name(&error))?;
        if !who.may_use_kind(&kind) {
            return Err(Refused::Denied);
        }
        let bytes = submit.payload.get().len();
        let most = who.scope.limits.max_payload_bytes;
        if let Some(most) = most.filter(|most| bytes > *most && *most < MAX_PAYLOAD_BYTES) {
            let why = format!("the payload has {bytes} bytes, at most {most} are taken");
            return Err(Refused::Job(ErrorCode::TooLarge, why));
        }
        let mut options = submit.options;
        options.tenant = who.tenant.clone();
        match options.topic.as_ref().map(|topic| who.owns_topic(topic)) {
            None | Some(TopicOwner::Own) => {}
            Some(TopicOwner::Other | TopicOwner::Job(_)) => return Err(Refused::Denied),
        }
        let given = submit.id.map(NewId::from);
        let id = given.unwrap_or_else(|| FreshId::new().into());
        let named = options.topic.clone();
        let topic =
            named.unwrap_or_else(|| Topic::new(id.get().to_string()).expect("ids are names"));
        let mut job = Job {
            kind,
            payload: submit.payload,
            options,
        };
        job.validate()?;
        let span = MessageSpan::begin(queue.as_str(), &mut job, bytes);
        let producer = self.producers[&queue].clone();
        Ok(Checked {
            id,
            producer,
            job,
            topic,
            span,
        })
    }

    /// Hands a job in, in order, and calls `done` once it is stored or not.
    pub(crate) async fn submit(
        &self,
        checked: Checked,
        done: impl FnOnce(Result<Accepted, Refused>) + Send + Sync + 'static,
    ) {
        let Checked {
            id,
            producer,
            job,
            topic,
            span,
        } = checked;
        self.metrics.submitted.inc();
        // Before its result can come.
        let its_id = id.get();
        self.traced.submitted(its_id, job.options.trace.as_ref());
        let (metrics, traced) = (Arc::clone(&self.metrics), Arc::clone(&self.traced));
        let queue = producer.queue().clone();
        let told = job.options.events == EventLevel::All || job.options.announce.is_some();
        let ended = move |result: Result<Receipt, SubmitError>| {
            span.end(&result);
            if result.as_ref().map_or(true, |receipt| receipt.duplicate) {
                traced.forget(its_id);
            }
            let answer = match result {
                Ok(receipt) => {
                    metrics.accepted.inc();
                    Ok(accepted(queue, topic, told, receipt))
                }
                Err(error) => {
                    metrics.message_refused(error.code());
                    Err(error.into())
                }
            };
            done(answer);
        };
        producer.hand_in(id, job, ended).await;
    }

    /// One of the client's jobs.
    pub(crate) async fn get(&self, who: &Identity, which: &Which) -> Result<JobRecord, Refused> {
        let queue = self.queue(who, &which.queue)?;
        let id = which.id.parse().map_err(|_| Refused::not_found())?;
        let job = self.inspector.get(&queue, id).await?;
        job.filter(|job| who.owns_job(&job.tenant))
            .ok_or_else(Refused::not_found)
    }

    /// Cancels one of the client's jobs.
    pub(crate) async fn cancel(&self, who: &Identity, which: &Which) -> Result<Changed, Refused> {
        let queue = self.queue(who, &which.queue)?;
        let id: JobId = which.id.parse().map_err(|_| Refused::not_found())?;
        let done = self
            .control
            .cancel(&queue, &[id], Some(&who.tenant))
            .await?;
        changed(id, done.first(), "cancelled")
    }

    /// Runs one of the client's failed or cancelled jobs again.
    pub(crate) async fn retry(&self, who: &Identity, which: &Which) -> Result<Changed, Refused> {
        let job = self.get(who, which).await?;
        let done = self.control.retry(&job.queue, &[job.id]).await?;
        changed(job.id, done.first(), "run again")
    }

    /// Whether a client may follow the events of a topic.
    pub(crate) async fn may_follow(
        &self,
        who: &Identity,
        channel: &Channel,
    ) -> Result<bool, broker::Error> {
        if who.may_subscribe(&channel.to_string()) {
            return Ok(true);
        }
        if !who.may_use_queue(&channel.queue) {
            return Ok(false);
        }
        match who.owns_topic(&channel.topic) {
            TopicOwner::Own => Ok(true),
            TopicOwner::Other => Ok(false),
            TopicOwner::Job(id) => {
                let job = self.inspector.get(&channel.queue, id).await?;
                Ok(job.is_some_and(|job| who.owns_job(&job.tenant)))
            }
        }
    }

    /// Cancels a job whose client left, unless somebody follows it by now, on whichever server. Says whether there is
    /// nothing more to do.
    pub(crate) async fn abandon(&self, job: &Abandoned) -> Result<bool, broker::Error> {
        let queue = &job.channel.queue;
        let record = self.inspector.get(queue, job.id).await?;
        if record.is_none_or(|record| record.state.is_terminal()) {
            return Ok(true);
        }
        let feed = Feed::topic(self.redis.prefix(), &job.channel);
        if self.redis.followers(&feed).await? > 0 {
            return Ok(false);
        }
        let done = self.control.cancel(queue, &[job.id], None).await?;
        tracing::debug!(id = %job.id, ?done, "its client left");
        Ok(true)
    }

    fn queue(&self, who: &Identity, name: &str) -> Result<QueueName, Refused> {
        let queue: QueueName = name.parse().map_err(|error| invalid_name(&error))?;
        if !who.may_use_queue(&queue) {
            return Err(Refused::Denied);
        }
        if !self.producers.contains_key(&queue) {
            let why = format!("the queue {queue} is not served here (--queues)");
            return Err(Refused::Job(ErrorCode::NotFound, why));
        }
        Ok(queue)
    }
}

/// A job whose client wanted it cancelled with its connection.
#[derive(Clone, Debug)]
pub(crate) struct Abandoned {
    pub(crate) id: JobId,
    pub(crate) channel: Channel,
}

fn invalid_name(error: &protocol::NameError) -> Refused {
    Refused::Job(ErrorCode::InvalidName, error.to_string())
}
