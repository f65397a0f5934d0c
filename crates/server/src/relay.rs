//! From the channel on Redis to every client of the plain protocol.
//!
//! Every server follows the same channel, so that each message and each result reaches all clients of all of
//! them. What comes while the hub is busy is collected, and delivered together.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use broker::{Delivery, FollowState, Redis};
use protocol::{CHAT_KIND, Event, EventType};
use service::Check;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Frame, Hub, Metrics, plain};

/// The most frames that are delivered together, well below what an outbox holds.
const BATCH_FRAMES: usize = 128;
/// The most bytes that may wait for the hub. Only reached when this process gets far too little time.
const STAGE_BYTES: usize = 16 * 1024 * 1024;

/// Brings what is published to those who are connected.
pub(crate) struct Relay {
    pub(crate) redis: Redis,
    pub(crate) hub: Arc<Hub>,
    /// Told whether the channel is followed.
    pub(crate) subscribed: Check,
    pub(crate) metrics: Arc<Metrics>,
}

impl Relay {
    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            redis,
            hub,
            subscribed,
            metrics,
        } = self;
        let stage = Stage::default();
        let on_state = |state| match state {
            FollowState::Live => subscribed.set(true),
            FollowState::Away => subscribed.set_with(false, "Redis can't be subscribed to"),
        };
        let deliver = |delivery: Delivery<'_>| match delivery {
            Delivery::Event(published) => {
                metrics.relay_events.inc();
                if let Some(frame) = frame(&published.event)
                    && !stage.put(frame)
                    && metrics.relay_dropped.inc() == 0
                {
                    warn!("this process gets too little time: clients miss messages");
                }
            }
            Delivery::Gap => {
                metrics.relay_gaps.inc();
                warn!("events were lost: some messages did not reach the clients");
            }
            _ => {}
        };
        let spread = async {
            loop {
                hub.broadcast(&stage.take().await);
                // The connections get their turn before the next batch.
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = broker::follow(redis, plain::lobby(), on_state, deliver, stop) => {}
            () = spread => {}
        }
    }
}

/// What a plain client sees of an event, if anything.
fn frame(event: &Event<'_>) -> Option<Frame> {
    let data = event.data?.get();
    match event.event {
        // As it was typed.
        EventType::Queued => Some(Frame::text(&serde_json::from_str::<String>(data).ok()?)),
        // As the worker wrote it.
        EventType::Completed if event.kind.as_str() == CHAT_KIND => Some(Frame::text(data)),
        _ => None,
    }
}

/// Frames between the follower, which must not wait, and the hub.
///
/// Both run in one task, one after the other each time the task runs, so taking needs no waker.
#[derive(Default)]
struct Stage(Mutex<(VecDeque<Frame>, usize)>);

impl Stage {
    /// Adds a frame; says whether there was room.
    fn put(&self, frame: Frame) -> bool {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stage.1 + frame.len() > STAGE_BYTES {
            return false;
        }
        stage.1 += frame.len();
        stage.0.push_back(frame);
        true
    }

    async fn take(&self) -> Vec<Frame> {
        poll_fn(|_| {
            let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = stage.0.len().min(BATCH_FRAMES);
            if count == 0 {
                return Poll::Pending;
            }
            let frames: Vec<_> = stage.0.drain(..count).collect();
            stage.1 -= frames.iter().map(Frame::len).sum::<usize>();
            Poll::Ready(frames)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use protocol::Event;

    use super::{BATCH_FRAMES, STAGE_BYTES, Stage, frame};
    use crate::Frame;

    fn event(members: &str) -> Option<Frame> {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let json = format!(r#"{{"job":"{id}","attempt":1,"time":5,{members}}}"#);
        frame(&serde_json::from_str::<Event<'_>>(&json).unwrap())
    }

    #[test]
    fn an_announcement_is_shown_bare_and_a_result_verbatim() {
        let bare = event(r#""type":"queued","kind":"chat","data":"say \"\u00e9\"""#);
        assert_eq!(bare, Some(Frame::text("say \"é\"")));
        let result = event(r#""type":"completed","kind":"chat","data":{"msg":"\u00e9","time":4}"#);
        assert_eq!(result, Some(Frame::text(r#"{"msg":"\u00e9","time":4}"#)));
    }

    #[test]
    fn other_events_are_not_shown() {
        for members in [
            r#""type":"completed","kind":"report","data":{"a":1}"#,
            r#""type":"completed","kind":"chat""#,
            r#""type":"queued","kind":"chat""#,
            r#""type":"queued","kind":"chat","data":{"no":"text"}"#,
            r#""type":"progress","kind":"chat","data":"50%""#,
            r#""type":"failed","kind":"chat","error":{"code":"panic","message":"x"}"#,
        ] {
            assert_eq!(event(members), None, "{members}");
        }
    }

    #[test]
    fn the_stage_is_bounded_and_taken_in_batches() {
        let stage = Stage::default();
        let frame = Frame::text(&"x".repeat(64 * 1024));
        let mut room = 0;
        while stage.put(frame.clone()) {
            room += 1;
        }
        assert_eq!(room, STAGE_BYTES / frame.len());
        assert_eq!(stage.take().now_or_never().unwrap().len(), BATCH_FRAMES);
        assert!(stage.put(frame));
        while stage.take().now_or_never().is_some() {}
        assert_eq!(stage.0.lock().unwrap().1, 0);
    }
}
