//! All that a Redis holds, read in one step, and scores written over.

use std::collections::BTreeMap;

use broker::testing::TestRedis;
use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSub};

const READ: &str = "
local out = {}
for i, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local value
  if kind == 'string' then value = { redis.call('GET', key) }
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  else value = redis.call('SMEMBERS', key) end
  out[i] = { key, redis.call('PTTL', key), value }
end
return out";

/// A key's time to live in milliseconds, negative if it stays, and its parts as texts.
#[derive(Clone, Debug)]
pub struct Value {
    pub ttl: i64,
    pub parts: Vec<String>,
}

impl Value {
    /// Fields and values, or members and scores.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.chunks(2).map(|pair| (&*pair[0], &*pair[1]))
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.pairs()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    pub fn members(&self) -> Vec<String> {
        self.pairs().map(|(member, _)| member.to_owned()).collect()
    }
}

pub type Dump = BTreeMap<String, Value>;

/// Connections of the test's own, past the library: for commands, and for all that is published.
pub struct Raw {
    connection: MultiplexedConnection,
    channels: PubSub,
}

impl Raw {
    pub async fn new(server: &TestRedis) -> Self {
        let client = redis::Client::open(server.url()).unwrap();
        let mut channels = client.get_async_pubsub().await.unwrap();
        channels.psubscribe("*").await.unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        Self {
            connection,
            channels,
        }
    }

    /// What was published since it was last asked for: channels and messages.
    pub async fn published(&mut self) -> Vec<(String, String)> {
        let mut mark = redis::pipe();
        mark.publish("mark", "");
        self.pipe(&mark).await;
        let mut messages = self.channels.on_message();
        let mut published = Vec::new();
        loop {
            let message = messages.next().await.expect("the subscription lasts");
            let channel = message.get_channel_name().to_owned();
            if channel == "mark" {
                return published;
            }
            published.push((channel, message.get_payload().unwrap()));
        }
    }

    pub async fn pipe(&mut self, pipeline: &redis::Pipeline) {
        let _: redis::Value = pipeline.query_async(&mut self.connection).await.unwrap();
    }

    pub async fn members(&mut self, key: &str) -> Vec<String> {
        redis::cmd("SMEMBERS")
            .arg(key)
            .query_async(&mut self.connection)
            .await
            .unwrap()
    }

    /// The members of a sorted set.
    pub async fn range(&mut self, key: &str) -> Vec<String> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(key).arg(0).arg(-1);
        range.query_async(&mut self.connection).await.unwrap()
    }

    /// A number in a hash.
    pub async fn number(&mut self, key: &str, field: &str) -> u64 {
        let mut get = redis::cmd("HGET");
        get.arg(key).arg(field);
        let number: Option<u64> = get.query_async(&mut self.connection).await.unwrap();
        number.unwrap_or(0)
    }

    pub async fn dump(&mut self) -> Dump {
        let rows: Vec<(String, i64, Vec<String>)> = redis::cmd("EVAL")
            .arg(READ)
            .arg(0)
            .query_async(&mut self.connection)
            .await
            .unwrap();
        rows.into_iter()
            .map(|(key, ttl, parts)| (key, Value { ttl, parts }))
            .collect()
    }
}
