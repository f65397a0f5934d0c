//! How often each client may ask: a request has no session that could count.
//!
//! Only who asked lately is remembered, and no more than some thousands of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use super::Problem;
use crate::bucket::Bucket;

/// How many clients are remembered. Whoever rested is as good as new; beyond that all are.
const CLIENTS: usize = 10_000;

/// Counts what clients do.
#[derive(Debug)]
pub(super) struct Rates {
    per_second: u32,
    clients: Mutex<HashMap<String, Bucket>>,
}

impl Rates {
    /// So many times a second, and twice as many at once.
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            clients: Mutex::default(),
        }
    }

    /// Counts what a client does, which may have a limit of its own.
    pub(super) fn take(&self, client: &str, own: Option<u32>, count: usize) -> Result<(), Problem> {
        self.take_at(client, own, count, Instant::now())
    }

    fn take_at(
        &self,
        client: &str,
        own: Option<u32>,
        count: usize,
        now: Instant,
    ) -> Result<(), Problem> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS && !clients.contains_key(client) {
            clients.retain(|_, bucket| !bucket.is_full(now));
            if clients.len() >= CLIENTS {
                clients.clear();
            }
        }
        let per_second = own.map_or(self.per_second, |own| own.min(self.per_second)) as f32;
        let bucket = clients
            .entry(client.to_owned())
            .or_insert_with(|| Bucket::new(per_second, (per_second * 2.0).max(1.0)));
        if bucket.take_all(now, count as f32) {
            return Ok(());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, not negative, and a limit of 0 is never over"
        )]
        let seconds = bucket.wait().ceil().clamp(1.0, 3600.0) as u64;
        Err(Problem::too_many("you ask too often").after(seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{CLIENTS, Rates};

    #[test]
    fn each_client_has_a_rate_of_its_own() {
        let rates = Rates::new(2);
        let now = Instant::now();
        let ask = |client: &str, own, count, ms| {
            let refused = rates.take_at(client, own, count, now + Duration::from_millis(ms));
            refused.err().and_then(|problem| problem.retry_after)
        };
        for _ in 0..4 {
            assert_eq!(ask("a", None, 1, 0), None);
        }
        assert_eq!(ask("a", None, 1, 0), Some(1));
        assert_eq!(ask("b", Some(1), 22, 0), None);
        assert_eq!(ask("b", Some(1), 1, 0), Some(21));
        assert_eq!(ask("a", None, 1, 600), None);
        assert_eq!(ask("c", Some(0), 1, 0), None, "one is always free");
        assert_eq!(ask("c", Some(0), 1, 0), Some(3600));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let rates = Rates::new(1);
        let now = Instant::now();
        for n in 0..2 * CLIENTS {
            assert!(rates.take_at(&n.to_string(), None, 1, now).is_ok());
        }
        assert!(rates.clients.lock().unwrap().len() <= CLIENTS);
    }
}
