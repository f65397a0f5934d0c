//! What the benchmark compares with: installed from their registries, started, and killed with the value that holds
//! them.
//!
//! Nothing here fails the benchmark: what can't be had is [`Skipped`], with the reason. Nothing here measures, but
//! for the programs that run a queue alone and say what they saw.
//!
//! | peer | what it is |
//! |---|---|
//! | [`Peers::seed`] | the seed's stack: a gateway (`ws`, BullMQ, ioredis) and a worker (BullMQ), both on Node |
//! | [`Queue::Bullmq`] | BullMQ alone on Node: jobs added in bulk, then processed |
//!
//! | [`Queue::BullmqRust`] | the same with BullMQ's Rust crate |
//! | [`Relay::Ws`], [`Relay::WsCorked`] | a minimal server of `ws` that relays a channel of Redis to all sockets |
//! | [`Relay::SocketIo`] | Socket.IO with its Redis adapter |
//! | [`Relay::Sockudo`] | Sockudo with its Redis adapter |
//!
//! # What a client sees
//!
//! A client of the seed's gateway is a plain one: it connects to `/`, sends a text and gets frames of text. Each text
//! comes back to every client once its job is stored, bare, and its result `{"msg":<text>,"time":<ms>}` to every client
//! when the job has run. Unlike here, **the text may come after its result**: nothing orders the two.
//!
//! Clients of a [`Relay`] connect to [`Relay::path`] and answer frames as [`Relay::hear`] says; what is to reach them
//! is published on Redis as [`Relay::publication`] says. A text arrives as:
//!
//! | relay | subscribing | a delivery, always a frame of text | published as |
//! |---|---|---|---|
//! | `ws` | by connecting | the bare text | the bare text on `bench` |
//! | Socket.IO | `0…` is answered with `40`, and the server puts the socket in a room; `40…` confirms it | `42["m",<text>]` | packed `["emitter", packet, options]` on `socket.io#/#bench#` |
//! | Sockudo | `pusher:connection_established` is answered with `pusher:subscribe`; `pusher_internal:subscription_succeeded` confirms it | `{"event":"m","channel":"bench","data":<text>}` | JSON of a node's broadcast on `sockudo_adapter::#broadcast` |
//!
//! Socket.IO pings with `2` each 25 s and wants `3` within 20 s; Sockudo pings with `pusher:ping` and wants
//! `pusher:pong`. The text is a string of JSON but with `ws`.
//!
//! # Threads
//!
//! Everything that is started is tied to the thread that starts it (see [`broker::testing::tied`]): start peers on a
//! thread that lives as long as they should, as `block_on`'s is.

mod node;
mod queue;
mod relay;
mod running;
mod rust;
mod sockudo;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use broker::testing::free_port;
use serde_json::json;

use node::Node;
pub use queue::{Queue, QueueFigures, QueueTask};
pub use relay::{Heard, Publication, Relay};
pub use running::Running;
use rust::Rust;

/// Why a peer can't be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped(String);

impl Skipped {
    fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Which of the peers that take long to build are wanted. Those that are built already are there in any case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// BullMQ's Rust crate: minutes.
    pub bullmq_rust: bool,
    /// Sockudo: ten minutes of both cores, half an hour where they are shared; and protoc with its well-known types, on
    /// Debian `protobuf-compiler` and `libprotobuf-dev`.
    pub sockudo: bool,
}

/// The peers, as far as they could be installed.
#[derive(Debug)]
pub struct Peers {
    node: Result<Node, Skipped>,
    bullmq_rust: Result<Rust, Skipped>,
    sockudo: Result<Rust, Skipped>,
}

impl Peers {
    /// Where peers are installed if nothing else is said: `bench-peers` in the folder that this program was built in.
    pub fn folder() -> PathBuf {
        let own = std::env::current_exe().unwrap_or_default();
        let profile = own
            .ancestors()
            .skip(1)
            .find(|folder| !folder.ends_with("deps"));
        let target = profile.and_then(|folder| folder.parent());
        target
            .map_or_else(|| PathBuf::from("target"), PathBuf::from)
            .join("bench-peers")
    }

    /// Installs what is missing into a folder. Blocks meanwhile: seconds for Node's packages.
    pub fn install(folder: &Path, wanted: Wanted) -> Self {
        Self {
            node: Node::install(&folder.join("node")),
            bullmq_rust: rust::BULLMQ.install(&folder.join("bullmq-rust"), wanted.bullmq_rust),
            sockudo: rust::SOCKUDO.install(&folder.join("sockudo"), wanted.sockudo),
        }
    }

    /// Name and version of everything that is there.
    pub fn versions(&self) -> Vec<(String, String)> {
        let mut versions = Vec::new();
        if let Ok(node) = &self.node {
            versions.extend(node.versions());
        }
        let built = [&self.bullmq_rust, &self.sockudo];
        versions.extend(built.into_iter().flatten().map(Rust::version));
        versions
    }

    /// Starts the seed's stack on a Redis of its own: one gateway, one worker that runs 100 jobs at a time.
    ///
    /// Its processes are named `server` and `worker`.
    pub async fn seed(&self, redis_url: &str) -> Result<Running, Skipped> {
        let node = self.node.as_ref().map_err(Clone::clone)?;
        let settings = json!({ "redis": redis_url, "concurrency": 100 });
        let mut running = Running::new()?;
        running
            .add("worker", node.script("seed-worker.js", &settings))
            .await?;
        running
            .add("server", node.script("seed-server.js", &settings))
            .await?;
        Ok(running)
    }

    /// Starts a gateway on a Redis of its own. Its process is named `server`.
    pub async fn relay(&self, relay: Relay, redis_url: &str) -> Result<Running, Skipped> {
        let mut running = Running::new()?;
        let (script, settings) = match relay {
            Relay::Ws | Relay::WsCorked => {
                let corked = relay == Relay::WsCorked;
                let settings =
                    json!({ "redis": redis_url, "channel": relay::ROOM, "corked": corked });
                ("ws-relay.js", settings)
            }
            Relay::SocketIo => {
                let settings = json!({ "redis": redis_url, "room": relay::ROOM });
                ("socket-io.js", settings)
            }
            Relay::Sockudo => {
                let mut command = self.sockudo.as_ref().map_err(Clone::clone)?.bare();
                let port = free_port();
                sockudo::configure(&mut command, redis_url, port);
                running.add_on("server", command, port).await?;
                return Ok(running);
            }
        };
        let node = self.node.as_ref().map_err(Clone::clone)?;
        running
            .add("server", node.script(script, &settings))
            .await?;
        Ok(running)
    }

    /// Runs a queue alone on an empty Redis of its own: a program that does the task and ends.
    pub async fn queue(
        &self,
        queue: Queue,
        redis_url: &str,
        task: &QueueTask,
    ) -> Result<QueueFigures, Skipped> {
        let settings = task.settings(redis_url);
        let program = match queue {
            Queue::Bullmq => {
                let node = self.node.as_ref().map_err(Clone::clone)?;
                node.script("bullmq.js", &settings)
            }
            Queue::BullmqRust => {
                let program = self.bullmq_rust.as_ref().map_err(Clone::clone)?;
                program.with(&settings)
            }
        };
        task.run(program).await
    }
}
