//! Redis, wherever it is: one server, a primary that Sentinels know, or a Cluster. Finds the server that has a key, and
//! asks it.

use std::{sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use protocol::QueueName;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::time::Instant;

use crate::{
    Error, Keys, RedisArgs,
    address::Address,
    call::{Call, Link},
    cluster::Cluster,
    meter::Meter,
    node::{Node, Reach},
    partitions::Partitions,
    request::Request,
    slots::slot,
    subscription::Subscription,
};

/// How often a call is sent on to another node that has the slot now.
const REDIRECTS: usize = 3;

/// A handle on Redis. Clones share one multiplexed connection to each server, which is made when it is first needed and
/// again after it failed. No call retries by itself, but where a Cluster says that it was sent to the wrong node and
/// nothing was done: who calls knows whether that is safe.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Servers,
    prefix: String,
    meter: Meter,
    /// What is known of queues that are split.
    partitions: Arc<Partitions>,
}

enum Servers {
    One(Arc<Node>),
    Cluster(Cluster),
}

impl Redis {
    /// Checks the arguments; connects when first used.
    pub fn new(args: &RedisArgs) -> Result<Self, Error> {
        if args.key_prefix.contains(['{', '}']) || args.key_prefix.contains(char::is_whitespace) {
            return Err(Error::Prefix(args.key_prefix.clone()));
        }
        let meter = Meter::default();
        let one = |reach| {
            let node = Node::new(reach, false, args.timeout(), meter.clone());
            Servers::One(Arc::new(node))
        };
        let tls = args.tls.read()?;
        let servers = match Address::parse(&args.redis_url, tls.as_ref())? {
            Address::One(client) => one(Reach::Fixed(Box::new(client))),
            Address::Sentinels(sentinels) => one(Reach::Sentinels(Arc::new(sentinels))),
            Address::Cluster(seeds) => {
                Servers::Cluster(Cluster::new(seeds, args.timeout(), meter.clone()))
            }
        };
        let prefix = args.key_prefix.clone();
        Ok(Self::of(servers, prefix, meter, Arc::default()))
    }

    fn of(servers: Servers, prefix: String, meter: Meter, partitions: Arc<Partitions>) -> Self {
        let shared = Shared {
            servers,
            prefix,
            meter,
            partitions,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Another handle with connections of its own, which live on the runtime that first uses them.
    pub(crate) fn separate(&self) -> Self {
        let servers = match &self.shared.servers {
            Servers::One(node) => Servers::One(Arc::new(node.separate())),
            Servers::Cluster(cluster) => Servers::Cluster(cluster.separate()),
        };
        Self::of(
            servers,
            self.shared.prefix.clone(),
            self.shared.meter.clone(),
            Arc::clone(&self.shared.partitions),
        )
    }

    /// Makes visible what is measured of round trips and connections, those of all clones.
    pub fn register(&self, registry: &mut Registry) {
        self.shared.meter.register(registry);
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.shared.prefix
    }

    /// Where Redis is, without user and password.
    pub fn address(&self) -> String {
        match &self.shared.servers {
            Servers::One(node) => node.address(),
            Servers::Cluster(cluster) => cluster.address(),
        }
    }

    /// The server that has a queue, without user and password: of a Cluster the primary of its slot, else where Redis is.
    pub async fn shard_of(&self, queue: &QueueName) -> Result<String, Error> {
        match &self.shared.servers {
            Servers::One(node) => Ok(node.address()),
            Servers::Cluster(cluster) => {
                let keys = Keys::new(self.prefix(), queue.clone());
                let node = cluster.owner(slot(keys.base().as_bytes())).await?;
                Ok(node.address())
            }
        }
    }

    /// Whether this is a Cluster, in which no two slots need have the same server.
    pub fn is_cluster(&self) -> bool {
        matches!(self.shared.servers, Servers::Cluster(_))
    }

    /// Whether Redis answers; of a Cluster, any node.
    pub async fn ping(&self) -> Result<(), Error> {
        self.ask(&redis::cmd("PING")).await
    }

    /// The time of Redis, in milliseconds since the Unix epoch: in a Cluster always that of the same node.
    pub(crate) async fn now(&self) -> Result<u64, Error> {
        self.now_at(&Keys::queues(self.prefix())).await
    }

    /// The time of the server that has a key, which is the clock of the key's queue.
    pub(crate) async fn now_at(&self, key: &str) -> Result<u64, Error> {
        let cmd = redis::cmd("TIME");
        let request = Request::Command(&cmd);
        let (secs, micros): (u64, u64) = self.send(key.as_bytes(), request).await?;
        Ok(secs * 1000 + micros / 1000)
    }

    /// What is known of queues that are split.
    pub(crate) fn partitions(&self) -> &Partitions {
        &self.shared.partitions
    }

    /// What is measured of round trips and connections.
    pub(crate) fn meter(&self) -> &Meter {
        &self.shared.meter
    }

    /// Sends one command, whose first argument is its key.
    pub(crate) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, Error> {
        let request = Request::Command(cmd);
        self.send(request.key(), request).await
    }

    /// Sends one command to the server that has a key.
    pub(crate) async fn query_at<T: FromRedisValue>(
        &self,
        key: &str,
        cmd: &Cmd,
    ) -> Result<T, Error> {
        self.send(key.as_bytes(), Request::Command(cmd)).await
    }

    /// Sends one command without a key; of a Cluster, to the first node that answers.
    pub(crate) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, Error> {
        let request = Request::Command(cmd);
        let Servers::Cluster(cluster) = &self.shared.servers else {
            return self.send(b"", request).await;
        };
        let mut nodes = cluster.primaries().await?;
        nodes.sort_by_key(|node| !node.is_connected());
        let mut failure = None;
        for node in nodes {
            match one(&node, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) if !error.is_temporary() => return Err(error),
                Err(error) => {
                    cluster.doubt();
                    failure.get_or_insert(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::Connect(crate::node::timed_out())))
    }

    /// Sends one command without a key to every primary. Fails if one of them does not answer.
    pub(crate) async fn ask_all<T: FromRedisValue>(
        &self,
        cmd: &Cmd,
    ) -> Result<Vec<(String, T)>, Error> {
        let nodes = match &self.shared.servers {
            Servers::One(node) => vec![Arc::clone(node)],
            Servers::Cluster(cluster) => cluster.primaries().await?,
        };
        let mut answers = Vec::with_capacity(nodes.len());
        for node in nodes {
            let answer = one(&node, Request::Command(cmd)).await;
            if answer.is_err()
                && let Servers::Cluster(cluster) = &self.shared.servers
            {
                cluster.doubt();
            }
            answers.push((node.address(), answer?));
        }
        answers.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(answers)
    }

    /// Sends several commands in one round trip. Their keys are of one queue or namespace.
    pub(crate) async fn pipe<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Error> {
        let request = Request::Pipeline(pipeline);
        self.send(request.key(), request).await
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, Error> {
        self.send(call.key(), Request::Script(call)).await
    }

    /// A connection of one's own to the server that has a key, for a command that blocks. An answer may take `wait` longer
    /// than usual. `again` if it is one in place of another.
    pub(crate) async fn dedicated(
        &self,
        key: &str,
        wait: Duration,
        again: bool,
    ) -> Result<Link, Error> {
        let node = self.node(key, again).await?;
        let opened = node.open(wait, again).await;
        if opened.is_err() {
            self.doubt();
        }
        opened
    }

    /// A connection of one's own to the server that has a key, for subscriptions to channels of its queue or namespace; of
    /// all, where there is but one server.
    pub(crate) async fn subscription(&self, key: &str, again: bool) -> Result<Subscription, Error> {
        let node = self.node(key, again).await?;
        let opened = if self.is_cluster() {
            Subscription::sharded(&node, again).await
        } else {
            Subscription::plain(&node, again).await
        };
        if opened.is_err() {
            self.doubt();
        }
        opened
    }

    /// The command that publishes what only those get who ask the server that has the channel's slot.
    pub(crate) fn publish(&self) -> Cmd {
        redis::cmd(if self.is_cluster() {
            "SPUBLISH"
        } else {
            "PUBLISH"
        })
    }

    async fn node(&self, key: &str, again: bool) -> Result<Arc<Node>, Error> {
        match &self.shared.servers {
            Servers::One(node) => Ok(Arc::clone(node)),
            Servers::Cluster(cluster) => {
                if again {
                    cluster.doubt();
                }
                cluster.owner(slot(key.as_bytes())).await
            }
        }
    }

    fn doubt(&self) {
        if let Servers::Cluster(cluster) = &self.shared.servers {
            cluster.doubt();
        }
    }

    async fn send<T: FromRedisValue>(&self, key: &[u8], request: Request<'_>) -> Result<T, Error> {
        let cluster = match &self.shared.servers {
            Servers::One(node) => return one(node, request).await,
            Servers::Cluster(cluster) => cluster,
        };
        let slot = slot(key);
        let mut redirects = 0;
        loop {
            let result = one(&*cluster.owner(slot).await?, request).await;
            let error = match result {
                Err(error) => error,
                Ok(answer) => return Ok(answer),
            };
            if error.is_temporary() {
                cluster.doubt();
            }
            // Nothing was done: the node does not have the slot (any more).
            if !error.is_moved() || redirects == REDIRECTS {
                return Err(error);
            }
            redirects += 1;
        }
    }
}

/// Asks one server.
async fn one<T: FromRedisValue>(node: &Node, request: Request<'_>) -> Result<T, Error> {
    let (number, mut link) = node.get().await?;
    let sent = Instant::now();
    let result: Result<T, RedisError> = request.send(&mut link).await;
    node.judge(number, sent, result.as_ref().err()).await;
    result.map_err(Error::Command)
}
