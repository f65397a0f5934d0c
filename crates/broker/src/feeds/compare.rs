//! Positions against the logs: when a connection begins, when a feed does, and every now and then.

use super::{Follower, Listener};
use crate::{Error, Position};

impl<L: Listener> Follower<L> {
    /// The feeds whose logs are ahead of what was delivered, and where those are: a message may be on its way.
    pub(super) async fn suspects(&mut self) -> Result<Vec<(String, Position)>, Error> {
        let followed: Vec<_> = self
            .followed
            .iter()
            .filter(|(_, one)| one.position.is_some())
            .map(|(channel, one)| (channel.clone(), one.feed.clone()))
            .collect();
        let tops = self
            .redis
            .tops(followed.iter().map(|(_, feed)| feed))
            .await?;
        let all = followed.into_iter().zip(tops);
        Ok(all
            .map(|((channel, _), top)| (channel, top.position))
            .filter(|(channel, top)| {
                let position = self.followed[channel].position.as_ref();
                position.is_some_and(|position| position != top && !top.epoch.is_empty())
            })
            .collect())
    }

    /// Delivers what has not come meanwhile; says whether that was anything.
    pub(super) async fn clear_up(
        &mut self,
        suspects: Vec<(String, Position)>,
    ) -> Result<bool, Error> {
        let mut missed = false;
        for (channel, top) in suspects {
            let position = self
                .followed
                .get(&channel)
                .and_then(|one| one.position.as_ref());
            if position.is_some_and(|at| at.epoch != top.epoch || at.offset < top.offset) {
                missed |= self.catch_up(&channel).await?;
            }
        }
        Ok(missed)
    }

    /// Compares positions with the logs, and delivers what is missing; says whether that was anything.
    pub(super) async fn compare_some(&mut self, channels: Vec<String>) -> Result<bool, Error> {
        let known = |channel: &String| self.followed.get(channel).map(|one| one.feed.clone());
        let feeds: Vec<_> = channels.iter().filter_map(known).collect();
        let tops = self.redis.tops(&feeds).await?;
        let mut behind = Vec::new();
        for (channel, top) in channels.into_iter().zip(tops) {
            let Some(followed) = self.followed.get_mut(&channel) else {
                continue;
            };
            match &followed.position {
                None => {
                    self.listener.begins(&followed.feed, &top.position);
                    followed.position = Some(top.position);
                }
                Some(position) if *position != top.position => behind.push(channel),
                Some(_) => {}
            }
        }
        let mut missed = false;
        for channel in behind {
            missed |= self.catch_up(&channel).await?;
        }
        Ok(missed)
    }
}
