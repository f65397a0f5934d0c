//! The job verbs, as remote procedure calls.

use std::sync::Arc;

use protocol::{
    Channel, Topic,
    centrifugo::{self, ClientError, Rpc},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::oneshot, time::Instant};

use super::{recovery::From, session::ClientSession};
use crate::{
    Close, Frame,
    identity::SubGrant,
    jobs::{Abandoned, Accepted, OnDisconnect, Refused, Submit, Which},
};

/// How often a job whose client left is looked at while somebody follows it, at most.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

impl ClientSession {
    /// The command `rpc`.
    pub(super) async fn rpc(&mut self, id: u32, rpc: &Rpc<'_>) -> Result<(), Close> {
        let jobs = Arc::clone(&self.shared.jobs);
        let who = self.who();
        match &*rpc.method {
            "job.submit" => match arguments::<Submit>(rpc) {
                Ok(submit) => self.submit(id, submit).await,
                Err(error) => self.refuse(id, &error),
            },
            "job.get" => {
                let found = match arguments::<Which>(rpc) {
                    Ok(which) => jobs.get(&who, &which).await.map_err(|error| of(&error)),
                    Err(error) => Err(error),
                };
                self.answer(id, "rpc", found.map(|data| Data { data }))
            }
            "job.cancel" => {
                let done = match arguments::<Which>(rpc) {
                    Ok(which) => jobs.cancel(&who, &which).await.map_err(|error| of(&error)),
                    Err(error) => Err(error),
                };
                self.answer(id, "rpc", done.map(|data| Data { data }))
            }
            "job.retry" => {
                let done = match arguments::<Which>(rpc) {
                    Ok(which) => jobs.retry(&who, &which).await.map_err(|error| of(&error)),
                    Err(error) => Err(error),
                };
                self.answer(id, "rpc", done.map(|data| Data { data }))
            }
            _ => self.refuse(id, &ClientError::method_not_found()),
        }
    }

    async fn submit(&mut self, id: u32, submit: Submit) -> Result<(), Close> {
        if !self.submits.take(Instant::now()) {
            return self.refuse(id, &ClientError::too_many_requests());
        }
        let (subscribe, on_disconnect) = (submit.subscribe, submit.on_disconnect);
        let jobs = Arc::clone(&self.shared.jobs);
        let checked = match jobs.check(&self.who(), submit) {
            Ok(checked) => checked,
            Err(error) => return self.refuse(id, &of(&error)),
        };
        // The semaphore is never closed.
        let permit = Arc::clone(&self.in_flight).acquire_owned().await;
        if !subscribe && on_disconnect == OnDisconnect::Keep {
            let outbox = Arc::clone(&self.outbox);
            jobs.submit(checked, move |result| {
                let text = match result {
                    Ok(data) => centrifugo::result(id, "rpc", &Data { data }),
                    Err(error) => centrifugo::error(id, &of(&error)),
                };
                let _ = outbox.push(Frame::text(&text));
                // Held until the answer is in the outbox.
                drop(permit);
            })
            .await;
            return Ok(());
        }
        let (done, accepted) = oneshot::channel();
        jobs.submit(checked, |result| drop(done.send(result))).await;
        let accepted = match accepted.await {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => return self.refuse(id, &of(&error)),
            Err(_) => return self.refuse(id, &ClientError::internal()),
        };
        if on_disconnect == OnDisconnect::Cancel {
            self.abandon_later(&accepted);
        }
        if subscribe {
            self.follow(id, accepted).await
        } else {
            self.reply(id, "rpc", &Data { data: accepted });
            Ok(())
        }
    }

    /// Subscribes the client to its job's channel from where the job begins in the log, so that no event is missed, and
    /// answers.
    async fn follow(&mut self, id: u32, accepted: Accepted) -> Result<(), Close> {
        let name = accepted.channel.clone();
        if self.no_place(&name).await.is_some() {
            // It is subscribed already, or can't be to more: the job is stored, and that is what counts.
            self.reply(id, "rpc", &Data { data: accepted });
            return Ok(());
        }
        let from = From {
            offset: accepted.begins,
            epoch: &accepted.epoch,
        };
        let grant = SubGrant::default();
        let prepared = self.prepare_server_side(&name, &grant, Some(from)).await;
        let Ok((prepared, plan)) = prepared else {
            // The job is stored: that counts, and the client can subscribe by itself.
            self.reply(id, "rpc", &Data { data: accepted });
            return Ok(());
        };
        self.tell_subscribed(&name, &prepared.result);
        self.reply(id, "rpc", &Data { data: accepted });
        for publication in &prepared.result.publications {
            self.say(&centrifugo::push(&name, "pub", publication.get()));
        }
        self.begin_server_side(&name, plan, prepared).await;
        Ok(())
    }

    fn abandon_later(&mut self, accepted: &Accepted) {
        // As many as a client may have on their way; older ones are over, or go on.
        if self.abandoned.len() >= self.shared.limits.in_flight as usize {
            self.abandoned.remove(0);
        }
        let topic = accepted.channel.split_once(':').map(|(_, topic)| topic);
        if let Some(Ok(topic)) = topic.map(Topic::new) {
            let queue = accepted.queue.clone();
            let channel = Channel { queue, topic };
            let id = accepted.id;
            self.abandoned.push(Abandoned { id, channel });
        }
    }

    /// The client left: after a grace its jobs are cancelled, unless somebody follows them by then. A server that stops
    /// before lets them go on.
    pub(super) fn abandon(&self, jobs: Vec<Abandoned>) {
        let shared = Arc::clone(&self.shared);
        self.shared.tracker.spawn(async move {
            let grace = tokio::time::sleep(shared.limits.disconnect_grace);
            if shared.stopping.run_until_cancelled(grace).await.is_none() {
                return;
            }
            let mut jobs = jobs;
            while !jobs.is_empty() {
                let mut followed = Vec::new();
                for job in jobs {
                    match shared.jobs.abandon(&job).await {
                        Ok(true) => {}
                        // Whoever follows it may leave too.
                        Ok(false) => followed.push(job),
                        Err(error) => {
                            tracing::debug!(id = %job.id, %error, "it is looked at again");
                            followed.push(job);
                        }
                    }
                }
                jobs = followed;
                let pause = tokio::time::sleep(shared.limits.disconnect_grace.max(LOOK_AGAIN));
                if shared.stopping.run_until_cancelled(pause).await.is_none() {
                    return;
                }
            }
        });
    }
}

fn arguments<T: DeserializeOwned>(rpc: &Rpc<'_>) -> Result<T, ClientError> {
    let data = rpc.data.map_or("{}", |data| data.get());
    serde_json::from_str(data).map_err(|error| ClientError {
        code: 400,
        message: format!("invalid_job: {error}"),
        temporary: false,
    })
}

fn of(error: &Refused) -> ClientError {
    match error.code() {
        None => ClientError::permission_denied(),
        Some(code) => ClientError::job(code, error),
    }
}
