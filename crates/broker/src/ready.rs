//! Whether Redis answers a worker, in all partitions of its queue.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// A worker is ready while each of its partitions was answered last: one that can't be reached is work that is not done,
/// even if the others go on. One that comes up says nothing before its first answer, so that readiness does not flap.
#[derive(Clone)]
pub(crate) struct Ready {
    told: watch::Sender<bool>,
    voices: Arc<Mutex<Vec<bool>>>,
}

impl Ready {
    pub(crate) fn new(told: watch::Sender<bool>) -> Self {
        Self {
            told,
            voices: Arc::default(),
        }
    }

    /// What a partition says of it. The first has to be answered before there is anything to be ready for.
    pub(crate) fn voice(&self) -> Arc<Voice> {
        let mut voices = self.voices.lock().unwrap_or_else(PoisonError::into_inner);
        let index = voices.len();
        voices.push(index > 0);
        drop(voices);
        Arc::new(Voice {
            ready: self.clone(),
            index,
        })
    }

    fn set(&self, index: usize, answered: bool) {
        let mut voices = self.voices.lock().unwrap_or_else(PoisonError::into_inner);
        voices[index] = answered;
        let all = voices.iter().all(|answered| *answered);
        // Within the lock, so that the last word is the last one told.
        self.told
            .send_if_modified(|ready| std::mem::replace(ready, all) != all);
        drop(voices);
    }
}

/// One partition's part in it. Whoever ends is not ready any more, however that came.
pub(crate) struct Voice {
    ready: Ready,
    index: usize,
}

impl Voice {
    pub(crate) fn set(&self, answered: bool) {
        self.ready.set(self.index, answered);
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::Ready;

    #[test]
    fn a_worker_is_ready_while_all_its_partitions_are_answered() {
        let (told, is_ready) = watch::channel(false);
        let ready = Ready::new(told);
        let first = ready.voice();
        assert!(!*is_ready.borrow());
        first.set(true);
        assert!(*is_ready.borrow());
        let second = ready.voice();
        first.set(true);
        assert!(*is_ready.borrow());
        second.set(false);
        first.set(true);
        assert!(!*is_ready.borrow());
        second.set(true);
        assert!(*is_ready.borrow());
        drop(second);
        assert!(!*is_ready.borrow());
    }
}
