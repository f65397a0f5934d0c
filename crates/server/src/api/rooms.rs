//! The methods that concern rooms. A job's channel is its worker's: it can be read here, and not published to.

use std::{collections::BTreeMap, sync::Arc};

use broker::{Feed, Publication, PublishError};
use futures_util::future::join_all;
use protocol::{
    centrifugo::{ClientError, History, PresenceResult, PresenceStatsResult},
    limits::MAX_PAYLOAD_BYTES,
};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{
    Api,
    handlers::{Answer, ApiError, answer, read},
    request::{Named, Publish},
};
use crate::{
    client::kept,
    encode::Encoding,
    history,
    namespaces::{RoomOptions, Target},
};

/// A publication of a backend, with its data as it came.
#[derive(serde::Serialize)]
struct Said<'a> {
    data: &'a RawValue,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
}

/// How many channels a broadcast may have.
const BROADCAST: usize = 1000;
/// How many publications a page of history has at most.
const HISTORY: usize = 1000;

impl Api {
    pub(super) async fn publish(&self, body: &RawValue) -> Answer {
        let asked: Publish = read(body)?;
        let result = self.publish_to(&asked.channel, &asked).await?;
        answer(&result)
    }

    pub(super) async fn broadcast(&self, body: &RawValue) -> Answer {
        let asked: Publish = read(body)?;
        if asked.channels.is_empty() {
            return Err(ClientError::bad_request().into());
        }
        if asked.channels.len() > BROADCAST {
            return Err(ClientError::limit_exceeded().into());
        }
        let channels = asked.channels.iter();
        let all = join_all(channels.map(|channel| self.publish_to(channel, &asked))).await;
        let responses: Vec<_> = all
            .into_iter()
            .map(|done| match done {
                Ok(result) => json!({ "result": result }),
                Err(error) => {
                    let error = serde_json::from_str(&error.json());
                    json!({ "error": error.unwrap_or(serde_json::Value::Null) })
                }
            })
            .collect();
        answer(&json!({ "responses": responses }))
    }

    async fn publish_to(
        &self,
        channel: &str,
        what: &Publish,
    ) -> Result<serde_json::Value, ApiError> {
        let Some(data) = &what.data else {
            return Err(ClientError::bad_request().into());
        };
        let (feed, options) = self.room(channel)?;
        let tags = &what.tags;
        let body = to_raw_value(&Said { data, tags }).expect("it is JSON already");
        if body.get().len() > MAX_PAYLOAD_BYTES {
            return Err(ClientError::limit_exceeded().into());
        }
        let key = Some(what.idempotency_key.clone()).filter(|key| !key.is_empty());
        let publication = Publication {
            body,
            history: kept(&options).filter(|_| !what.skip_history),
            key,
        };
        let at = self.shared.rooms.publish(&feed, publication).await;
        let at = at.map_err(|error| match error {
            PublishError::Full => ClientError::limit_exceeded(),
            _ => ClientError::internal(),
        })?;
        self.shared.metrics.published.inc();
        Ok(if at.offset > 0 {
            json!({ "offset": at.offset, "epoch": at.epoch })
        } else {
            json!({})
        })
    }

    pub(super) async fn presence(&self, body: &RawValue) -> Answer {
        let feed = self.present(body)?;
        let found = self.shared.presence.list(&feed).await.map_err(away)?;
        let presence = found.clients.into_iter().collect();
        answer(&PresenceResult { presence })
    }

    pub(super) async fn presence_stats(&self, body: &RawValue) -> Answer {
        let feed = self.present(body)?;
        let stats = self.shared.presence.stats(&feed).await.map_err(away)?;
        answer(&PresenceStatsResult {
            num_clients: stats.clients,
            num_users: stats.users,
        })
    }

    pub(super) async fn history(&self, body: &RawValue) -> Answer {
        let asked: History<'_> = read(body)?;
        let resolved = self.shared.namespaces.resolve(&asked.channel)?;
        let encoding = match &resolved.target {
            Target::Room(options) if kept(options).is_none() => {
                return Err(ClientError::not_available().into());
            }
            Target::Room(_) => Encoding::Room,
            Target::Topic(_) => Encoding::Events,
        };
        let (redis, bytes) = (&self.shared.redis, 4 * self.shared.page_bytes);
        let feed = &resolved.feed;
        answer(&history::read(redis, feed, encoding, &asked, HISTORY, bytes).await?)
    }

    pub(super) async fn history_remove(&self, body: &RawValue) -> Answer {
        let asked: Named = read(body)?;
        let (feed, options) = self.room(&asked.channel)?;
        if kept(&options).is_none() {
            return Err(ClientError::not_available().into());
        }
        self.shared
            .rooms
            .history_remove(&feed)
            .await
            .map_err(away)?;
        answer(&json!({}))
    }

    fn room(&self, channel: &str) -> Result<(Feed, Arc<RoomOptions>), ClientError> {
        let resolved = self.shared.namespaces.resolve(channel)?;
        match resolved.target {
            Target::Room(options) => Ok((resolved.feed, options)),
            Target::Topic(_) => Err(ClientError::not_available()),
        }
    }

    fn present(&self, body: &RawValue) -> Result<Feed, ApiError> {
        let asked: Named = read(body)?;
        let (feed, options) = self.room(&asked.channel)?;
        if options.presence {
            Ok(feed)
        } else {
            Err(ClientError::not_available().into())
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what errors are mapped with"
)]
fn away(error: broker::Error) -> ApiError {
    tracing::debug!(%error, "a call of the server API found no Redis");
    ClientError::internal().into()
}
