//! The state of one session, and the way of each command through it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use broker::Position;
use protocol::centrifugo::{
    self, ClientError, Command, Disconnect, Method, PING, RefreshResult, Unsubscribe,
};
use rand::RngExt as _;
use serde::Serialize;
use serde_json::json;
use tokio::{sync::Semaphore, time::Instant};
use tracing::debug;

use super::{Shared, roster::Listed, users::Seat};
use crate::{
    Close, Frame, Outbox, Session, bucket::Bucket, channels::Subscription,
    client::feature::Features, identity::Identity, jobs::Abandoned,
};

/// How many commands may be refused in a row before the connection is closed, and how many a second later on.
const ERRORS: f32 = 100.0;
const ERRORS_PER_SECOND: f32 = 1.0;
/// How many logs may be begun because the client subscribes where nothing was ever said; and how many a second later on.
const OPENS: f32 = 256.0;
const OPENS_PER_SECOND: f32 = 1.0;
/// How long a client that was refused may take to close the connection itself.
const REFUSED: Duration = Duration::from_secs(5);

/// The state of one session.
pub(crate) struct ClientSession {
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Arc<Outbox>,
    /// The number of the connection.
    pub(super) number: u64,
    /// The id of the client, as others see it.
    pub(super) client: String,
    pub(super) phase: Phase,
    pub(super) subs: HashMap<String, Sub>,
    pub(super) in_flight: Arc<Semaphore>,
    commands: Bucket,
    pub(super) submits: Bucket,
    errors: Bucket,
    /// Logs that are begun for subscribers.
    pub(super) opens: std::sync::Mutex<Bucket>,
    /// How many bytes of missed events are sent at once.
    pub(super) page_bytes: usize,
    /// Jobs to be cancelled when the client leaves.
    pub(super) abandoned: Vec<Abandoned>,
    /// What a backend says to the client when it disconnects it.
    pub(super) parting: String,
}

/// Where a session is.
pub(super) enum Phase {
    /// Nothing came yet; it must by then.
    Fresh(Instant),
    /// The client was refused, and may read why until then.
    Refused(Instant),
    /// It is open.
    Open(Open),
}

/// An open session.
pub(super) struct Open {
    pub(super) who: Arc<Identity>,
    /// When it ends unless its token is renewed.
    pub(super) expires: Option<Instant>,
    pub(super) _seat: Option<Seat>,
    pub(super) listed: Listed,
}

/// A subscription of a session.
pub(super) struct Sub {
    pub(super) subscription: Subscription,
    pub(super) features: Features,
    pub(super) server_side: bool,
    /// When it ends unless its token is renewed.
    pub(super) expires: Option<Instant>,
    /// What others see of the client here.
    pub(super) info: Option<Box<serde_json::value::RawValue>>,
}

impl ClientSession {
    pub(crate) fn new(shared: Arc<Shared>, outbox: Arc<Outbox>, number: u64) -> Self {
        let limits = shared.limits;
        let commands = limits.commands_per_second as f32;
        let submits = limits.submits_per_second as f32;
        Self {
            outbox,
            number,
            client: new_client(),
            phase: Phase::Fresh(Instant::now() + limits.hello),
            subs: HashMap::new(),
            in_flight: Arc::new(Semaphore::new(limits.in_flight as usize)),
            commands: Bucket::new(commands, commands * 2.0),
            submits: Bucket::new(submits, submits * 2.0),
            errors: Bucket::new(ERRORS_PER_SECOND, ERRORS),
            opens: std::sync::Mutex::new(Bucket::new(OPENS_PER_SECOND, OPENS)),
            page_bytes: shared.page_bytes,
            abandoned: Vec::new(),
            parting: String::new(),
            shared,
        }
    }

    /// Who the client is. Only commands of an open session get this far.
    pub(super) fn who(&self) -> Arc<Identity> {
        match &self.phase {
            Phase::Open(open) => Arc::clone(&open.who),
            _ => Identity::anonymous(),
        }
    }

    async fn command(&mut self, command: Command<'_>) -> Result<(), Close> {
        let Command { id, method } = command;
        match (&self.phase, &method) {
            (Phase::Refused(_), _) | (Phase::Fresh(_), Method::Pong) => return Ok(()),
            (Phase::Fresh(_), Method::Connect(_)) => {}
            (Phase::Fresh(_), _) | (Phase::Open(_), Method::Connect(_)) => {
                return Err(Close::Session(Disconnect::BadRequest));
            }
            (Phase::Open(_), _) => {}
        }
        if matches!(method, Method::Pong) {
            return Ok(());
        }
        if !self.commands.take(Instant::now()) {
            return self.refuse(id, &ClientError::too_many_requests());
        }
        match method {
            Method::Connect(connect) => self.connect(id, &connect).await,
            // There is nobody whom a `send` would reach.
            Method::Pong | Method::Send(_) => Ok(()),
            // Unsupported by SDKs and by Centrifugo; an error is friendlier than a close.
            Method::Ping => self.refuse(id, &ClientError::not_available()),
            Method::Subscribe(subscribe) => self.subscribe(id, &subscribe).await,
            Method::Unsubscribe(named) => {
                if named.channel.is_empty() {
                    return Err(Close::Session(Disconnect::BadRequest));
                }
                self.unsubscribe(&named.channel).await;
                self.reply(id, "unsubscribe", &json!({}));
                Ok(())
            }
            Method::Publish(publish) => {
                let done = self.publish(&publish).await?;
                self.answer(id, "publish", done.map(|()| json!({})))
            }
            Method::Presence(named) => {
                let found = self.presence(&named.channel).await?;
                self.answer(id, "presence", found)
            }
            Method::PresenceStats(named) => {
                let found = self.presence_stats(&named.channel).await?;
                self.answer(id, "presence_stats", found)
            }
            Method::History(history) => {
                let found = self.history(&history).await?;
                self.answer(id, "history", found)
            }
            Method::Rpc(rpc) => self.rpc(id, &rpc).await,
            Method::Refresh(refresh) => {
                let renewed = self.refresh(&refresh.token).await?;
                let client = &*self.client;
                let renewed = RefreshResult { client, ..renewed };
                self.reply(id, "refresh", &renewed);
                Ok(())
            }
            Method::SubRefresh(refresh) => {
                let renewed = self.sub_refresh(&refresh).await?;
                self.answer(id, "sub_refresh", renewed)
            }
        }
    }

    /// Answers with a result or an error.
    pub(super) fn answer(
        &mut self,
        id: u32,
        method: &str,
        result: Result<impl Serialize, ClientError>,
    ) -> Result<(), Close> {
        match result {
            Ok(result) => {
                self.reply(id, method, &result);
                Ok(())
            }
            Err(error) => self.refuse(id, &error),
        }
    }

    pub(super) fn reply(&self, id: u32, method: &str, result: &impl Serialize) {
        self.say(&centrifugo::result(id, method, result));
    }

    /// Answers with an error; too many of them end the connection.
    pub(super) fn refuse(&mut self, id: u32, error: &ClientError) -> Result<(), Close> {
        self.say(&centrifugo::error(id, error));
        if self.errors.take(Instant::now()) {
            Ok(())
        } else {
            Err(Close::Session(Disconnect::TooManyErrors))
        }
    }

    pub(super) fn say(&self, text: &str) {
        // A client that takes no answers is closed by its outbox.
        let _ = self.outbox.push(Frame::text(text));
    }

    /// The client was refused: it may read why, and close the connection itself.
    pub(super) fn turn_away(&mut self, id: u32, error: &ClientError) {
        self.say(&centrifugo::error(id, error));
        self.phase = Phase::Refused(Instant::now() + REFUSED);
    }

    /// Forgets a subscription, whether it is there or not.
    pub(super) async fn unsubscribe(&mut self, channel: &str) {
        if let Some(sub) = self.subs.remove(channel) {
            self.left(&sub).await;
        }
    }

    /// When something of the session expires next.
    fn expiry(&self) -> Option<Instant> {
        let Phase::Open(open) = &self.phase else {
            return None;
        };
        let subs = self.subs.values().filter_map(|sub| sub.expires);
        subs.chain(open.expires).min()
    }

    async fn end_expired(&mut self, now: Instant) -> Result<(), Close> {
        if let Phase::Open(open) = &self.phase
            && open.expires.is_some_and(|expires| expires <= now)
        {
            return Err(Close::Session(Disconnect::Expired));
        }
        let over = |sub: &Sub| sub.expires.is_some_and(|expires| expires <= now);
        let names = self.subs.iter().filter(|(_, sub)| over(sub));
        let names: Vec<_> = names.map(|(name, _)| name.clone()).collect();
        for name in names {
            if self.subs[&name].server_side {
                return Err(Close::Session(Disconnect::SubExpired));
            }
            self.unsubscribe(&name).await;
            self.say(&centrifugo::unsubscribed(&name, Unsubscribe::Expired));
        }
        Ok(())
    }

    /// Where the client's position in a channel begins, if the channel is followed in time.
    pub(super) async fn ready(&self, sub: &Subscription) -> Result<Position, ClientError> {
        sub.ready().await.map_err(|_| ClientError::internal())
    }
}

impl Session for ClientSession {
    async fn on_text(&mut self, text: &str) -> Result<(), Close> {
        for command in centrifugo::commands(text) {
            match command {
                Ok(command) => self.command(command).await?,
                Err(error) => {
                    debug!(client = self.client, %error, "a frame breaks the rules");
                    return Err(Close::Session(Disconnect::BadRequest));
                }
            }
        }
        Ok(())
    }

    async fn settle(&mut self) {
        // All permits are back when all are answered. The semaphore is never closed.
        let all = self.shared.limits.in_flight;
        let _ = self.in_flight.acquire_many(all).await;
    }

    fn due(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Fresh(by) | Phase::Refused(by) => Some(*by),
            Phase::Open(_) => self.expiry(),
        }
    }

    async fn on_time(&mut self, now: Instant) -> Result<(), Close> {
        match &self.phase {
            Phase::Fresh(by) | Phase::Refused(by) if *by <= now => {
                Err(Close::Session(Disconnect::Stale))
            }
            Phase::Open(_) => self.end_expired(now).await,
            _ => Ok(()),
        }
    }

    async fn on_poke(&mut self) -> Result<(), Close> {
        self.obey().await
    }

    fn ping(&mut self, outbox: &Outbox) {
        if matches!(self.phase, Phase::Open(_)) {
            let _ = outbox.push(Frame::text(PING));
        }
    }

    fn last_frame(&self, told: Close) -> Option<Frame> {
        match told {
            Close::Asked(code) => Some(Frame::close(Some(code), &self.parting)),
            told => told.frame(),
        }
    }

    fn farewell(&self, close: Close) -> Close {
        match close {
            Close::GoingAway => Close::Session(Disconnect::Shutdown),
            Close::Slow => Close::Session(Disconnect::Slow),
            Close::Idle => Close::Session(Disconnect::NoPong),
            other => other,
        }
    }

    fn ended(&mut self, close: Close) {
        let subs = std::mem::take(&mut self.subs);
        self.leave_all(subs);
        // A server that stops is not a client that left.
        let left = !matches!(close, Close::GoingAway | Close::Stopped);
        let jobs = std::mem::take(&mut self.abandoned);
        if left && !jobs.is_empty() {
            self.abandon(jobs);
        }
    }
}

/// A random id, in the form of a UUID of version 4.
fn new_client() -> String {
    let random: u128 = rand::rng().random();
    let bits = random & !(0xF << 76) | (4 << 76);
    let bits = bits & !(0b11 << 62) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::new_client;

    #[test]
    fn a_client_id_is_a_uuid_of_version_4() {
        let id = new_client();
        let parts: Vec<_> = id.split('-').collect();
        assert_eq!(
            parts.iter().map(|p| p.len()).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert!(parts[2].starts_with('4'), "{id}");
        assert!(
            matches!(parts[3].as_bytes()[0], b'8' | b'9' | b'a' | b'b'),
            "{id}"
        );
    }
}
