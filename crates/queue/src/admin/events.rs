//! What happened to a job: what its channel's log has, and what happens from now on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Json, extract::State, response::Response};
use broker::{Delivery, Feed, FollowState, Inspector, LogPage, Part, Redis, follow};
use protocol::{Channel, Event, JobId, JobRecord, Published, QueueName};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    extract::OfJob,
    jobs::no_job,
    schema,
    stream::{EVENTS, Gone, Pen},
};

/// How much of a log is told, from the newest back.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How many live events may wait while a client reads. One that reads slower is cut off, and may come again.
const WAITING: usize = 1_024;
/// How often a job's state is looked up, should its end have been missed, and a client be sure of its connection.
const LOOK: Duration = Duration::from_secs(5);

/// What the log has of a job.
#[derive(Serialize, ToSchema)]
pub(super) struct Log {
    /// Which incarnation of the log.
    epoch: String,
    /// Whether the log goes further back than it was read.
    cut: bool,
    /// Oldest first.
    events: Vec<Logged>,
}

/// An event at its place.
#[derive(Serialize, ToSchema)]
pub(super) struct Logged {
    /// Which place.
    offset: u64,
    /// What happened.
    #[schema(value_type = schema::Event)]
    event: Box<RawValue>,
}

/// What happened to a job, as far as its channel's log has it.
///
/// Jobs that publish only their outcome have few events.
#[utoipa::path(get, path = "/queues/{queue}/jobs/{id}/events", operation_id = "listEvents", tag = "jobs",
    params(schema::JobPath),
    responses((status = 200, description = "Oldest first", body = Log)))]
pub(super) async fn log(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
) -> Result<Json<Log>, Problem> {
    let job = admin.job(&queue, id).await?;
    let page = read(&admin.redis, &feed(&admin.redis, &job)).await;
    let page = page.map_err(|error| admin.problem(&error))?;
    let cut = page.entries.len() >= MOST;
    let epoch = page.top.position.epoch.clone();
    let events = of_job(page, id);
    Ok(Json(Log { epoch, cut, events }))
}

/// Follow a job: what its log has, and what happens from now on, until its end.
///
/// Server-sent events: each with its type, its place as `id`, and as `data` its JSON.
#[utoipa::path(get, path = "/queues/{queue}/jobs/{id}/stream", operation_id = "followJob", tag = "jobs",
    params(schema::JobPath),
    responses((status = 200, description = "The events, each as described", body = schema::Streamed, content_type = "text/event-stream")))]
pub(super) async fn follow_job(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
) -> Result<Response, Problem> {
    let job = admin.job(&queue, id).await?;
    let (redis, tasks) = (admin.redis.clone(), admin.tasks.clone());
    let inspector = admin.inspector.clone();
    admin.lasting(EVENTS, |pen| async move {
        // Whoever reads is told by the end of the answer that there is no more.
        let _ = tell(&redis, &inspector, &tasks, &job, &pen).await;
    })
}

impl Admin {
    async fn job(&self, queue: &QueueName, id: JobId) -> Result<JobRecord, Problem> {
        let job = self.inspector.get(queue, id).await;
        job.map_err(|error| self.problem(&error))?
            .ok_or_else(no_job)
    }
}

fn channel(job: &JobRecord) -> Channel {
    Channel {
        queue: job.queue.clone(),
        topic: job.topic.clone(),
    }
}

fn feed(redis: &Redis, job: &JobRecord) -> Feed {
    Feed::topic(redis.prefix(), &channel(job))
}

async fn read(redis: &Redis, feed: &Feed) -> Result<LogPage, broker::Error> {
    redis.log(feed, Part::Before(0), MOST, MOST_BYTES).await
}

/// The events of one job, of a topic that others may share; oldest first.
fn of_job(page: LogPage, id: JobId) -> Vec<Logged> {
    let logged = page.entries.into_iter().rev().filter_map(|(offset, json)| {
        let own = serde_json::from_str::<Event<'_>>(&json).ok()?.job == id;
        let event = own.then(|| RawValue::from_string(json).ok())??;
        Some(Logged { offset, event })
    });
    logged.collect()
}

/// An event as it goes to the client, and whether it is the last.
struct Line {
    epoch: String,
    offset: u64,
    text: String,
    last: bool,
}

impl Line {
    fn new(published: &Published<'_>) -> Option<Self> {
        let Published {
            epoch,
            offset,
            event,
        } = published;
        let json = serde_json::to_string(event).ok()?;
        let name = event.event.as_str();
        Some(Self {
            epoch: (*epoch).to_owned(),
            offset: *offset,
            text: format!("event: {name}\nid: {epoch}:{offset}\ndata: {json}\n\n"),
            last: event.event.is_terminal(),
        })
    }
}

async fn tell(
    redis: &Redis,
    inspector: &Inspector,
    tasks: &TaskTracker,
    job: &JobRecord,
    pen: &Pen,
) -> Result<(), Gone> {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let (sender, mut lines) = mpsc::channel(WAITING);
    let (state, mut states) = watch::channel(FollowState::Away);
    let hole = Arc::new(AtomicBool::new(false));
    let missed = Arc::clone(&hole);
    let id = job.id;
    let deliver = move |delivery: Delivery<'_>| {
        let Delivery::Event(published) = delivery else {
            missed.store(true, Ordering::Relaxed);
            return;
        };
        let line = (published.event.job == id).then(|| Line::new(published));
        if let Some(line) = line.flatten()
            && sender.try_send(line).is_err()
        {
            missed.store(true, Ordering::Relaxed);
        }
    };
    let on_state = move |now| {
        state.send_replace(now);
    };
    tasks.spawn(follow(redis.clone(), channel(job), on_state, deliver, stop));
    tokio::select! {
        live = states.wait_for(|state| *state == FollowState::Live) => drop(live),
        () = pen.gone() => return Err(Gone),
    }
    // What is logged before it was followed, and what came since, meet here.
    let mut place = Place::default();
    if place.catch_up(redis, job, pen).await? && is_over(inspector, job).await {
        return Ok(());
    }
    let mut looks = tokio::time::interval(LOOK);
    loop {
        let line = tokio::select! {
            biased;
            line = lines.recv() => line.ok_or(Gone)?,
            _ = looks.tick() => {
                pen.write(": still here\n\n").await?;
                if hole.load(Ordering::Relaxed) || is_over(inspector, job).await {
                    // What was missed, or is on its way, is in the log by now. The rest of a stream with a hole would be
                    // taken for the whole: who wants more comes again.
                    place.catch_up(redis, job, pen).await?;
                    return Ok(());
                }
                continue;
            }
            () = pen.gone() => return Err(Gone),
        };
        if place.passes(&line.epoch, line.offset) {
            let last = line.last;
            pen.write(line.text).await?;
            if last {
                return Ok(());
            }
        }
    }
}

/// How far a client was told.
#[derive(Default)]
struct Place {
    epoch: String,
    offset: u64,
}

impl Place {
    /// Goes on to a place; false if it is one that was told already.
    fn passes(&mut self, epoch: &str, offset: u64) -> bool {
        if self.epoch == epoch && offset <= self.offset {
            return false;
        }
        epoch.clone_into(&mut self.epoch);
        self.offset = offset;
        true
    }

    /// Tells what the log has and was not told yet; says whether the last of it is an end.
    async fn catch_up(&mut self, redis: &Redis, job: &JobRecord, pen: &Pen) -> Result<bool, Gone> {
        let page = read(redis, &feed(redis, job)).await.map_err(|_| Gone)?;
        let epoch = page.top.position.epoch.clone();
        let mut last = false;
        for Logged { offset, event } in of_job(page, job.id) {
            let Ok(event) = serde_json::from_str::<Event<'_>>(event.get()) else {
                continue;
            };
            let published = Published {
                epoch: &epoch,
                offset,
                event,
            };
            if let Some(line) = Line::new(&published)
                && self.passes(&epoch, offset)
            {
                last = line.last;
                pen.write(line.text).await?;
            }
        }
        Ok(last)
    }
}

/// Whether nothing more comes: a job that was run again has ends in its log, and goes on.
async fn is_over(inspector: &Inspector, job: &JobRecord) -> bool {
    let now = inspector.get(&job.queue, job.id).await;
    now.is_ok_and(|job| job.is_none_or(|job| job.state.is_terminal()))
}
