//! Claimed tasks on their way from the drivers to apalis. Its size is bounded by what the drivers claim.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use apalis_core::task::Task;
use protocol::Job;

#[derive(Default)]
pub(crate) struct Buffer {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Each with its partition.
    tasks: VecDeque<(u16, Task<Job>)>,
    waiting: Option<Waker>,
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, partition: u16, task: Task<Job>) {
        let mut state = self.lock();
        state.tasks.push_back((partition, task));
        if let Some(waker) = state.waiting.take() {
            drop(state);
            waker.wake();
        }
    }

    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Task<Job>> {
        let mut state = self.lock();
        if let Some((_, task)) = state.tasks.pop_front() {
            return Poll::Ready(task);
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What was claimed of a partition and not begun.
    pub(crate) fn take_all(&self, partition: u16) -> Vec<Task<Job>> {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.tasks);
        let (its, others) = all.into_iter().partition(|(of, _)| *of == partition);
        state.tasks = others;
        drop(state);
        let its: VecDeque<(u16, Task<Job>)> = its;
        its.into_iter().map(|(_, task)| task).collect()
    }
}
