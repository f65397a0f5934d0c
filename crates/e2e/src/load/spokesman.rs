//! A job that is run by hand and says what it is told to, for a crowd that follows it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker::{
    Producer, ProducerConfig, QueueArgs, Redis,
    testing::{Act, Puppet, What},
};
use protocol::{CHAT_KIND, EventType, Job, JobId, JobOptions, Kind};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::Publisher;
use crate::System;

/// Longer than any load.
const LEASE: Duration = Duration::from_secs(24 * 3600);
/// How many texts may wait to be said, and how many are said in one round.
const TEXTS: usize = 1024;
const ROUND: usize = 64;

/// The worker of one job, which it has taken.
pub(super) struct Spokesman {
    puppet: Puppet,
    job: JobId,
    attempt: u32,
}

impl Spokesman {
    /// Hands in a job and takes it. There must be no other worker.
    pub(super) async fn begin(redis: Redis) -> anyhow::Result<Self> {
        let (queue, kind) = (System::chat(), Kind::new(CHAT_KIND)?);
        let args = QueueArgs::default();
        let (tracker, config) = (TaskTracker::new(), ProducerConfig::default());
        let producer =
            Producer::spawn(redis.clone(), queue.clone(), args.clone(), config, &tracker);
        let job = JobId::from_parts(1_700_000_000_000, 1);
        let handed_in = Job {
            kind: kind.clone(),
            payload: RawValue::from_string("{}".to_owned())?,
            options: JobOptions::default(),
        };
        producer.submit(job, handed_in).await?;
        let mut puppet = Puppet::new(redis, queue, args, "spokesman", &[kind]);
        puppet.beat(LEASE, &[]).await?;
        let answer = puppet.round(&[], 1, LEASE).await?;
        let held = answer.claims.first().context("another took the job")?;
        let attempt = held.attempt;
        Ok(Self {
            puppet,
            job,
            attempt,
        })
    }

    /// Which job it is.
    pub(super) const fn job(&self) -> JobId {
        self.job
    }

    /// Has it say what is published, in order and as a worker's rounds do.
    pub(super) fn publisher(mut self) -> Publisher {
        let (texts, mut queue) = mpsc::channel::<String>(TEXTS);
        TaskTracker::new().spawn(async move {
            let mut said = Vec::new();
            while queue.recv_many(&mut said, ROUND).await > 0 {
                // Who publishes is told by the queue, which is gone then.
                if self.say(std::mem::take(&mut said)).await.is_err() {
                    return;
                }
            }
        });
        Publisher::Hand(Box::new(move |text| Ok(texts.try_send(text.to_owned())?)))
    }

    async fn say(&mut self, texts: Vec<String>) -> anyhow::Result<()> {
        let act = |text: String| {
            // Texts of messages need no escaping.
            let data = RawValue::from_string(format!("\"{text}\""))?;
            Ok(Act {
                id: self.job,
                attempt: self.attempt,
                what: What::Emit(EventType::Chunk, data),
            })
        };
        let acts = texts
            .into_iter()
            .map(act)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let answer = self.puppet.round(&acts, 0, LEASE).await?;
        ensure!(
            answer.written.iter().all(|written| *written),
            "it lost its job"
        );
        Ok(())
    }
}
