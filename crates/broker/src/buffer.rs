//! Claimed tasks on their way from the driver to apalis. Its size is bounded by what the driver claims.

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
    tasks: VecDeque<Task<Job>>,
    waiting: Option<Waker>,
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, task: Task<Job>) {
        let mut state = self.lock();
        state.tasks.push_back(task);
        if let Some(waker) = state.waiting.take() {
            drop(state);
            waker.wake();
        }
    }

    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Task<Job>> {
        let mut state = self.lock();
        if let Some(task) = state.tasks.pop_front() {
            return Poll::Ready(task);
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What was claimed and not begun.
    pub(crate) fn take_all(&self) -> VecDeque<Task<Job>> {
        std::mem::take(&mut self.lock().tasks)
    }
}
