//! How the server stops: it says so, takes nobody in, and lets its clients go one after the other.
//!
//! Closing all at once would have them all connect to the other servers in the same moment. Never waits longer
//! than the lifecycle's hard stage allows.

use std::{sync::Arc, time::Duration};

use service::Readiness;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{Admission, Hub, Outbox, Signal};

/// How often the next few connections are asked to leave.
const TICK: Duration = Duration::from_millis(10);

/// Everything that stopping concerns.
pub(crate) struct Drain {
    pub(crate) readiness: Readiness,
    pub(crate) admission: Arc<Admission>,
    pub(crate) hub: Arc<Hub>,
    /// Between being unready and closing, so that balancers look elsewhere first.
    pub(crate) delay: Duration,
    /// Over which closes are spread.
    pub(crate) window: Duration,
}

impl Drain {
    /// Starts at `soft`, hurries at `hard`, and cancels `done` when the last connection has ended.
    pub(crate) async fn run(
        self,
        soft: CancellationToken,
        hard: CancellationToken,
        done: CancellationToken,
    ) {
        soft.cancelled().await;
        self.readiness.drain();
        if hard.run_until_cancelled(self.dismiss()).await.is_none() {
            self.admission.close();
            self.hub.ask_all(Signal::Stop);
            self.admission.emptied().await;
        }
        done.cancel();
    }

    async fn dismiss(&self) {
        // Without a delay nobody may slip in between being unready and refusing.
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.admission.close();
        let outboxes = self.hub.outboxes();
        info!(connections = outboxes.len(), window = ?self.window, "closing connections");
        tokio::select! {
            // They may all leave by themselves before the window is over.
            () = self.admission.emptied() => return,
            () = spread(&outboxes, self.window) => {}
        }
        // Those who came in the meantime, too.
        self.hub.ask_all(Signal::Leave);
        self.admission.emptied().await;
    }
}

async fn spread(outboxes: &[Arc<Outbox>], window: Duration) {
    let start = Instant::now();
    let mut asked = 0;
    loop {
        let share = start.elapsed().as_secs_f64() / window.as_secs_f64().max(f64::EPSILON);
        let due = due(outboxes.len(), share);
        for outbox in &outboxes[asked..due] {
            outbox.ask(Signal::Leave);
        }
        asked = due;
        if asked == outboxes.len() {
            return;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// How many of `count` are to be asked after this share of the window: the first at once, the last at its end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and count"
)]
fn due(count: usize, share: f64) -> usize {
    let gaps = count.saturating_sub(1) as f64;
    ((gaps * share.clamp(0.0, 1.0)).floor() as usize + 1).min(count)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use futures_util::FutureExt as _;
    use tokio::time::Instant;

    use super::{due, spread};
    use crate::{Limits, Outbox, Signal};

    #[test]
    fn the_first_leaves_at_once_and_the_last_at_the_end() {
        assert_eq!(due(0, 0.5), 0);
        assert_eq!(due(1, 0.0), 1);
        assert_eq!(due(11, 0.0), 1);
        assert_eq!(due(11, 0.5), 6);
        assert_eq!(due(11, 0.99), 10);
        assert_eq!(due(11, 7.0), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn closes_are_spread_over_the_window() {
        let limits = Limits {
            frames: 1,
            bytes: 1,
        };
        let outboxes: Vec<_> = (0..101).map(|_| Arc::new(Outbox::new(limits))).collect();
        let leaving = || {
            let asked = |o: &&Arc<Outbox>| o.asked(Signal::Leave).now_or_never().is_some();
            outboxes.iter().filter(asked).count()
        };
        let start = Instant::now();
        let half = async {
            tokio::time::sleep(Duration::from_millis(2_505)).await;
            leaving()
        };
        let ((), half) = tokio::join!(spread(&outboxes, Duration::from_secs(5)), half);
        assert!((50..=52).contains(&half), "{half}");
        assert_eq!(leaving(), 101);
        assert!(start.elapsed() <= Duration::from_millis(5_050));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_window_all_leave_at_once() {
        let limits = Limits {
            frames: 1,
            bytes: 1,
        };
        let outboxes: Vec<_> = (0..3).map(|_| Arc::new(Outbox::new(limits))).collect();
        let start = Instant::now();
        spread(&outboxes, Duration::ZERO).await;
        assert!(start.elapsed() <= super::TICK);
    }
}
