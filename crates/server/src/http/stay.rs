//! A request that lasts: what it may take, and what ends it early.
//!
//! Such requests have bounds of their own, so that probes and upgrades always find a connection; they count as connections
//! of their user and address, and leave with all others when the server stops.

use std::{future::Future, net::IpAddr, sync::Arc};

use tokio::sync::OwnedSemaphorePermit;

use super::{Api, Problem};
use crate::{Membership, Place, Signal, client::Seat, identity::Identity};

/// The right to last, until it is dropped.
pub(super) struct Stay {
    member: Membership,
    _seats: [Option<Seat>; 2],
    _place: Place,
}

impl Api {
    /// Lets a request last. The permit goes with the response: it is given back when the connection is done with it.
    pub(super) fn stay(
        &self,
        who: &Identity,
        address: Option<IpAddr>,
    ) -> Result<(Stay, OwnedSemaphorePermit), Problem> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            Problem::busy("this server has as many waiting requests and streams as it may have")
        })?;
        let user = if who.is_anonymous() {
            None
        } else {
            let own = who.scope.limits.max_connections;
            let most = own.map_or(usize::MAX, |most| most as usize);
            let most = most.min(self.shared.limits.connections_per_user);
            let seat = self.shared.users.enter(&who.user, most);
            Some(seat.ok_or_else(|| Problem::too_many("you have too many connections"))?)
        };
        let address = match address.filter(|_| self.max_per_address < usize::MAX) {
            None => None,
            Some(address) => {
                let seat = self
                    .addresses
                    .enter(&address.to_string(), self.max_per_address);
                let why = "too many connections from your address";
                Some(seat.ok_or_else(|| Problem::too_many(why))?)
            }
        };
        let place = self.admission.admit()?;
        let stay = Stay {
            member: self.hub.join(),
            _seats: [user, address],
            _place: place,
        };
        Ok((stay, permit))
    }
}

impl Stay {
    /// A number that no other connection has.
    pub(super) const fn id(&self) -> u64 {
        self.member.id()
    }

    /// Does something until it is done, or the server asks its clients to leave.
    pub(super) async fn unless_asked_to_leave<T>(
        &self,
        done: impl Future<Output = T>,
    ) -> Option<T> {
        let outbox = self.member.outbox();
        outbox.attach().await;
        tokio::select! {
            done = done => Some(done),
            () = outbox.asked(Signal::Leave) => None,
        }
    }
}
