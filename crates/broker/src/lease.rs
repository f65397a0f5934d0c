//! The leases of a worker: which attempts it holds, and their renewal, apart from the rounds so that a long round
//! can't starve it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::JobId;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Keys, Redis, script::RENEW};

/// How many leases one call renews.
const BATCH: usize = 256;

#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<JobId, (u32, CancellationToken)>>,
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, (u32, CancellationToken)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, id: JobId, attempt: u32, token: CancellationToken) {
        self.lock().insert(id, (attempt, token));
    }

    /// Forgets an attempt. A newer attempt of the same job on the same worker stays.
    pub(crate) fn remove(&self, id: JobId, attempt: u32) {
        let mut held = self.lock();
        if held
            .get(&id)
            .is_some_and(|(current, _)| *current == attempt)
        {
            held.remove(&id);
        }
    }

    /// Tells the handler of an attempt that it should end; says whether that is news.
    pub(crate) fn cancel(&self, id: JobId, attempt: u32) -> bool {
        match self.lock().get(&id) {
            Some((current, token)) if *current == attempt && !token.is_cancelled() => {
                token.cancel();
                true
            }
            // It ended meanwhile, or another attempt of the same job began here.
            _ => false,
        }
    }

    fn snapshot(&self) -> Vec<(JobId, u32)> {
        self.lock()
            .iter()
            .map(|(id, (attempt, _))| (*id, *attempt))
            .collect()
    }

    /// Renews all leases three times in their length until `ended`.
    ///
    /// An attempt whose lease another took is cancelled. While Redis is away nothing is cancelled: if nobody took
    /// the job meanwhile, its result is still good.
    pub(crate) async fn renew(
        self: Arc<Self>,
        redis: Redis,
        keys: Keys,
        worker: String,
        lease: Duration,
        ended: CancellationToken,
    ) {
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        loop {
            tokio::select! {
                () = tokio::time::sleep(lease / 3) => {}
                () = ended.cancelled() => return,
            }
            for batch in self.snapshot().chunks(BATCH) {
                let mut call = RENEW.prepare_invoke();
                call.key(keys.base()).arg(&worker).arg(lease_ms);
                for (id, attempt) in batch {
                    call.arg(id.to_string()).arg(*attempt);
                }
                match redis.script::<Vec<String>>(&call).await {
                    Ok(lost) => self.lose(batch, &lost),
                    // The rounds of the same worker say that Redis is away.
                    Err(error) => debug!(%error, "leases not renewed"),
                }
            }
        }
    }

    fn lose(&self, batch: &[(JobId, u32)], lost: &[String]) {
        for id in lost.iter().filter_map(|id| id.parse::<JobId>().ok()) {
            let Some((_, attempt)) = batch.iter().find(|(held, _)| *held == id) else {
                continue;
            };
            if self.cancel(id, *attempt) {
                warn!(job = %id, attempt, "lease lost: the attempt is told to end");
            }
        }
    }
}
