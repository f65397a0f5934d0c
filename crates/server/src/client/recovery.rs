//! What a subscriber missed: read from the log, and delivered before what comes live.
//!
//! The first part goes with the reply, and the rest as pushes behind it while live events are kept back, so that a log of
//! any length is delivered in order and in little memory. Nothing is called recovered that has a gap.

use std::time::Duration;

use broker::{Feed, History, Part, Position};
use protocol::centrifugo::{ClientError, SubscribeResult, Unsubscribe, push};
use serde_json::value::RawValue;

use super::session::ClientSession;
use crate::{
    Close, Frame,
    channels::Subscription,
    encode::{Encoding, publication},
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
            });
        }
        if let Some(from) = from
            && let Some((publications, top, upto)) = self.missed(&subscription, from).await?
        {
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
    ) -> Result<Option<(Vec<Box<RawValue>>, Position, u64)>, ClientError> {
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
        Ok(Some((publications, top, upto)))
    }

    async fn page(&self, feed: &Feed, after: u64) -> Result<broker::LogPage, ClientError> {
        let bytes = self.shared.page_bytes;
        let page = self.shared.redis.log(feed, Part::After(after), PAGE, bytes);
        page.await.map_err(|_| ClientError::internal())
    }

    /// Delivers the rest of what was missed, then what was kept back, and from then on what comes. The client must have
    /// been told of the subscription.
    pub(super) async fn go_live(&self, prepared: Prepared) -> Result<Subscription, Close> {
        let Prepared {
            subscription,
            mut upto,
            until,
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
                channel.expel(self.number, Unsubscribe::InsufficientState);
                return Ok(subscription);
            }
            let mut frames = Vec::with_capacity(entries.len());
            for (offset, event) in &entries {
                upto = *offset;
                if let Some(body) = publication(channel.encoding, event, *offset) {
                    frames.push(Frame::text(&push(&channel.name, "pub", &body)));
                }
            }
            let _ = self.outbox.push_all(&frames);
        }
        subscription.go_live(upto, &self.shared.metrics);
        Ok(subscription)
    }
}

/// What events of a channel are.
pub(super) const fn encoding(topic: bool) -> Encoding {
    if topic {
        Encoding::Events
    } else {
        Encoding::Room
    }
}
