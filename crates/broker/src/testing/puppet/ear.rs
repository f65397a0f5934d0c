//! A puppet that offers itself, and hears what it is given.

use std::time::Duration;

use crate::{
    Error,
    offer::{Heard, Offer},
};

use super::{Act, Answer, Held, Puppet, Sent, millis};

impl Puppet {
    /// Listens from now on. If it did before, it does not hear any more what it was given then.
    pub async fn listen(&mut self) {
        let mut offer = self.offer.take().map_or_else(
            || Offer::new(self.redis.clone(), &self.keys, &self.name),
            Offer::deaf,
        );
        while !matches!(offer.heard(true).await, Heard::Open) {}
        self.offer = Some(offer);
    }

    /// The next round, which offers the puppet too if it wants more than there is; or takes the offer back, unless it
    /// `is_meant`.
    pub async fn offer(
        &mut self,
        acts: &[Act],
        want: usize,
        lease: Duration,
        is_meant: bool,
    ) -> Result<Answer, Error> {
        self.prepare(acts, want, lease, is_meant);
        self.first().await
    }

    /// The same, of which the answer is lost.
    pub async fn offer_unanswered(
        &mut self,
        acts: &[Act],
        want: usize,
        lease: Duration,
        is_meant: bool,
    ) -> Result<(), Error> {
        self.prepare(acts, want, lease, is_meant);
        self.send().await.map(drop)
    }

    fn prepare(&mut self, acts: &[Act], want: usize, lease: Duration, is_meant: bool) {
        let offer = self.offer.as_mut().expect("it listens");
        self.sent = Sent {
            number: self.sent.number + 1,
            lease_ms: millis(lease),
            want,
            offer: offer.say(is_meant),
            ops: acts.iter().cloned().map(|act| self.op(act)).collect(),
        };
    }

    /// Waits for what it is given.
    pub async fn hear(&mut self) -> Held {
        let offer = self.offer.as_mut().expect("it listens");
        loop {
            if let Heard::Given(claim) = offer.heard(true).await {
                return self.hold(*claim);
            }
        }
    }
}
