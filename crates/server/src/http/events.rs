//! A job's events as server-sent events, from any place on and up to its end.
//!
//! A stream holds a page of the log and what came meanwhile, and no more: a client that reads slowly is sent the rest from
//! the log, and one that does not read at all is hung up on. It may come back with the id of the last event that it has.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use broker::Position;
use bytes::Bytes;
use protocol::ErrorCode;
use service::Hangup;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    Api, Problem,
    caller::{OfJob, Peer, StreamCaller},
    params::{JobPath, PlaceHeader, PlaceQuery},
    place,
    query::Query,
    record::Streamed,
    replay::{Progress, Replay},
    stay::Stay,
    watch::Watch,
};
use crate::{
    identity::Identity,
    jobs::{Refused, Which},
};

/// How often something is written where nothing happens, so that nobody on the way takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How soon a browser comes back after an end, in milliseconds; then the stream's own first lines.
const OPENING: &str = "retry: 2000\n\n";
const BEAT: &str = ": still here\n\n";
/// Asks proxies not to hold events back.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Follow a job's events.
///
/// A stream of server-sent events, which ends after the job's terminal event. Each event's `data` is its JSON, and its `id`
/// is `epoch:offset`: send the last one you have as `Last-Event-ID` to go on after it. An event `gap` says that events
/// before the next one are lost. Who has everything already is answered with 204, which keeps a browser from asking again.
#[utoipa::path(
    get,
    path = "/queues/{queue}/jobs/{id}/events",
    operation_id = "followJob",
    tag = "jobs",
    params(JobPath, PlaceQuery, PlaceHeader),
    responses(
        (status = 200, description = "The events, each as described", body = Streamed, content_type = "text/event-stream"),
        (status = 204, description = "The job is over, and you have all its events"),
    )
)]
pub(super) async fn follow(
    State(api): State<Arc<Api>>,
    StreamCaller(who): StreamCaller,
    OfJob(which): OfJob,
    peer: Peer,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let after = last_event(&headers, &uri)?;
    let jobs = &api.shared.jobs;
    let job = jobs.get(&who, &which).await?;
    if job.state.is_terminal() && after.as_ref() == Some(&place::end_of(&job)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (stay, permit) = api.stay(&who, peer.address)?;
    let watch = api.watch(&job, stay.id());
    watch.ready().await?;
    let returning = after.is_some();
    let redis = api.shared.redis.clone();
    let mut replay = Replay::new(redis, watch.feed.clone(), job.id, after);
    if returning && jobs.get(&who, &which).await?.state.is_terminal() {
        while replay.is_silent() {
            if replay.read().await.map_err(Refused::from)? == Progress::Top {
                break;
            }
        }
        if replay.is_silent() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let (out, parts) = mpsc::channel(1);
    let tracker = api.shared.tracker.clone();
    let stream = Stream {
        api,
        who,
        which,
        watch,
        replay,
        out,
        hangup: peer.hangup,
    };
    tracker.spawn(stream.run(stay));
    Ok(response(parts, permit))
}

/// Where the client was: the header that a browser sends by itself is newer than what stands in its address.
fn last_event(headers: &HeaderMap, uri: &Uri) -> Result<Option<Position>, Problem> {
    let [query] = Query::of(uri, ["last_event_id"])?.values();
    let query = place::parse(query.as_deref().unwrap_or(""))?;
    match headers.get("last-event-id") {
        Some(id) => Ok(place::parse(id.to_str().unwrap_or("?"))?.or(query)),
        None => Ok(query),
    }
}

fn response(parts: mpsc::Receiver<Bytes>, permit: OwnedSemaphorePermit) -> Response {
    // The permit stays until the connection lets go of the body.
    let body = futures_util::stream::unfold((parts, permit), async |(mut parts, permit)| {
        let part = parts.recv().await?;
        Some((Ok::<_, Infallible>(part), (parts, permit)))
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (UNBUFFERED, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(body)).into_response()
}

struct Stream {
    api: Arc<Api>,
    who: Arc<Identity>,
    which: Which,
    watch: Watch,
    replay: Replay,
    out: mpsc::Sender<Bytes>,
    hangup: Option<Hangup>,
}

/// A stream can't go on; its client may come back.
struct Broken;

impl From<broker::Error> for Broken {
    fn from(error: broker::Error) -> Self {
        tracing::debug!(%error, "a stream of events breaks off");
        Self
    }
}

impl Stream {
    async fn run(mut self, stay: Stay) {
        let out = self.out.clone();
        let who = Arc::clone(&self.who);
        let going = async {
            tokio::select! {
                _ = self.go() => {}
                () = out.closed() => {}
                () = expiry(&who) => {}
            }
        };
        stay.unless_asked_to_leave(going).await;
    }

    async fn go(&mut self) -> Result<(), Broken> {
        self.send(OPENING.into()).await?;
        loop {
            // Looked at first: the end of a job that is over by now must be in what is read after that.
            let job = self.api.shared.jobs.get(&self.who, &self.which).await;
            loop {
                let progress = self.replay.read().await?;
                self.pass_on().await?;
                if progress == Progress::Top {
                    break;
                }
            }
            if self.replay.over {
                return Ok(());
            }
            let saw_any = self.replay.saw_any();
            match job {
                // It was run again meanwhile, if what is still there goes on.
                Ok(job) if job.state.is_terminal() && saw_any => continue,
                Ok(job) if job.state.is_terminal() => {
                    self.replay.end(&job);
                    return self.pass_on().await;
                }
                Ok(_) => self.replay.rest(),
                Err(error) => {
                    if error.code() == Some(ErrorCode::NotFound) {
                        // Deleted: there will be nothing more, and the next request is told so.
                        self.replay.rest();
                        self.pass_on().await?;
                    }
                    return Err(Broken);
                }
            }
            self.pass_on().await?;
            if self.live().await? {
                return Ok(());
            }
        }
    }

    /// Passes on what comes, until the job is over (yes), or something has to be read from the log (no).
    async fn live(&mut self) -> Result<bool, Broken> {
        loop {
            match tokio::time::timeout(KEEP_ALIVE, self.watch.next()).await {
                Err(_) => self.send(BEAT.into()).await?,
                Ok(None) => return Ok(false),
                Ok(Some(items)) => {
                    let dense = self.replay.follow(&items);
                    self.pass_on().await?;
                    if !dense || self.replay.over {
                        return Ok(dense);
                    }
                }
            }
        }
    }

    async fn pass_on(&mut self) -> Result<(), Broken> {
        match self.replay.take() {
            Some(text) => self.send(text.into()).await,
            None => Ok(()),
        }
    }

    async fn send(&self, part: Bytes) -> Result<(), Broken> {
        let sent = self.out.send(part);
        if let Ok(sent) = tokio::time::timeout(self.api.write_timeout, sent).await {
            return sent.map_err(|_| Broken);
        }
        self.api.shared.metrics.slow_closes.inc();
        if let Some(hangup) = &self.hangup {
            hangup.hang_up();
        }
        Err(Broken)
    }
}

/// Waits until what the client's token grants is over; who comes back brings another.
async fn expiry(who: &Identity) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    match who.expires_at {
        None => std::future::pending().await,
        Some(at) => {
            let left = Duration::from_secs(at).saturating_sub(now.unwrap_or_default());
            tokio::time::sleep(left).await;
        }
    }
}
