//! Parts of the gateway on their own, for its benchmarks: without a socket and without Redis.
//!
//! Only built with the feature `testing`.

use std::sync::Arc;

use broker::{Envelope, Feed, Feeds, Listener as _, Position};
use protocol::Job;
use service::Readiness;
use tokio_util::task::TaskTracker;

use crate::{
    Batch, Hub, Limits, Membership, Metrics, Room,
    channels::{Channels, Subscription, Wish},
    delivery::Delivery,
    encode::{Encoded, Encoding},
};

/// What the lobby is called by its clients.
const LOBBY: &str = "chat:lobby";

/// The job that a text frame of a plain client becomes, if there is a message in it.
pub fn chat_job(text: &str) -> Option<Job> {
    Room::lobby().job(text).ok()
}

/// Encodes events of jobs, for plain clients or for sessions; says how many bytes there are to send.
pub fn encode(events: &[Envelope<'_>], is_plain: bool) -> usize {
    let audience = (is_plain, !is_plain);
    let encoded = Encoded::of(LOBBY, Encoding::Events, events, audience);
    let frames = encoded
        .into_iter()
        .flat_map(|group| group.plain.into_iter().chain(group.pushes));
    frames.map(|frame| frame.len()).sum()
}

/// Clients in the lobby that nobody writes to.
pub struct Crowd {
    feed: Feed,
    delivery: Delivery,
    members: Vec<(Membership, Subscription)>,
}

impl Crowd {
    /// So many clients, all plain or all with sessions.
    pub fn new(count: usize, is_plain: bool) -> Self {
        let metrics = Arc::<Metrics>::default();
        let channels = Arc::new(Channels::new(Feeds::default(), Arc::clone(&metrics)));
        let hub = Arc::new(Hub::new(Limits {
            frames: 1_024,
            bytes: 1024 * 1024,
        }));
        let feed = Feed::topic("bench", &Room::lobby().channel());
        let enter = || {
            let member = hub.join();
            let (id, outbox) = (member.id(), member.outbox());
            let place = if is_plain {
                channels.join(&feed, LOBBY, id, outbox)
            } else {
                let wish = Wish {
                    positioned: true,
                    ..Wish::default()
                };
                let encoding = Encoding::Events;
                let place = channels.subscribe(&feed, LOBBY, encoding, id, outbox, wish);
                // Nothing was kept back: from here on it gets what comes.
                while place.kept_back(0, false).is_some() {}
                place
            };
            (member, place)
        };
        let members = (0..count).map(|_| enter()).collect();
        let mut delivery = Delivery {
            channels,
            subscribed: Readiness::new().check("redis"),
            metrics,
            traced: Arc::default(),
            tracker: TaskTracker::new(),
        };
        delivery.begins(&feed, &Position::default());
        Self {
            feed,
            delivery,
            members,
        }
    }

    /// Delivers events of the lobby to everyone.
    pub fn deliver(&mut self, events: &[Envelope<'_>]) {
        self.delivery.events(&self.feed, events);
    }

    /// Takes what waits for each of them, as who writes it does; says how many frames that were.
    pub fn take(&self) -> usize {
        let mut frames = 0;
        for (member, _) in &self.members {
            let mut batch = Batch::default();
            member.outbox().take_rest(&mut batch);
            frames += batch.len();
        }
        frames
    }
}
