//! Opening a session, and keeping it open: tokens of connections and channels, and their expiry.

use std::{collections::BTreeMap, sync::Arc};

use protocol::centrifugo::{
    ClientError, Connect, ConnectResult, Disconnect, RefreshResult, SubRefresh,
};
use tracing::debug;

use super::{
    recovery::From,
    session::{ClientSession, Open, Phase},
};
use crate::{
    Close,
    auth::Denied,
    bucket::Bucket,
    identity::{Identity, SubGrant},
    namespaces::Target,
};

/// How many bytes of missed events each of many subscriptions has at least in the reply to a connect.
const MIN_PAGE: usize = 2 * 1024;
/// The longest names that clients give themselves, as they are logged.
const MAX_LABEL: usize = 64;

impl ClientSession {
    /// The command `connect`.
    pub(super) async fn connect(&mut self, id: u32, connect: &Connect<'_>) -> Result<(), Close> {
        let token = (!connect.token.is_empty()).then_some(&*connect.token);
        let who = match self.shared.access.admit(token).await {
            Ok(who) => who,
            Err(Denied::Expired) => {
                self.turn_away(id, &ClientError::token_expired());
                return Ok(());
            }
            Err(Denied::Ended) => {
                self.turn_away(id, &ClientError::expired());
                return Ok(());
            }
            Err(Denied::Unavailable) => {
                self.turn_away(id, &ClientError::internal());
                return Ok(());
            }
            Err(Denied::TokenRequired) => return Err(Close::Session(Disconnect::BadRequest)),
            Err(_) => return Err(Close::Session(Disconnect::InvalidToken)),
        };
        let expires = match who.expires_at.map(|at| self.expiry_of(at)) {
            None => None,
            Some(Some(expires)) => Some(expires),
            Some(None) => {
                self.turn_away(id, &ClientError::expired());
                return Ok(());
            }
        };
        let seat = self.shared.seat(&who);
        let seat = seat.map_err(|()| Close::Session(Disconnect::ConnectionLimit))?;
        debug!(
            client = self.client,
            user = who.user,
            name = label(&connect.name),
            version = label(&connect.version),
            "session opened"
        );
        if let Some(own) = who.scope.limits.max_submits_per_second {
            let most = own.min(self.shared.limits.submits_per_second) as f32;
            self.submits = Bucket::new(most, most * 2.0);
        }
        self.phase = Phase::Open(Open {
            who: Arc::clone(&who),
            expires: expires.map(|(end, _)| end),
            _seat: seat,
            listed: self
                .shared
                .roster
                .enter(&who.user, &self.client, self.number, &self.outbox),
        });
        let mut subs = BTreeMap::new();
        let mut begun = Vec::new();
        let Ok(channels) = self.server_side(&who, connect).await? else {
            self.turn_away(id, &ClientError::internal());
            return Ok(());
        };
        // All of them go with one reply; what does not fit comes behind it.
        let share = self.shared.page_bytes / channels.len().max(1);
        self.page_bytes = share.max(MIN_PAGE);
        for (name, grant) in channels {
            let from = connect.subs.get(&*name).filter(|sub| sub.recover);
            let from = from.map(|sub| From {
                offset: sub.offset,
                epoch: &sub.epoch,
            });
            match self.prepare_server_side(&name, &grant, from).await {
                Ok((mut prepared, plan)) => {
                    subs.insert(name.clone(), std::mem::take(&mut prepared.result));
                    begun.push((name, prepared, plan));
                }
                Err(error) => {
                    self.turn_away(id, &error);
                    return Ok(());
                }
            }
        }
        let limits = self.shared.limits;
        let result = ConnectResult {
            client: &self.client,
            version: env!("CARGO_PKG_VERSION"),
            expires: expires.is_some(),
            ttl: expires.map_or(0, |(_, ttl)| ttl),
            subs,
            ping: u32::try_from(limits.ping.as_secs()).unwrap_or(u32::MAX),
            pong: limits.ping.as_secs() > 0,
        };
        self.reply(id, "connect", &result);
        self.page_bytes = self.shared.page_bytes;
        for (name, prepared, plan) in begun {
            self.begin_server_side(&name, plan, prepared).await;
        }
        Ok(())
    }

    /// The channels that the server subscribes the client to: those of its token, and those of jobs which the session
    /// before was subscribed to by their submits.
    async fn server_side(
        &self,
        who: &Identity,
        connect: &Connect<'_>,
    ) -> Result<Result<Vec<(String, SubGrant)>, broker::Error>, Close> {
        let mut channels = who.subs.clone();
        let granted = |channels: &[(String, SubGrant)], name: &str| {
            channels.iter().any(|(granted, _)| granted == name)
        };
        let own = who.scope.limits.max_subscriptions;
        let most = own.map_or(usize::MAX, |most| most as usize);
        let most = most.min(self.shared.limits.subscriptions);
        if channels.len() > most {
            return Err(Close::Session(Disconnect::ChannelLimit));
        }
        // The latest jobs first, if there is no place for all.
        for name in connect.subs.keys().rev() {
            let resolved = self.shared.namespaces.resolve(name);
            if let Ok(Target::Topic(channel)) = resolved.map(|resolved| resolved.target)
                && !granted(&channels, name)
                && channels.len() < most
            {
                // A channel that is left out is forgotten by SDKs: rather have them connect again.
                match self.shared.jobs.may_follow(who, &channel).await {
                    Ok(true) => channels.push((name.clone().into_owned(), SubGrant::default())),
                    Ok(false) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        Ok(Ok(channels))
    }

    /// The command `refresh`: another token for the connection.
    pub(super) async fn refresh(&mut self, token: &str) -> Result<RefreshResult<'static>, Close> {
        let Phase::Open(open) = &self.phase else {
            return Err(Close::Session(Disconnect::BadRequest));
        };
        if token.is_empty() || open.expires.is_none() {
            return Err(Close::Session(Disconnect::BadRequest));
        }
        let who = match self.shared.access.admit(Some(token)).await {
            Ok(who) => who,
            // Not an error: to SDKs that would be the end.
            Err(Denied::Expired | Denied::Ended | Denied::Unavailable) => {
                return Err(Close::Session(Disconnect::Expired));
            }
            Err(_) => return Err(Close::Session(Disconnect::InvalidToken)),
        };
        if who.user != open.who.user || who.tenant != open.who.tenant {
            return Err(Close::Session(Disconnect::InvalidToken));
        }
        let names = |who: &Identity| {
            let mut names: Vec<_> = who.subs.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        if names(&who) != names(&open.who) {
            // The client connects again, and gets the channels of the new token.
            return Err(Close::Session(Disconnect::InsufficientState));
        }
        let expires = match who.expires_at.map(|at| self.expiry_of(at)) {
            None => None,
            Some(Some(expires)) => Some(expires),
            Some(None) => return Err(Close::Session(Disconnect::Expired)),
        };
        if let Phase::Open(open) = &mut self.phase {
            open.who = who;
            open.expires = expires.map(|(end, _)| end);
        }
        Ok(RefreshResult {
            client: "",
            expires: expires.is_some(),
            ttl: expires.map_or(0, |(_, ttl)| ttl),
        })
    }

    /// The command `sub_refresh`: another token for a channel.
    pub(super) async fn sub_refresh(
        &mut self,
        refresh: &SubRefresh<'_>,
    ) -> Result<Result<RefreshResult<'static>, ClientError>, Close> {
        let name = &*refresh.channel;
        if name.is_empty() {
            return Err(Close::Session(Disconnect::BadRequest));
        }
        if refresh.kind != 0 {
            return Ok(Err(ClientError::not_available()));
        }
        if !self.subs.contains_key(name) {
            return Ok(Err(ClientError::permission_denied()));
        }
        if refresh.token.is_empty() {
            return Ok(Err(ClientError::bad_request()));
        }
        let token = match self.channel_token(name, &refresh.token).await? {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(Err(ClientError::bad_request())),
            Err(error) if error.code == ClientError::token_expired().code => {
                // SDKs then ask their application again; a final error would end the subscription.
                let temporary = true;
                return Ok(Err(ClientError { temporary, ..error }));
            }
            Err(_) => return Err(Close::Session(Disconnect::InvalidToken)),
        };
        let expires = match token.expires_at.map(|at| self.expiry_of(at)) {
            None => None,
            Some(Some(expires)) => Some(expires),
            Some(None) => return Ok(Err(ClientError::expired())),
        };
        if let Some(sub) = self.subs.get_mut(name) {
            sub.expires = expires.map(|(end, _)| end);
            sub.info = token.grant.info;
        }
        Ok(Ok(RefreshResult {
            client: "",
            expires: expires.is_some(),
            ttl: expires.map_or(0, |(_, ttl)| ttl),
        }))
    }
}

/// What a client calls itself, cut to what may stand in a log.
fn label(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_LABEL)
        .collect()
}
