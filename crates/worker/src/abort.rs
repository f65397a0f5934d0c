//! Ties a spawned attempt to the future that waits for it: who drops the one ends the other.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::task::{JoinError, JoinHandle};

/// A task that is aborted at its next await when this is dropped. As a future it is the task's [`JoinHandle`].
#[derive(Debug)]
pub(crate) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> From<JoinHandle<T>> for AbortOnDrop<T> {
    fn from(task: JoinHandle<T>) -> Self {
        Self(task)
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use broker::testing::PATIENCE;
    use tokio::{sync::oneshot, time::timeout};
    use tokio_util::task::TaskTracker;

    use super::AbortOnDrop;

    #[tokio::test]
    async fn a_task_ends_with_who_waits_for_it() {
        let tracker = TaskTracker::new();
        let (alive, gone) = oneshot::channel::<()>();
        let task = AbortOnDrop::from(tracker.spawn(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        }));
        tokio::task::yield_now().await;
        drop(task);
        assert!(timeout(PATIENCE, gone).await.unwrap().is_err());
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn it_gives_what_the_task_returns() {
        let tracker = TaskTracker::new();
        let task = AbortOnDrop::from(tracker.spawn(async { 7 }));
        assert_eq!(task.await.unwrap(), 7);
    }
}
