//! Answers that go on: what is written to them comes through a channel that holds little, so that a client which reads
//! slowly slows down only what is done for it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Admin, Problem};

/// How many pieces may wait for the client.
const PIECES: usize = 16;
/// How long a client may take to read a piece.
const PATIENCE: Duration = Duration::from_secs(30);

/// Server-sent events.
pub(super) const EVENTS: &str = "text/event-stream";
/// A JSON text a line.
pub(super) const LINES: &str = "application/x-ndjson";

/// The end at which an answer is written. Others may begin once it is dropped.
pub(super) struct Pen {
    pieces: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

/// Nobody reads any more.
pub(super) struct Gone;

impl Pen {
    /// Writes a piece, as soon as there is room for it.
    pub(super) async fn write(&self, piece: impl Into<Bytes>) -> Result<(), Gone> {
        let written = self.pieces.send_timeout(piece.into(), PATIENCE).await;
        written.map_err(|_| Gone)
    }

    /// Returns when nobody reads any more.
    pub(super) async fn gone(&self) {
        self.pieces.closed().await;
    }
}

impl Admin {
    /// Begins an answer that goes on for as long as `write` does, and no longer than the process or the client.
    pub(super) fn lasting<F>(
        &self,
        kind: &'static str,
        write: impl FnOnce(Pen) -> F,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let permit = Arc::clone(&self.lasting).try_acquire_owned();
        let permit = permit.map_err(|_| Problem::busy())?;
        let (sender, pieces) = mpsc::channel(PIECES);
        let writing = write(Pen {
            pieces: sender,
            _permit: permit,
        });
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(writing).await;
        });
        let body = stream::unfold(pieces, async |mut pieces| {
            let piece = pieces.recv().await?;
            Some((Ok::<_, Infallible>(piece), pieces))
        });
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (
                // Asks proxies not to hold pieces back.
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            ),
        ];
        Ok((headers, Body::from_stream(body)).into_response())
    }
}
