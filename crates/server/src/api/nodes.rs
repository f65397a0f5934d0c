//! This server among the others: what it says of itself, and what it hears.

use std::{sync::Arc, time::Duration};

use broker::Nodes;
use rand::RngExt as _;
use serde_json::{json, value::to_raw_value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    Api,
    handlers::{Answer, answer},
};
use crate::client::{Order, Shared};

/// How often a server gives a sign of life: three times within its time to live.
const BEAT: Duration = Duration::from_secs(20);

/// Beats, and hears orders.
pub(crate) struct NodesTask {
    pub(crate) nodes: Nodes,
    pub(crate) shared: Arc<Shared>,
    /// What the server is called: its address.
    pub(crate) name: String,
}

impl NodesTask {
    /// Runs until `stop`, then says goodbye.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let uid = format!("{:032x}", rand::rng().random::<u128>());
        let began = Instant::now();
        let (roster, metrics) = (
            Arc::clone(&self.shared.roster),
            Arc::clone(&self.shared.metrics),
        );
        let hear = move |text: &str| match serde_json::from_str::<Order>(text) {
            Ok(order) => {
                metrics.nodes_heard.inc();
                roster.give(&order);
            }
            Err(error) => warn!(%error, "an order that can't be read; another version's?"),
        };
        let listening = self.nodes.clone().listen(hear, |_| {}, stop.clone());
        let beating = async {
            let mut beat = tokio::time::interval(BEAT);
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                beat.tick().await;
                let (clients, users) = self.shared.roster.counts();
                let about = json!({
                    "uid": uid,
                    "name": self.name,
                    "version": env!("CARGO_PKG_VERSION"),
                    "num_clients": clients,
                    "num_users": users,
                    "num_channels": self.shared.channels.count(),
                    "uptime": began.elapsed().as_secs(),
                });
                let about = to_raw_value(&about).expect("it is JSON");
                if let Err(error) = self.nodes.beat(&uid, &about).await {
                    debug!(%error, "no sign of life this time");
                }
            }
        };
        tokio::select! {
            () = listening => {}
            () = async { stop.run_until_cancelled(beating).await; } => {}
        }
        let gone = tokio::time::timeout(Duration::from_secs(1), self.nodes.gone(&uid));
        // A server that could not say goodbye is forgotten after a minute.
        let _ = gone.await;
    }
}

impl Api {
    pub(super) async fn info(&self) -> Answer {
        match self.nodes.list().await {
            Ok(nodes) => {
                let nodes: Vec<_> = nodes.into_values().collect();
                answer(&json!({ "nodes": nodes }))
            }
            Err(error) => {
                debug!(%error, "the servers could not be listed");
                Err(protocol::centrifugo::ClientError::internal().into())
            }
        }
    }
}
