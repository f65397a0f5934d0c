//! What a session does on a backend's behalf.

use protocol::centrifugo::{self, Unsubscribe};
use tokio::time::Instant;

use super::{
    recovery::From,
    roster::What,
    session::{ClientSession, Phase},
};
use crate::{Close, identity::SubGrant};

impl ClientSession {
    /// Does everything that was asked of it by now.
    pub(super) async fn obey(&mut self) -> Result<(), Close> {
        while let Phase::Open(open) = &self.phase
            && let Some(what) = open.listed.mailbox.take()
        {
            match what {
                What::Subscribe {
                    channel,
                    info,
                    data,
                    since,
                } => {
                    let grant = SubGrant {
                        info,
                        data,
                        ..SubGrant::default()
                    };
                    self.subscribe_by_order(&channel, &grant, since).await;
                }
                What::Unsubscribe { channel } => {
                    if self.subs.contains_key(&channel) {
                        self.unsubscribe(&channel).await;
                        self.say(&centrifugo::unsubscribed(&channel, Unsubscribe::Server));
                    }
                }
                What::Disconnect { code, reason } => {
                    self.parting = reason;
                    return Err(Close::Asked(code));
                }
                What::Refresh { expired, expire_at } => self.refresh_by_order(expired, expire_at),
            }
        }
        Ok(())
    }

    async fn subscribe_by_order(
        &mut self,
        channel: &str,
        grant: &SubGrant,
        since: Option<(u64, String)>,
    ) {
        if self.no_place(channel).await.is_some() {
            return;
        }
        let from = since.as_ref().map(|(offset, epoch)| From {
            offset: *offset,
            epoch,
        });
        let prepared = self.prepare_server_side(channel, grant, from).await;
        let (prepared, plan) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::debug!(channel, %error, "a backend's subscription is not possible");
                return;
            }
        };
        self.outbox.room().await;
        self.tell_subscribed(channel, &prepared.result);
        for publication in &prepared.result.publications {
            self.say(&centrifugo::push(channel, "pub", publication.get()));
        }
        self.begin_server_side(channel, plan, prepared).await;
    }

    fn refresh_by_order(&mut self, expired: bool, expire_at: Option<u64>) {
        let end = if expired {
            Some(Instant::now())
        } else {
            // No time given: it does not expire any more. A time that is over: now.
            expire_at.map(|at| self.expiry_of(at).map_or_else(Instant::now, |(end, _)| end))
        };
        if let Phase::Open(open) = &mut self.phase {
            open.expires = end;
        }
    }
}
