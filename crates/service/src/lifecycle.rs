//! The life of a process: it runs, it is asked to stop, it stops in order.
//!
//! Two stages: soft (take nothing new, finish what is under way) and hard (drop what is left). The soft token is
//! a child of the hard one, so that whoever watches only the soft one still stops when it gets hard. Never
//! knows what its tasks do: the order between them is made with tokens of their own.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::signal::{StopRequests, StopSignals};
use crate::traces;

/// How long tasks may take to notice the hard stage before the process ends without them.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How this process stops.
#[derive(clap::Args, Clone, Debug)]
pub struct ShutdownArgs {
    /// Milliseconds that work under way may take after the first signal; a second signal ends it at once.
    #[arg(long, env = "SHUTDOWN_GRACE_MS", default_value_t = 30_000)]
    pub shutdown_grace_ms: u64,
}

impl ShutdownArgs {
    /// The time between the soft and the hard stage.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

/// The life of this process. Made once, at the start of `main`; [`Lifecycle::run`] is its last act.
#[derive(Debug)]
pub struct Lifecycle {
    handle: Handle,
    signals: StopSignals,
    grace: Duration,
}

/// A clonable part of the [`Lifecycle`], for tasks that start tasks or that may fail the run.
#[derive(Clone, Debug)]
pub struct Handle {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Lifecycle {
    /// Catches SIGINT and SIGTERM from here on, so that none is lost between the start and [`Self::run`].
    ///
    /// Must be called inside a tokio runtime; fails when the handlers can't be installed.
    pub fn new(grace: Duration) -> io::Result<Self> {
        Ok(Self {
            handle: Handle::new(),
            signals: StopSignals::new()?,
            grace,
        })
    }

    /// The part that can be cloned into tasks.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// See [`Handle::soft`].
    pub fn soft(&self) -> CancellationToken {
        self.handle.soft()
    }

    /// See [`Handle::hard`].
    pub fn hard(&self) -> CancellationToken {
        self.handle.hard()
    }

    /// See [`Handle::tracker`].
    pub fn tracker(&self) -> &TaskTracker {
        self.handle.tracker()
    }

    /// See [`Handle::spawn`].
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(name, future);
    }

    /// See [`Handle::fail`].
    pub fn fail(&self) {
        self.handle.fail();
    }

    /// Waits until the process is to stop, then until its tasks have stopped.
    ///
    /// The first signal starts the soft stage; a second one, or the end of the grace, the hard one. Tasks that
    /// ignore the hard stage for five seconds are given up. The code is a failure when the run was marked
    /// failed or tasks were given up, and success otherwise. Last of all, traces that wait are delivered.
    pub async fn run(mut self) -> ExitCode {
        let ended_well = stages(&self.handle, self.grace, &mut self.signals).await;
        traces::flush().await;
        if ended_well {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl Handle {
    fn new() -> Self {
        let hard = CancellationToken::new();
        Self {
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
            failed: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Cancelled when no new work is to be taken; work under way may finish.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when everything is to end at once. The soft token is its child.
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// The tasks that [`Lifecycle::run`] waits for.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Starts a tracked task. If it panics, the run is marked failed and the soft stage starts.
    ///
    /// A task that returns early is taken to be done; one that must not, calls [`Self::fail`].
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let handle = self.clone();
        self.tracker.spawn(async move {
            // The future is dropped right after a panic, so nobody can see what it left half-done.
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                error!(task = name, "task panicked; stopping");
                handle.fail();
            }
        });
    }

    /// Marks the run failed and starts the soft stage: something essential has ended by itself.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
        self.soft.cancel();
    }
}

/// The stages, one after the other; true when all ended well.
async fn stages(handle: &Handle, grace: Duration, requests: &mut impl StopRequests) -> bool {
    tokio::select! {
        signal = requests.next() => info!(signal, "stopping: finishing what is under way"),
        () = handle.soft.cancelled() => info!("stopping: finishing what is under way"),
    }
    handle.soft.cancel();
    handle.tracker.close();

    let ended = tokio::select! {
        // Tasks that have ended win over a signal that came at the same moment.
        biased;
        () = handle.tracker.wait() => true,
        () = handle.hard.cancelled() => false,
        signal = requests.next() => {
            warn!(signal, "second signal: stopping at once");
            false
        }
        () = tokio::time::sleep(grace) => {
            warn!(?grace, tasks = handle.tracker.len(), "grace is over: stopping at once");
            false
        }
    };

    // Also when all is well: what was not tracked here may still watch the token.
    handle.hard.cancel();
    if !ended
        && tokio::time::timeout(LAST_WAIT, handle.tracker.wait())
            .await
            .is_err()
    {
        error!(
            tasks = handle.tracker.len(),
            "tasks did not stop; ending without them"
        );
        return false;
    }
    let failed = handle.failed.load(Ordering::SeqCst);
    info!(failed, "stopped");
    !failed
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    impl StopRequests for mpsc::Receiver<&'static str> {
        async fn next(&mut self) -> &'static str {
            match self.recv().await {
                Some(name) => name,
                None => std::future::pending().await,
            }
        }
    }

    async fn run_with(handle: &Handle, signals: &[&'static str]) -> bool {
        let (sender, mut receiver) = mpsc::channel(4);
        for signal in signals {
            sender.send(*signal).await.unwrap();
        }
        stages(handle, GRACE, &mut receiver).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_lets_work_finish() {
        let handle = Handle::new();
        let (soft, hard) = (handle.soft(), handle.hard());
        handle.spawn("work", async move {
            soft.cancelled().await;
            tokio::time::sleep(GRACE / 2).await;
            assert!(!hard.is_cancelled());
        });
        assert!(run_with(&handle, &["SIGTERM"]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_signal_is_hard() {
        let handle = Handle::new();
        let hard = handle.hard();
        handle.spawn("slow", async move { hard.cancelled().await });
        let start = tokio::time::Instant::now();
        assert!(run_with(&handle, &["SIGINT", "SIGINT"]).await);
        assert!(start.elapsed() < GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_grace_is_hard() {
        let handle = Handle::new();
        let hard = handle.hard();
        handle.spawn("slow", async move { hard.cancelled().await });
        let start = tokio::time::Instant::now();
        assert!(run_with(&handle, &["SIGTERM"]).await);
        assert!(start.elapsed() >= GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ignores_both_stages_is_given_up() {
        let handle = Handle::new();
        handle.spawn("stuck", std::future::pending());
        let start = tokio::time::Instant::now();
        assert!(!run_with(&handle, &["SIGTERM"]).await);
        assert!(start.elapsed() >= GRACE + LAST_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_stops_the_run_and_fails_it() {
        let handle = Handle::new();
        handle.spawn("broken", async { panic!("on purpose") });
        assert!(!run_with(&handle, &[]).await);
        assert!(handle.soft().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn an_essential_end_fails_the_run_but_others_finish() {
        let handle = Handle::new();
        let (soft, hard) = (handle.soft(), handle.hard());
        handle.spawn("other", async move {
            soft.cancelled().await;
            assert!(!hard.is_cancelled());
        });
        handle.fail();
        assert!(!run_with(&handle, &[]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn hard_from_elsewhere_skips_the_grace() {
        let handle = Handle::new();
        let hard = handle.hard();
        handle.spawn("slow", async move { hard.cancelled().await });
        handle.hard().cancel();
        assert!(handle.soft().is_cancelled());
        let start = tokio::time::Instant::now();
        assert!(run_with(&handle, &[]).await);
        assert!(start.elapsed() < GRACE);
    }
}
