//! The sink half of the backend, which makes apalis' `TaskSink` work on it.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use apalis_core::task::Task;
use futures_util::{Sink, task::AtomicWaker};
use protocol::{Job, JobId};

use crate::{
    FreshId, NewId, OnReceipt, Receipt, RedisBackend, SubmitError,
    producer::{Submission, valid},
};

/// What one clone of the backend has handed in and not yet heard of.
#[derive(Default)]
pub(crate) struct Pending {
    count: AtomicUsize,
    failure: Mutex<Option<SubmitError>>,
    flushing: AtomicWaker,
}

impl Pending {
    fn settle(&self, result: &Result<Receipt, SubmitError>) {
        if let Err(error) = result {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.flushing.wake();
        }
    }
}

/// Sending hands a job in, in order; flushing waits until all of this clone's jobs are stored, and fails if one of
/// them was not. A task's id is its job's id if it is one; its [`OnReceipt`] is called with the receipt.
impl Sink<Task<Job>> for RedisBackend {
    type Error = SubmitError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SubmitError>> {
        self.sender
            .poll_reserve(cx)
            .map_err(|_| SubmitError::Stopping)
    }

    fn start_send(mut self: Pin<&mut Self>, task: Task<Job>) -> Result<(), SubmitError> {
        let id = task
            .task_id()
            .and_then(|id| id.to_string().parse::<JobId>().ok());
        let fresh = task.data().get::<Arc<FreshId>>().cloned();
        let on_receipt = task.data().get::<OnReceipt>().cloned();
        let metadata = task.metadata().as_map().clone();
        let job = with_context(task);
        let id = match (id, fresh) {
            (Some(id), _) => id.into(),
            (None, None) => FreshId::new().into(),
            (None, Some(fresh)) => {
                let id = fresh.get();
                // A clone of the task may be handed in too.
                Arc::into_inner(fresh).map_or_else(|| id.into(), NewId::from)
            }
        };
        if let Err(error) = valid(id.get(), &job) {
            self.sender.abort_send();
            return Err(error.into());
        }
        let pending = Arc::clone(&self.pending);
        pending.count.fetch_add(1, Ordering::AcqRel);
        let submission = Submission::new(id, job, metadata, move |result| {
            pending.settle(&result);
            if let Some(on_receipt) = on_receipt {
                on_receipt.call(result);
            }
        });
        self.sender.send_item(submission).map_err(|_| {
            self.pending.count.fetch_sub(1, Ordering::AcqRel);
            SubmitError::Stopping
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SubmitError>> {
        self.pending.flushing.register(cx.waker());
        if self.pending.count.load(Ordering::Acquire) > 0 {
            return Poll::Pending;
        }
        let failure = self
            .pending
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Poll::Ready(failure.map_or(Ok(()), Err))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SubmitError>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.sender.close();
        Poll::Ready(Ok(()))
    }
}

/// What apalis' own fields ask for goes before the job's options.
fn with_context(task: Task<Job>) -> Job {
    let (mut job, context) = task.take();
    if let Some(attempts) = context.max_attempts() {
        job.options.max_attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    }
    if let Some(run_at) = context.run_at() {
        // Apalis counts whole seconds; the job's own options are the precise way.
        job.options.run_at = Some(run_at.saturating_mul(1000));
    }
    job
}
