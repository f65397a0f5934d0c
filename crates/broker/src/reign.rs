//! For how long a server is the primary behind Sentinels.
//!
//! One that did not answer for a while, and was replaced, goes on where it was when it wakes up: for ten seconds and more,
//! until a Sentinel makes a replica of it, it takes writes from all who are still connected, and then drops them. So what
//! a connection answers counts only where Sentinels named its server less than [`AGE`] ago; where they name another, a
//! call that waits ends at once. Where none can be asked, all is as if they had agreed: then nobody replaces anybody, or
//! this process is cut off together with the old primary, which only Redis itself can notice (`min-replicas-to-write`).

use std::{future::Future, sync::Arc, time::Duration};

use redis::{RedisError, RedisResult};
use tokio::time::Instant;

use crate::sentinel::{Place, Sentinels};

/// How old an answer of the Sentinels may be. Those who use a connection ask; nobody else does.
const AGE: Duration = Duration::from_millis(500);
/// The same where none of them answered: each question may take its time again.
const BLIND: Duration = Duration::from_secs(5);

/// The reign of one server. It is over for good when they name another.
#[derive(Clone)]
pub(crate) struct Reign {
    sentinels: Arc<Sentinels>,
    place: Place,
}

impl Reign {
    pub(crate) const fn new(sentinels: Arc<Sentinels>, place: Place) -> Self {
        Self { sentinels, place }
    }

    /// Whether it is not known to be over.
    pub(crate) fn stands(&self) -> bool {
        self.sentinels
            .view(|view| view.place.as_ref().is_none_or(|place| *place == self.place))
    }

    /// What a call comes to: an error, if the reign is over before the call is.
    pub(crate) async fn hold<T>(
        &self,
        call: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        self.sure().await?;
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = self.over() => Err(over()),
        };
        // Where this process slept as long as the primary did.
        self.sure().await?;
        answer
    }

    /// Waits until it is over.
    pub(crate) async fn over(&self) {
        while self.stands() {
            let asked = self.sentinels.view(|view| view.asked);
            if let Some(asked) = asked {
                tokio::time::sleep_until(asked + AGE).await;
            }
            // What fails is tried again after a while.
            let _ = self.sentinels.primary(recently()).await;
        }
    }

    /// Fails where it is over.
    async fn sure(&self) -> RedisResult<()> {
        let is_old = self.sentinels.view(|view| {
            let age = if view.is_blind { BLIND } else { AGE };
            view.asked.is_none_or(|asked| asked.elapsed() > age)
        });
        if is_old {
            let _ = self.sentinels.primary(recently()).await;
        }
        if self.stands() { Ok(()) } else { Err(over()) }
    }
}

fn recently() -> Instant {
    let now = Instant::now();
    now.checked_sub(AGE).unwrap_or(now)
}

fn over() -> RedisError {
    let kind = std::io::ErrorKind::ConnectionAborted;
    std::io::Error::new(kind, "the Sentinels name another primary").into()
}
