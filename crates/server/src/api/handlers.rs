//! The methods by their names, and those that concern sessions.

use protocol::centrifugo::ClientError;
use serde::{Deserialize, Serialize};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{
    Api,
    request::{Batch, Disconnect, Refresh, Subscribe, Unsubscribe},
};
use crate::client::{Order, What};

/// How many commands a batch may have.
const BATCH: usize = 1000;
/// The code of a disconnect that names none.
const FORCE: u16 = protocol::centrifugo::Disconnect::ForceDisconnect.code();

/// An error as the API tells it.
#[derive(Debug)]
pub(super) struct ApiError(ClientError);

impl ApiError {
    pub(super) fn json(&self) -> String {
        let Self(error) = self;
        json!({ "code": error.code, "message": error.message }).to_string()
    }
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        Self(error)
    }
}

pub(super) type Answer = Result<Box<RawValue>, ApiError>;

#[expect(clippy::unnecessary_wraps, reason = "it is how every method ends")]
pub(super) fn answer(result: &impl Serialize) -> Answer {
    Ok(to_raw_value(result).expect("results are always JSON"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a RawValue) -> Result<T, ApiError> {
    serde_json::from_str(body.get()).map_err(|error| {
        ApiError(ClientError {
            message: format!("bad request: {error}"),
            ..ClientError::bad_request()
        })
    })
}

impl Api {
    /// Calls a method; none if there is no such one.
    pub(super) async fn method(&self, name: &str, body: &RawValue) -> Option<Answer> {
        if name == "batch" {
            return Some(self.batch(body).await);
        }
        self.single(name, body).await
    }

    async fn single(&self, name: &str, body: &RawValue) -> Option<Answer> {
        Some(match name {
            "publish" => self.publish(body).await,
            "broadcast" => self.broadcast(body).await,
            "presence" => self.presence(body).await,
            "presence_stats" => self.presence_stats(body).await,
            "history" => self.history(body).await,
            "history_remove" => self.history_remove(body).await,
            "subscribe" => self.subscribe(body).await,
            "unsubscribe" => self.unsubscribe(body).await,
            "disconnect" => self.disconnect(body).await,
            "refresh" => self.refresh(body).await,
            "info" => self.info().await,
            _ => return None,
        })
    }

    /// One after the other, so that what a backend does in order is done in order.
    async fn batch(&self, body: &RawValue) -> Answer {
        let batch: Batch = read(body)?;
        if batch.commands.len() > BATCH {
            return Err(ClientError::limit_exceeded().into());
        }
        let mut replies = Vec::with_capacity(batch.commands.len());
        for command in batch.commands {
            let mut command = command.into_iter();
            let (Some((name, parameters)), None) = (command.next(), command.next()) else {
                replies.push(error_reply(&ClientError::bad_request().into()));
                continue;
            };
            replies.push(match self.single(&name, &parameters).await {
                Some(Ok(result)) => {
                    let reply = std::collections::BTreeMap::from([(name, result)]);
                    to_raw_value(&reply).expect("results are always JSON")
                }
                Some(Err(error)) => error_reply(&error),
                None => error_reply(&ClientError::method_not_found().into()),
            });
        }
        answer(&json!({ "replies": replies }))
    }

    async fn subscribe(&self, body: &RawValue) -> Answer {
        let asked: Subscribe = read(body)?;
        self.shared.namespaces.resolve(&asked.channel)?;
        let what = What::Subscribe {
            channel: asked.channel,
            info: asked.info,
            data: asked.data,
            since: asked.recover_since.map(|since| (since.offset, since.epoch)),
        };
        self.order(asked.user, asked.client, Vec::new(), what).await
    }

    async fn unsubscribe(&self, body: &RawValue) -> Answer {
        let asked: Unsubscribe = read(body)?;
        self.shared.namespaces.resolve(&asked.channel)?;
        let channel = asked.channel;
        let what = What::Unsubscribe { channel };
        self.order(asked.user, asked.client, Vec::new(), what).await
    }

    async fn disconnect(&self, body: &RawValue) -> Answer {
        let asked: Disconnect = read(body)?;
        let (code, reason) = match asked.close {
            Some(close) => (close.code, close.reason),
            None => (FORCE, String::new()),
        };
        // SDKs decide by the code; below, it would be the transport's own.
        if !(3000..=4999).contains(&code) {
            return Err(ClientError::bad_request().into());
        }
        // With an empty reason, or one that is JSON, SDKs would take the code for something else.
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&reason).is_ok();
        let reason = if reason.is_empty() || is_json {
            "force disconnect".to_owned()
        } else {
            reason
        };
        let what = What::Disconnect { code, reason };
        self.order(asked.user, asked.client, asked.whitelist, what)
            .await
    }

    async fn refresh(&self, body: &RawValue) -> Answer {
        let asked: Refresh = read(body)?;
        let what = What::Refresh {
            expired: asked.expired,
            expire_at: asked.expire_at,
        };
        self.order(asked.user, asked.client, Vec::new(), what).await
    }

    /// Tells all servers what to ask of a user's sessions.
    async fn order(
        &self,
        user: String,
        client: String,
        whitelist: Vec<String>,
        what: What,
    ) -> Answer {
        let order = Order {
            user,
            client,
            whitelist,
            what,
        };
        let order = to_raw_value(&order).expect("orders are always JSON");
        match self.nodes.send(&order).await {
            Ok(_) => answer(&json!({})),
            Err(broker::TellError::TooLong(_)) => Err(ClientError::limit_exceeded().into()),
            Err(error) => {
                tracing::warn!(%error, "the servers could not be told");
                Err(ClientError::internal().into())
            }
        }
    }
}

fn error_reply(error: &ApiError) -> Box<RawValue> {
    RawValue::from_string(format!(r#"{{"error":{}}}"#, error.json())).expect("errors are JSON")
}
