//! What clients do in rooms: publish, see who is there, read the history, and be told who comes and goes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use broker::{Feed, Publication, PublishError};
use protocol::centrifugo::{
    ClientError, ClientInfo, Disconnect, History, HistoryResult, PresenceResult,
    PresenceStatsResult, Publish,
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    feature::{Verb, may},
    session::{ClientSession, Sub},
    subscribe::kept,
};
use crate::{
    Close,
    encode::Encoding,
    history,
    namespaces::{RoomOptions, Target},
};

/// A publication of a client, with its data as it came.
#[derive(serde::Serialize)]
struct Said<'a> {
    data: &'a RawValue,
    info: ClientInfo,
}

/// How many publications a page of history has at most.
const HISTORY: usize = 300;

impl ClientSession {
    /// The command `publish`.
    pub(super) async fn publish(
        &mut self,
        publish: &Publish<'_>,
    ) -> Result<Result<(), ClientError>, Close> {
        let name = &*publish.channel;
        let Some(data) = publish.data.filter(|_| !name.is_empty()) else {
            return wrong(name);
        };
        if publish.kind != 0 {
            return Ok(Err(ClientError::not_available()));
        }
        let (feed, options) = match self.room(name, Verb::Publish) {
            Ok(room) => room,
            Err(error) => return Ok(Err(error)),
        };
        let info = self.info(self.subs.get(name));
        let body = to_raw_value(&Said { data, info }).expect("it is JSON already");
        let publication = Publication {
            body,
            history: kept(&options),
            key: None,
        };
        let done = self.shared.rooms.publish(&feed, publication).await;
        if done.is_ok() {
            self.shared.metrics.published.inc();
        }
        Ok(done.map(drop).map_err(refused))
    }

    /// The command `presence`.
    pub(super) async fn presence(
        &mut self,
        name: &str,
    ) -> Result<Result<PresenceResult, ClientError>, Close> {
        let feed = match self.present(name)? {
            Ok(feed) => feed,
            Err(error) => return Ok(Err(error)),
        };
        let found = self.shared.presence.list(&feed).await;
        Ok(match found {
            Ok(found) => Ok(PresenceResult {
                presence: found.clients.into_iter().collect::<BTreeMap<_, _>>(),
            }),
            Err(_) => Err(ClientError::internal()),
        })
    }

    /// The command `presence_stats`.
    pub(super) async fn presence_stats(
        &mut self,
        name: &str,
    ) -> Result<Result<PresenceStatsResult, ClientError>, Close> {
        let feed = match self.present(name)? {
            Ok(feed) => feed,
            Err(error) => return Ok(Err(error)),
        };
        let found = self.shared.presence.stats(&feed).await;
        Ok(match found {
            Ok(stats) => Ok(PresenceStatsResult {
                num_clients: stats.clients,
                num_users: stats.users,
            }),
            Err(_) => Err(ClientError::internal()),
        })
    }

    /// The command `history`.
    pub(super) async fn history(
        &mut self,
        asked: &History<'_>,
    ) -> Result<Result<HistoryResult, ClientError>, Close> {
        let name = &*asked.channel;
        if name.is_empty() {
            return Err(Close::Session(Disconnect::BadRequest));
        }
        let resolved = match self.shared.namespaces.resolve(name) {
            Ok(resolved) => resolved,
            Err(error) => return Ok(Err(error)),
        };
        let (encoding, feed) = match &resolved.target {
            Target::Room(options) if !options.has_history() => {
                return Ok(Err(ClientError::not_available()));
            }
            Target::Room(_) => match self.room(name, Verb::History) {
                Ok((feed, _)) => (Encoding::Room, feed),
                Err(error) => return Ok(Err(error)),
            },
            Target::Topic(channel) => {
                let subscribed = self.subs.contains_key(name);
                match self.shared.jobs.may_follow(&self.who(), channel).await {
                    Ok(allowed) if allowed || subscribed => (Encoding::Events, resolved.feed),
                    Ok(_) => return Ok(Err(ClientError::permission_denied())),
                    Err(_) => return Ok(Err(ClientError::internal())),
                }
            }
        };
        let (redis, bytes) = (&self.shared.redis, self.shared.page_bytes);
        Ok(history::read(redis, &feed, encoding, asked, HISTORY, bytes).await)
    }

    /// Somebody subscribed: others may see it.
    pub(super) async fn arrived(&self, sub: &Sub) {
        let features = sub.features;
        if !features.presence && !features.emits {
            return;
        }
        let info = to_raw_value(&self.info(Some(sub))).expect("it is JSON");
        let feed = sub.subscription.channel.feed();
        if features.presence {
            self.shared
                .attendance
                .enter(feed, &self.client, &info)
                .await;
        }
        if features.emits {
            announce(&self.shared.rooms, feed, "join", &info).await;
        }
    }

    /// It is subscribed no more.
    pub(super) async fn left(&self, sub: &Sub) {
        let features = sub.features;
        let feed = sub.subscription.channel.feed();
        if features.presence {
            self.shared.attendance.leave(feed, &self.client).await;
        }
        if features.emits {
            let info = to_raw_value(&self.info(Some(sub))).expect("it is JSON");
            announce(&self.shared.rooms, feed, "leave", &info).await;
        }
    }

    /// The connection ended, and with it all of its subscriptions.
    pub(super) fn leave_all(&mut self, subs: HashMap<String, Sub>) {
        let seen = |sub: &Sub| sub.features.presence || sub.features.emits;
        let mut told = Vec::new();
        for sub in subs.into_values().filter(seen) {
            let info = to_raw_value(&self.info(Some(&sub))).expect("it is JSON");
            told.push((sub.subscription.channel.feed().clone(), sub.features, info));
        }
        if told.is_empty() {
            return;
        }
        let (shared, client) = (Arc::clone(&self.shared), self.client.clone());
        self.shared.tracker.spawn(async move {
            for (feed, features, info) in told {
                if features.presence {
                    shared.attendance.leave(&feed, &client).await;
                }
                if features.emits {
                    announce(&shared.rooms, &feed, "leave", &info).await;
                }
            }
        });
    }

    /// What others see of this client.
    pub(super) fn info(&self, sub: Option<&Sub>) -> ClientInfo {
        let who = self.who();
        ClientInfo {
            user: who.user.clone(),
            client: self.client.clone(),
            conn_info: who.info.clone(),
            chan_info: sub.and_then(|sub| sub.info.clone()),
        }
    }

    /// A room in which the client may do this.
    fn room(&self, name: &str, verb: Verb) -> Result<(Feed, Arc<RoomOptions>), ClientError> {
        let resolved = self.shared.namespaces.resolve(name)?;
        let Target::Room(options) = resolved.target else {
            // What is said on a job's channel comes from its worker.
            return Err(ClientError::permission_denied());
        };
        let subscribed = self.subs.contains_key(name);
        if may(verb, &self.who(), name, &options, subscribed) {
            Ok((resolved.feed, options))
        } else {
            Err(ClientError::permission_denied())
        }
    }

    /// A room of which the client may know who is there.
    fn present(&self, name: &str) -> Result<Result<Feed, ClientError>, Close> {
        if name.is_empty() {
            return Err(Close::Session(Disconnect::BadRequest));
        }
        Ok(self.shared.namespaces.resolve(name).and_then(|resolved| {
            match resolved.target {
                Target::Room(options) if options.presence => {}
                _ => return Err(ClientError::not_available()),
            }
            self.room(name, Verb::Presence).map(|(feed, _)| feed)
        }))
    }
}

/// A publication without a channel or data.
fn wrong(name: &str) -> Result<Result<(), ClientError>, Close> {
    if name.is_empty() {
        Err(Close::Session(Disconnect::BadRequest))
    } else {
        Ok(Err(ClientError::bad_request()))
    }
}

fn refused(error: PublishError) -> ClientError {
    tracing::debug!(%error, "a publication was not taken");
    ClientError::internal()
}

async fn announce(rooms: &broker::Rooms, feed: &Feed, what: &str, info: &RawValue) {
    let event = format!(r#"{{"{what}":{{"info":{}}}}}"#, info.get());
    let event = RawValue::from_string(event).expect("it is JSON");
    if let Err(error) = rooms.announce(feed, &event).await {
        tracing::debug!(%error, "a coming or going was not told");
    }
}
