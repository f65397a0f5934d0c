//! What a subscriber missed: read from the log, and delivered before what comes live.
//!
//! The first part goes with the reply, and the rest as pushes behind it while live events are kept back, so that a log of
//! any length is delivered in order and in little memory. Nothing is called recovered that has a gap.

use std::{sync::PoisonError, time::Duration};

use broker::{Feed, History, Part, Position};
use protocol::centrifugo::{ClientError, SubscribeResult, push};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::session::ClientSession;
use crate::{
    Frame,
    channels::Subscription,
    encode::{Encoding, is_end, is_own, publication},
};

/// How many events one read brings.
const PAGE: usize = 300;
/// How long the position of a topic is kept on which nothing was ever said.
const TOPIC: Duration = Duration::from_secs(24 * 3600);

/// A subscription that is not told of yet.
pub(super) struct Prepared {
    pub(super) subscription: Subscription,
    pub(super) result: SubscribeResult,
    /// Up to where the client has everything once it has the result.
    upto: u64,
    /// Up to where it must be given the rest from the log: what came later was kept back.
    until: u64,
    /// Whether the result ends the job whose channel it is.
    over: bool,
}

/// The first of what a client missed.
struct Missed {
    publications: Vec<Box<RawValue>>,
    /// Where the log is.
    top: Position,
    /// Up to where the first goes.
    upto: u64,
    over: bool,
}

/// Where a client was.
#[derive(Clone, Copy, Debug)]
pub(super) struct From<'a> {
    pub(super) offset: u64,
    pub(super) epoch: &'a str,
}

impl ClientSession {
    /// Looks where a channel is, and what the client missed if it says where it was.
    pub(super) async fn prepare(
        &self,
        subscription: Subscription,
        from: Option<From<'_>>,
        positioned: bool,
        history: Option<History>,
    ) -> Result<Prepared, ClientError> {
        let at = self.ready(&subscription).await?;
        let result = SubscribeResult {
            was_recovering: from.is_some(),
            ..SubscribeResult::default()
        };
        if !positioned {
            return Ok(Prepared {
                subscription,
                result,
                upto: 0,
                until: 0,
                over: false,
            });
        }
        if let Some(from) = from
            && let Some(missed) = self.missed(&subscription, from).await?
        {
            let Missed {
                publications,
                top,
                upto,
                over,
            } = missed;
            let result = SubscribeResult {
                recovered: true,
                publications,
                epoch: top.epoch,
                // Clients count on from here by what they are given.
                offset: from.offset,
                positioned: true,
                ..result
            };
            return Ok(Prepared {
                subscription,
                result,
                upto,
                until: at.offset,
                over,
            });
        }
        // From here on, without what was kept back so far.
        let at = self.begun(&subscription, history).await?;
        let (upto, until) = (at.offset, at.offset);
        let result = SubscribeResult {
            epoch: at.epoch,
            offset: at.offset,
            positioned: true,
            ..result
        };
        Ok(Prepared {
            subscription,
            result,
            upto,
            until,
            over: false,
        })
    }

    /// Where a channel is now. One that has no log yet is given one, so that the client has an epoch to go on from.
    async fn begun(
        &self,
        subscription: &Subscription,
        history: Option<History>,
    ) -> Result<Position, ClientError> {
        let at = subscription.skip();
        if !at.epoch.is_empty() {
            return Ok(at);
        }
        // It costs Redis a key.
        if !self
            .opens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now())
        {
            return Err(ClientError::too_many_requests());
        }
        // A topic's log is cut by those who write to it, and not by this.
        let history = history.unwrap_or(History {
            size: u32::MAX,
            ttl: TOPIC,
            meta_ttl: TOPIC,
        });
        let opened = self.shared.rooms.open(subscription.channel.feed(), history);
        let at = opened.await.map_err(|_| ClientError::internal())?;
        subscription.channel.opened(&at);
        Ok(at)
    }

    /// The first of what was missed; where the log is; and up to where the first goes. None if there is a gap.
    async fn missed(
        &self,
        subscription: &Subscription,
        from: From<'_>,
    ) -> Result<Option<Missed>, ClientError> {
        let (feed, encoding) = (subscription.channel.feed(), subscription.channel.encoding);
        let page = self.page(feed, from.offset).await?;
        let top = page.top.position.clone();
        let there = if from.epoch.is_empty() {
            from.offset <= top.offset && !top.epoch.is_empty()
        } else {
            let epoch = from.epoch.to_owned();
            let offset = from.offset;
            page.top.goes_on_from(&Position { epoch, offset })
        };
        let dense = match page.entries.first() {
            Some((first, _)) => *first == from.offset + 1,
            None => top.offset == from.offset,
        };
        if !there || !dense {
            return Ok(None);
        }
        let upto = page.entries.last().map_or(from.offset, |(last, _)| *last);
        let publications = page
            .entries
            .iter()
            .filter_map(|(offset, event)| publication(encoding, event, *offset))
            .filter_map(|json| RawValue::from_string(json).ok())
            .collect();
        let over = ends(&subscription.channel.name, &page.entries);
        Ok(Some(Missed {
            publications,
            top,
            upto,
            over,
        }))
    }

    async fn page(&self, feed: &Feed, after: u64) -> Result<broker::LogPage, ClientError> {
        let bytes = self.page_bytes;
        let page = self.shared.redis.log(feed, Part::After(after), PAGE, bytes);
        page.await.map_err(|_| ClientError::internal())
    }

    /// Delivers the rest of what was missed, then what was kept back, and from then on what comes. The client must have
    /// been told of the subscription. Never more at once than the client takes.
    pub(super) async fn go_live(&self, prepared: Prepared) -> Subscription {
        let Prepared {
            subscription,
            mut upto,
            until,
            mut over,
            ..
        } = prepared;
        let channel = &subscription.channel;
        while upto < until {
            self.outbox.room().await;
            let page = self.page(channel.feed(), upto).await;
            let entries = page.map(|page| page.entries).unwrap_or_default();
            let dense = entries.first().is_some_and(|(first, _)| *first == upto + 1);
            if !dense {
                // Redis is away, or the log was trimmed meanwhile: the client subscribes again from where it is.
                channel.lose(self.number);
                return subscription;
            }
            over = ends(&channel.name, &entries);
            let mut frames = Vec::with_capacity(entries.len());
            for (offset, event) in &entries {
                upto = *offset;
                if let Some(body) = publication(channel.encoding, event, *offset) {
                    frames.push(Frame::text(&push(&channel.name, "pub", &body)));
                }
            }
            let _ = self.outbox.push_all(&frames);
        }
        loop {
            self.outbox.room().await;
            match subscription.kept_back(upto, over) {
                Some(frames) => drop(self.outbox.push_all(&frames)),
                None => return subscription,
            }
        }
    }
}

/// Whether the last of these events ends the job whose channel this is.
fn ends(channel: &str, entries: &[(u64, String)]) -> bool {
    is_own(channel) && entries.last().is_some_and(|(_, event)| is_end(event))
}

/// What events of a channel are.
pub(super) const fn encoding(topic: bool) -> Encoding {
    if topic {
        Encoding::Events
    } else {
        Encoding::Room
    }
}
