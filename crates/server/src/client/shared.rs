//! What all sessions of a server share.

use std::{sync::Arc, time::Duration};

use broker::{Presence, Redis, Rooms};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Roster, Seat, Users};
use crate::{
    Metrics, attendance::Attendance, auth::Access, channels::Channels, identity::Identity,
    jobs::Jobs, namespaces::Namespaces,
};

/// What a session may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientLimits {
    /// How many channels it may be subscribed to.
    pub(crate) subscriptions: usize,
    /// How many commands a second.
    pub(crate) commands_per_second: u32,
    /// How many jobs a second.
    pub(crate) submits_per_second: u32,
    /// How many jobs may be on their way to Redis.
    pub(crate) in_flight: u32,
    /// How many connections a user may have.
    pub(crate) connections_per_user: usize,
    /// How long the first command may take to come.
    pub(crate) hello: Duration,
    /// How long after its token expired a client may still renew it.
    pub(crate) expiry_grace: Duration,
    /// How often the server pings.
    pub(crate) ping: Duration,
    /// How long a client may be away before its jobs are cancelled, where it asked for that.
    pub(crate) disconnect_grace: Duration,
}

/// What all sessions of a server share.
pub(crate) struct Shared {
    pub(crate) redis: Redis,
    pub(crate) access: Arc<Access>,
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) channels: Arc<Channels>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) rooms: Rooms,
    pub(crate) presence: Presence,
    pub(crate) attendance: Arc<Attendance>,
    pub(crate) users: Arc<Users>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) limits: ClientLimits,
    /// How many bytes of missed events are sent at once.
    pub(crate) page_bytes: usize,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the server begins to stop.
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    /// A place for one more connection of a user, if there may be one. Who has no name needs none.
    pub(crate) fn seat(&self, who: &Identity) -> Result<Option<Seat>, ()> {
        if who.is_anonymous() {
            return Ok(None);
        }
        let own = who.scope.limits.max_connections;
        let most = own.map_or(usize::MAX, |most| most as usize);
        let most = most.min(self.limits.connections_per_user);
        self.users.enter(&who.user, most).map(Some).ok_or(())
    }
}
