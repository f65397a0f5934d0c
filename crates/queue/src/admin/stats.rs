//! The counts of all queues, once a second, for who watches.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use broker::{Counts, Inspector, Totals};
use protocol::QueueName;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use super::{
    Admin, Problem, schema,
    stream::{EVENTS, Pen},
};

const PAUSE: Duration = Duration::from_secs(1);

/// All queues at a time.
#[derive(Serialize)]
pub(super) struct Stats {
    /// When, by Redis' clock, in milliseconds since the Unix epoch.
    now: u64,
    /// By name.
    queues: Vec<QueueStats>,
}

/// What a queue has and has done.
#[derive(Serialize)]
pub(super) struct QueueStats {
    /// Its name.
    queue: QueueName,
    /// How many jobs it has in each state.
    jobs: Counts,
    /// What happened in it since it began.
    totals: Totals,
    /// Whether it is paused.
    paused: bool,
}

/// The counts of all queues, live.
///
/// Server-sent events: each second one of type `stats`, or `away` with a `detail` while Redis can't be asked.
#[utoipa::path(get, path = "/stream", operation_id = "streamStats", tag = "queues",
    responses((status = 200, description = "Each with the counts as JSON in its `data`", body = schema::Streamed, content_type = "text/event-stream")))]
pub(super) async fn stats(State(admin): State<Arc<Admin>>) -> Result<Response, Problem> {
    let (inspector, address) = (admin.inspector.clone(), admin.redis.address());
    admin.lasting(EVENTS, |pen| async move {
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = pen.gone() => return,
            }
            if tell(&inspector, &address, &pen).await.is_none() {
                return;
            }
        }
    })
}

async fn tell(inspector: &Inspector, address: &str, pen: &Pen) -> Option<()> {
    let text = match look(inspector).await {
        Ok(stats) => {
            let json = serde_json::to_string(&stats).ok()?;
            format!("event: stats\ndata: {json}\n\n")
        }
        Err(error) => {
            let detail = crate::fault::sentence(&error, address);
            let json = serde_json::json!({ "detail": detail });
            format!("event: away\ndata: {json}\n\n")
        }
    };
    pen.write(text).await.ok()
}

async fn look(inspector: &Inspector) -> Result<Stats, broker::Error> {
    let now = inspector.now().await?;
    let mut queues = Vec::new();
    for queue in inspector.queues().await? {
        let (jobs, totals) = inspector.counts(&queue).await?;
        let paused = inspector.settings(&queue).await?.paused;
        queues.push(QueueStats {
            queue,
            jobs,
            totals,
            paused,
        });
    }
    Ok(Stats { now, queues })
}
