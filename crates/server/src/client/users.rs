//! How many connections each user has on this server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections by user; or by whatever else tells clients apart.
#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<HashMap<String, usize>>);

/// One connection of a user, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    users: Arc<Users>,
    user: String,
}

impl Users {
    /// Counts a connection, unless the user has as many as may be.
    pub(crate) fn enter(self: &Arc<Self>, user: &str, most: usize) -> Option<Seat> {
        let mut users = self.lock();
        let count = users.entry(user.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat {
            users: Arc::clone(self),
            user: user.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut users = self.users.lock();
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
        if users.capacity() > 1024 && users.len() * 8 < users.capacity() {
            users.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Users;

    #[test]
    fn seats_are_limited_for_each_and_come_back() {
        let users = Arc::<Users>::default();
        let first = users.enter("a", 2).unwrap();
        let second = users.enter("a", 2).unwrap();
        assert!(users.enter("a", 2).is_none());
        assert!(users.enter("b", 2).is_some());
        drop(first);
        assert!(users.enter("a", 2).is_some());
        drop(second);
        assert!(users.lock().is_empty(), "nobody is remembered");
    }
}
