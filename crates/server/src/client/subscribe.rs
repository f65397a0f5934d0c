//! Subscribing: whether it is allowed, what the subscription gets, and its order on the wire.
//!
//! The reply comes before any push of the channel, and nothing of it comes after its unsubscribe.

use std::time::Duration;

use broker::{Feed, History};
use protocol::centrifugo::{self, ClientError, Disconnect, Subscribe, SubscribeResult};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    feature::{Features, may_subscribe},
    recovery::{From, Prepared, encoding},
    session::{ClientSession, Sub},
};
use crate::{
    Close,
    auth::{SubscriptionToken, TokenError},
    identity::SubGrant,
    namespaces::{Resolved, Target},
};

/// Bit of `flag`: rather an error than a subscription that could not recover.
const REJECT_UNRECOVERED: i64 = 2;

/// What a subscription is to be, once it is allowed.
struct Plan {
    feed: Feed,
    topic: bool,
    features: Features,
    history: Option<History>,
    expires: Option<(Instant, u32)>,
    info: Option<Box<RawValue>>,
    data: Option<Box<RawValue>>,
}

impl ClientSession {
    /// The command `subscribe`.
    pub(super) async fn subscribe(&mut self, id: u32, wants: &Subscribe<'_>) -> Result<(), Close> {
        let name = &*wants.channel;
        if name.is_empty() {
            return Err(Close::Session(Disconnect::BadRequest));
        }
        let plan = match self.plan(wants).await? {
            Ok(plan) => plan,
            Err(error) => return self.refuse(id, &error),
        };
        let from = wants.recover.then_some(From {
            offset: wants.offset,
            epoch: &wants.epoch,
        });
        let rejects = wants.flag & REJECT_UNRECOVERED != 0;
        let prepared = self.open(name, &plan, from, false).await;
        let prepared = match prepared {
            Ok(prepared) if rejects && from.is_some() && !prepared.result.recovered => {
                return self.refuse(id, &ClientError::unrecoverable_position());
            }
            Ok(prepared) => prepared,
            Err(error) => return self.refuse(id, &error),
        };
        self.outbox.room().await;
        self.reply(id, "subscribe", &prepared.result);
        self.begin(name, plan, prepared, false).await;
        Ok(())
    }

    /// Subscribes the client to a channel without its asking, as its token or a submit wants it. Where it was comes from
    /// the session before.
    pub(super) async fn prepare_server_side(
        &mut self,
        name: &str,
        grant: &SubGrant,
        from: Option<From<'_>>,
    ) -> Result<(Prepared, ServerSide), ClientError> {
        let resolved = self.shared.namespaces.resolve(name)?;
        let who = self.who();
        let wants = Subscribe {
            recoverable: true,
            positioned: true,
            ..Subscribe::default()
        };
        let (features, history) = match &resolved.target {
            Target::Topic(_) => (Features::JOB, None),
            Target::Room(options) => (
                Features::with(&who, name, options, &wants, grant.overrides),
                kept(options),
            ),
        };
        let plan = Plan {
            topic: matches!(resolved.target, Target::Topic(_)),
            feed: resolved.feed,
            features,
            history,
            expires: None,
            info: grant.info.clone(),
            data: grant.data.clone(),
        };
        let prepared = self.open(name, &plan, from, true).await?;
        Ok((prepared, ServerSide(plan)))
    }

    /// Lets a server-side subscription go live, once the client was told of it.
    pub(super) async fn begin_server_side(
        &mut self,
        name: &str,
        ServerSide(plan): ServerSide,
        prepared: Prepared,
    ) {
        self.begin(name, plan, prepared, true).await;
    }

    /// Whether it is allowed, and what it gets.
    async fn plan(&mut self, wants: &Subscribe<'_>) -> Result<Result<Plan, ClientError>, Close> {
        let name = &*wants.channel;
        if wants.kind != 0 {
            return Ok(Err(ClientError::not_available()));
        }
        if wants.tf.is_some() {
            // Without its filter a client would get what it does not want.
            return Ok(Err(ClientError::bad_request()));
        }
        let Resolved { target, feed } = match self.shared.namespaces.resolve(name) {
            Ok(resolved) => resolved,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(error) = self.no_place(name).await {
            return Ok(Err(error));
        }
        let token = match self.channel_token(name, &wants.token).await? {
            Ok(token) => token,
            Err(error) => return Ok(Err(error)),
        };
        let who = self.who();
        let allowed = token.is_some()
            || match &target {
                Target::Room(options) => may_subscribe(&who, name, options),
                Target::Topic(channel) => match self.shared.jobs.may_follow(&who, channel).await {
                    Ok(allowed) => allowed,
                    Err(_) => return Ok(Err(ClientError::internal())),
                },
            };
        if !allowed {
            return Ok(Err(ClientError::permission_denied()));
        }
        let expires = match token.as_ref().and_then(|token| token.expires_at) {
            None => None,
            Some(at) => match self.expiry_of(at) {
                Some(expires) => Some(expires),
                None => return Ok(Err(ClientError::expired())),
            },
        };
        let (features, history) = match &target {
            Target::Topic(_) => (Features::JOB, None),
            Target::Room(options) => (
                Features::of_room(&who, name, options, wants, token.as_ref()),
                kept(options),
            ),
        };
        let (info, data) = token.map_or((None, None), |token| (token.grant.info, token.grant.data));
        Ok(Ok(Plan {
            feed,
            topic: matches!(target, Target::Topic(_)),
            features,
            history,
            expires,
            info,
            data,
        }))
    }

    /// Why there is no place for one more subscription, if there is none.
    pub(super) async fn no_place(&mut self, name: &str) -> Option<ClientError> {
        if let Some(sub) = self.subs.get(name) {
            if sub.subscription.is_live() {
                return Some(ClientError::already_subscribed());
            }
            // The server ended it.
            self.unsubscribe(name).await;
        }
        let own = self.who().scope.limits.max_subscriptions;
        let most = own.map_or(usize::MAX, |most| most as usize);
        let most = most.min(self.shared.limits.subscriptions);
        if self.subs.len() >= most {
            // Those that ended by themselves, with their jobs.
            let over = self
                .subs
                .iter()
                .filter(|(_, sub)| !sub.subscription.is_live());
            let over: Vec<_> = over.map(|(name, _)| name.clone()).collect();
            for name in over {
                self.unsubscribe(&name).await;
            }
        }
        (self.subs.len() >= most).then(ClientError::limit_exceeded)
    }

    /// What a channel's token says, if there is one.
    pub(super) async fn channel_token(
        &self,
        name: &str,
        token: &str,
    ) -> Result<Result<Option<SubscriptionToken>, ClientError>, Close> {
        if token.is_empty() {
            return Ok(Ok(None));
        }
        let token = match self.shared.access.subscription(token).await {
            Ok(token) => token,
            Err(TokenError::Expired) => return Ok(Err(ClientError::token_expired())),
            Err(TokenError::Ended) => return Ok(Err(ClientError::expired())),
            Err(TokenError::Unavailable) => return Ok(Err(ClientError::internal())),
            Err(_) => return Ok(Err(ClientError::permission_denied())),
        };
        if !token.fits(name, &self.who().user, &self.client) {
            return Err(Close::Session(Disconnect::InvalidToken));
        }
        Ok(Ok(Some(token)))
    }

    /// When something ends that may be renewed until `at`, in seconds since the Unix epoch, and how many seconds are left;
    /// none if that is over.
    pub(super) fn expiry_of(&self, at: u64) -> Option<(Instant, u32)> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let left = at.checked_sub(now.unwrap_or_default().as_secs())?;
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let end = Instant::now() + Duration::from_secs(left.into());
        (left > 0).then_some((end + self.shared.limits.expiry_grace, left))
    }

    async fn open(
        &self,
        name: &str,
        plan: &Plan,
        from: Option<From<'_>>,
        server_side: bool,
    ) -> Result<Prepared, ClientError> {
        let subscription = self.shared.channels.subscribe(
            &plan.feed,
            name,
            encoding(plan.topic),
            self.number,
            &self.outbox,
            plan.features.wish(server_side),
        );
        let features = plan.features;
        let mut prepared = self
            .prepare(subscription, from, features.positioned, plan.history)
            .await?;
        let (expires, ttl) = plan.expires.map_or((false, 0), |(_, ttl)| (true, ttl));
        prepared.result = SubscribeResult {
            recoverable: features.recoverable,
            data: plan.data.clone(),
            expires,
            ttl,
            ..prepared.result
        };
        Ok(prepared)
    }

    /// The client was told: from here on it gets everything.
    async fn begin(&mut self, name: &str, plan: Plan, prepared: Prepared, server_side: bool) {
        let subscription = self.go_live(prepared).await;
        let sub = Sub {
            subscription,
            features: plan.features,
            server_side,
            expires: plan.expires.map(|(end, _)| end),
            info: plan.info,
        };
        // In its place first: if the connection ends meanwhile, others are told that it left.
        self.subs.insert(name.to_owned(), sub);
        if let Some(sub) = self.subs.get(name) {
            self.arrived(sub).await;
        }
    }

    /// Tells the client of a subscription that it did not ask for.
    pub(super) fn tell_subscribed(&self, name: &str, result: &SubscribeResult) {
        let told = SubscribeResult {
            recoverable: result.recoverable,
            positioned: result.positioned,
            epoch: result.epoch.clone(),
            offset: result.offset,
            data: result.data.clone(),
            ..SubscribeResult::default()
        };
        let body = serde_json::to_string(&told).expect("results are always JSON");
        self.say(&centrifugo::push(name, "subscribe", &body));
    }
}

/// A subscription that the client did not ask for, until it is told of it.
pub(super) struct ServerSide(Plan);

/// What a room remembers.
pub(crate) fn kept(options: &crate::namespaces::RoomOptions) -> Option<History> {
    let ttl = Duration::from_secs(options.history_ttl_secs);
    options
        .has_history()
        .then(|| History::new(options.history_size, ttl))
}
