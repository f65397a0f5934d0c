//! One sign of life of a worker: it is in the registry, its leases are renewed, and it hears which of its attempts are
//! to end.

use protocol::JobId;

use crate::{Error, Keys, Redis, script::BEAT};

pub(crate) struct Beat<'a> {
    pub(crate) worker: &'a str,
    pub(crate) lease_ms: u64,
    /// Whether it is the last one: the worker is out of the registry after it.
    pub(crate) leaving: bool,
    /// What the worker says of itself, as JSON.
    pub(crate) about: &'a str,
    /// The kinds that it has handlers for, with a space between two; none means all.
    pub(crate) kinds: &'a str,
    pub(crate) held: &'a [(JobId, u32)],
}

impl Beat<'_> {
    /// Says which jobs the worker does not hold any more, and which of those that it holds are to be cancelled.
    pub(crate) async fn run(
        &self,
        redis: &Redis,
        keys: &Keys,
    ) -> Result<(Vec<String>, Vec<String>), Error> {
        let mut call = BEAT.call(keys.base());
        call.arg(self.worker)
            .arg(self.lease_ms)
            .arg(u8::from(self.leaving))
            .arg(self.about)
            .arg(self.kinds);
        for (id, attempt) in self.held {
            call.arg(id.to_string()).arg(*attempt);
        }
        redis.script(&call).await
    }
}
