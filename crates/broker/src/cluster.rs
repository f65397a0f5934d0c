//! The nodes of a Cluster, and who has which slot now.
//!
//! What is known is asked anew when a node is lost or says that a slot is another's. A slot that is on its way from one
//! node to another is left alone: a script can't see keys of both, so who asks is told to try again until it has
//! arrived.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Client, ConnectionInfo, RedisError, Value};
use tokio::{sync::Mutex, time::Instant};
use tracing::info;

use crate::{
    Error, address,
    meter::Meter,
    node::{Node, Reach},
    slots::{Range, ranges},
};

/// How often nodes are asked at most: after each failure all calls would.
const PAUSE: Duration = Duration::from_millis(50);

/// The nodes of a Cluster.
pub(crate) struct Cluster {
    /// Nodes that were named at first; their settings are those of all.
    seeds: Vec<ConnectionInfo>,
    timeout: Duration,
    meter: Meter,
    known: RwLock<Arc<Known>>,
    /// Whether to ask before what is known is used again.
    stale: AtomicBool,
    asked: Mutex<Option<Instant>>,
}

type Place = (Arc<str>, u16);

/// Who has what, as far as is known.
#[derive(Default)]
struct Known {
    ranges: Vec<Range>,
    primaries: HashMap<Place, Arc<Node>>,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<ConnectionInfo>, timeout: Duration, meter: Meter) -> Self {
        Self {
            seeds,
            timeout,
            meter,
            known: RwLock::default(),
            stale: AtomicBool::new(true),
            asked: Mutex::default(),
        }
    }

    /// The same, with connections of its own.
    pub(crate) fn separate(&self) -> Self {
        Self::new(self.seeds.clone(), self.timeout, self.meter.clone())
    }

    /// The nodes that were named, without users and passwords.
    pub(crate) fn address(&self) -> String {
        address::first(self.seeds.iter())
    }

    /// The primary that has a slot.
    pub(crate) async fn owner(&self, slot: u16) -> Result<Arc<Node>, Error> {
        if self.stale.load(Ordering::Acquire) {
            Box::pin(self.refresh()).await?;
        }
        if let Some(node) = self.known().owner(slot) {
            return Ok(node);
        }
        self.doubt();
        Err(Error::Connect(failed(format!(
            "no node of the Cluster has slot {slot}"
        ))))
    }

    /// All primaries, in no order.
    pub(crate) async fn primaries(&self) -> Result<Vec<Arc<Node>>, Error> {
        if self.stale.load(Ordering::Acquire) {
            Box::pin(self.refresh()).await?;
        }
        Ok(self.known().primaries.values().map(Arc::clone).collect())
    }

    /// What is known may be wrong: it is asked before it is used again.
    pub(crate) fn doubt(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Asks the nodes, unless somebody else just did.
    async fn refresh(&self) -> Result<(), Error> {
        let began = Instant::now();
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at > began || at.elapsed() < PAUSE) {
            return Ok(());
        }
        // What comes up while the nodes are asked is asked about once more.
        self.stale.store(false, Ordering::Release);
        let result = self.ask().await;
        *asked = Some(Instant::now());
        match result {
            Ok(ranges) => {
                self.learn(ranges);
                Ok(())
            }
            Err(error) => {
                self.doubt();
                // What was known may still be right for other slots.
                if self.known().ranges.is_empty() {
                    Err(error)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// What the first node says that answers: those that are connected are asked first.
    async fn ask(&self) -> Result<Vec<Range>, Error> {
        let mut nodes: Vec<Arc<Node>> = self.known().primaries.values().map(Arc::clone).collect();
        nodes.sort_by_key(|node| !node.is_connected());
        for seed in &self.seeds {
            let client = Client::open(seed.clone()).map_err(Error::Url)?;
            nodes.push(Arc::new(self.node(client)));
        }
        let mut failure = None;
        for node in nodes {
            match ask(&node).await {
                Ok(ranges) if !ranges.is_empty() => return Ok(ranges),
                Ok(_) => {
                    failure = Some(Error::Connect(failed(
                        "the Cluster has no slots yet".to_owned(),
                    )));
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        Err(failure
            .unwrap_or_else(|| Error::Connect(failed("the Cluster has no nodes".to_owned()))))
    }

    fn learn(&self, ranges: Vec<Range>) {
        let before = self.known();
        if before.ranges == ranges {
            return;
        }
        let mut primaries = HashMap::new();
        for Range { primary, .. } in &ranges {
            if primaries.contains_key(primary) {
                continue;
            }
            let node = before.primaries.get(primary).map_or_else(
                || {
                    let info = address::at(&self.seeds[0], primary.0.to_string(), primary.1);
                    Client::open(info).map(|client| Arc::new(self.node(client)))
                },
                |node| Ok(Arc::clone(node)),
            );
            // An address that can't be used belongs to nobody.
            if let Ok(node) = node {
                primaries.insert(primary.clone(), node);
            }
        }
        if !before.ranges.is_empty() {
            info!(
                primaries = primaries.len(),
                "the Cluster has spread its slots otherwise"
            );
        }
        let known = Arc::new(Known { ranges, primaries });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn node(&self, client: Client) -> Node {
        Node::new(
            Reach::Fixed(Box::new(client)),
            true,
            self.timeout,
            self.meter.clone(),
        )
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        let range = self
            .ranges
            .iter()
            .find(|range| (range.first..=range.last).contains(&slot))?;
        self.primaries.get(&range.primary).map(Arc::clone)
    }
}

async fn ask(node: &Node) -> Result<Vec<Range>, Error> {
    let (number, mut link) = node.get().await?;
    let sent = Instant::now();
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SLOTS");
    let result: Result<Value, RedisError> = link.query(&cmd).await;
    node.judge(number, sent, result.as_ref().err()).await;
    let answer = result.map_err(|error| match error.code() {
        Some("ERR") => Error::Unsupported(format!(
            "{} is no node of a Cluster: {error}; without `-cluster` in its URL it may be used alone",
            node.address()
        )),
        _ => Error::Command(error),
    })?;
    Ok(ranges(&answer, &node.host()))
}

fn failed(text: String) -> RedisError {
    std::io::Error::other(text).into()
}
