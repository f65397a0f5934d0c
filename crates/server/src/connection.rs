//! One WebSocket, from its first frame to its last.
//!
//! Reading and writing go on side by side in one task, so that a client that does not read can still be heard,
//! and be closed. Knows no protocol: texts go to a [`Session`], and what is written comes from the outbox.
//!
//! What is large and seldom is boxed while it lasts: a session deals with a text in thousands of bytes, and a task that
//! waits for one would hold them all the time.

use std::{
    future::{Future as _, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWriteExt as _},
    net::tcp::OwnedWriteHalf,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

use crate::{
    Batch, Close, Frame, Metrics, Outbox, Session, Signal,
    inbound::Inbound,
    keepalive::{Due, Keepalive},
};

/// How long a client may take to read the close frame, and again to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The times that a connection keeps.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often a ping is sent.
    pub ping_interval: Duration,
    /// How long nothing at all may come from the client.
    pub idle_timeout: Duration,
    /// How long one batch of frames may take to be written.
    pub write_timeout: Duration,
}

/// One WebSocket.
pub struct Connection<R, S, G> {
    /// Where messages come from.
    pub inbound: Inbound<R>,
    /// What the texts mean.
    pub session: S,
    /// What waits to be written, and where to.
    pub outbox: Arc<Outbox>,
    /// How patient it is.
    pub timing: Timing,
    /// A number to tell connections apart.
    pub id: u64,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// What is given back when it has ended.
    pub guard: G,
}

impl<R, S, G> Connection<R, S, G>
where
    R: AsyncRead + Unpin,
    S: Session,
{
    /// Serves the connection to its end, which is bounded once it is decided, and says why it ended.
    ///
    /// Not an `async fn`: that would keep the connection twice in its future, and there are many.
    #[allow(clippy::manual_async_fn, reason = "see above")]
    pub fn run(mut self) -> impl Future<Output = Close> {
        async move {
            self.outbox.attach().await;
            debug!(id = self.id, "connected");
            let close = self.serve().await;
            // From here on nobody else writes. What is begun can be finished.
            let (socket, batch) = self.outbox.close();
            debug!(id = self.id, ?close, "disconnected");
            let told = self.session.farewell(close);
            self.metrics.closed(told);
            self.session.ended(close);
            if let Some(last) = self.session.last_frame(told)
                && let Some(socket) = socket
            {
                let outbox = Arc::clone(&self.outbox);
                tokio::select! {
                    () = outbox.asked(Signal::Stop) => {}
                    () = Box::pin(self.finish(close, last, socket, batch)) => {}
                }
            }
            close
        }
    }

    async fn serve(&mut self) -> Close {
        let Self {
            inbound,
            session,
            outbox,
            timing,
            id,
            metrics,
            ..
        } = self;
        let now = Instant::now();
        let keepalive = Keepalive::new(timing.ping_interval, timing.idle_timeout, *id, now);
        tokio::select! {
            biased;
            () = outbox.asked(Signal::Stop) => Close::Stopped,
            () = outbox.asked(Signal::Slow) => Close::Slow,
            () = outbox.asked(Signal::Kick) => outbox.kicked().map_or(Close::Slow, Close::Session),
            close = read(inbound, session, outbox, keepalive, metrics) => close,
            close = write(outbox, timing.write_timeout, metrics) => close,
        }
    }

    /// Says goodbye, and makes sure that it can be heard.
    async fn finish(
        &mut self,
        close: Close,
        last: Frame,
        mut socket: OwnedWriteHalf,
        mut batch: Batch,
    ) {
        let mut patience = CLOSE_TIMEOUT;
        if matches!(
            close,
            Close::GoingAway | Close::Session(_) | Close::Asked(_)
        ) {
            self.outbox.take_rest(&mut batch);
            patience = self.timing.write_timeout;
        } else {
            batch.cut();
        }
        batch.push(last);
        if !matches!(
            timeout(patience, batch.write(&mut socket)).await,
            Ok(Ok(()))
        ) {
            return;
        }
        // What does not come in time never will; the socket is closed either way.
        let _ = timeout(CLOSE_TIMEOUT, self.linger(close, socket)).await;
    }

    /// Reads on until the client has seen the close frame: closing a socket with unread bytes resets it.
    async fn linger(&mut self, close: Close, mut socket: OwnedWriteHalf) {
        let answered = match close {
            Close::Peer(_) => true,
            Close::GoingAway | Close::Slow | Close::Idle | Close::Session(_) | Close::Asked(_) => {
                self.last_words(close).await
            }
            _ => false,
        };
        if socket.shutdown().await.is_ok() && !answered {
            self.inbound.discard().await;
        }
    }

    /// Reads until the client's own close frame; says whether it came.
    async fn last_words(&mut self, close: Close) -> bool {
        loop {
            match self.inbound.next().await {
                Ok(Message::Close(_)) => return true,
                // Sent before the client could know. It is taken, although a refusal can't be told any more.
                Ok(Message::Text(text)) if close == Close::GoingAway => {
                    if Box::pin(self.session.on_text(&text)).await.is_err() {
                        return false;
                    }
                }
                Ok(Message::Binary(bytes)) if close == Close::GoingAway => {
                    if Box::pin(self.session.on_binary(&bytes)).await.is_err() {
                        return false;
                    }
                }
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

async fn read(
    inbound: &mut Inbound<impl AsyncRead + Unpin>,
    session: &mut impl Session,
    outbox: &Outbox,
    mut keepalive: Keepalive,
    metrics: &Metrics,
) -> Close {
    let next = |keepalive: &Keepalive, due: Option<Instant>| {
        due.map_or_else(|| keepalive.next(), |due| due.min(keepalive.next()))
    };
    let mut due = session.due();
    let mut timer = pin!(sleep_until(next(&keepalive, due)));
    loop {
        let message = tokio::select! {
            biased;
            () = outbox.asked(Signal::Leave) => {
                Box::pin(session.settle()).await;
                return Close::GoingAway;
            }
            () = outbox.poked() => {
                if let Err(close) = Box::pin(session.on_poke()).await {
                    return close;
                }
                due = session.due();
                timer.as_mut().reset(next(&keepalive, due));
                continue;
            }
            () = timer.as_mut() => {
                let now = Instant::now();
                match keepalive.due(now) {
                    Due::Idle => return Close::Idle,
                    Due::Ping => session.ping(outbox),
                    Due::Nothing => {}
                }
                if let Err(close) = Box::pin(session.on_time(now)).await {
                    return close;
                }
                due = session.due();
                timer.as_mut().reset(next(&keepalive, due));
                continue;
            }
            // Last, so that a client that never stops can't keep the others waiting.
            message = inbound.next() => message,
        };
        if message.is_ok() {
            metrics.frames_received.inc();
        }
        let heard = match message {
            Ok(Message::Text(text)) => Box::pin(session.on_text(&text)).await,
            Ok(Message::Binary(bytes)) => Box::pin(session.on_binary(&bytes)).await,
            Ok(Message::Ping(payload)) => {
                outbox.pong(&payload);
                Ok(())
            }
            Ok(Message::Pong(_) | Message::Frame(_)) => Ok(()),
            Ok(Message::Close(frame)) => return Close::of_peer(frame.as_ref()),
            Err(error) => return Close::of_error(&error),
        };
        if let Err(close) = heard {
            return close;
        }
        let now_due = session.due();
        if now_due != due {
            due = now_due;
            timer.as_mut().reset(next(&keepalive, due));
        }
        // After the session, whose waiting is not the client's silence.
        keepalive.heard(Instant::now());
    }
}

/// Writes what whoever delivered it could not write at once.
async fn write(outbox: &Outbox, patience: Duration, metrics: &Metrics) -> Close {
    loop {
        outbox.filled().await;
        // Time is only kept where the socket does not take everything at once: a timer is large.
        let mut timer = None;
        let written = poll_fn(|cx| {
            if let Poll::Ready(written) = outbox.poll_write(cx) {
                return Poll::Ready(written);
            }
            let timer = timer.get_or_insert_with(|| Box::pin(sleep(patience)));
            timer
                .as_mut()
                .poll(cx)
                .map(|()| Err(io::ErrorKind::TimedOut.into()))
        });
        match written.await {
            Ok(sent) => metrics.sent(sent),
            Err(_) => return Close::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

    use super::{Connection, Timing};
    use crate::{Close, Inbound, Limits, Outbox, Session};

    /// What is dealt with in as many bytes as a session's commands take.
    struct Large;

    impl Session for Large {
        async fn on_text(&mut self, _text: &str) -> Result<(), Close> {
            let held = [0_u8; 8192];
            poll_fn(|_| Poll::Ready(())).await;
            std::hint::black_box(&held);
            Ok(())
        }

        async fn settle(&mut self) {}
    }

    #[test]
    fn a_connection_that_waits_for_a_text_is_small() {
        let limits = Limits {
            frames: 1,
            bytes: 1,
        };
        let second = Duration::from_secs(1);
        let connection = Connection {
            inbound: Inbound::new(tokio::io::empty(), &[], 1),
            session: Large,
            outbox: Arc::new(Outbox::new(limits)),
            timing: Timing {
                ping_interval: second,
                idle_timeout: second,
                write_timeout: second,
            },
            id: 1,
            metrics: Arc::default(),
            guard: (),
        };
        let bytes = size_of_val(&connection.run());
        assert!(bytes < 1500, "{bytes} bytes");
    }
}
