//! Where a feed is: its place among the partitions of its queue.

use futures_util::future::join_all;
use protocol::JobId;

use super::Placement;
use crate::{Error, Feed, Redis};

/// Where a feed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The feed there: by its own name where its queue is not split.
    pub(crate) feed: Feed,
    /// Whether it will be there for as long as the placement is the newest.
    pub(crate) is_settled: bool,
}

impl Redis {
    /// Where a feed is. One that is nowhere yet is where it will be created; see [`Place::is_settled`].
    pub(crate) async fn place(&self, feed: &Feed) -> Result<Place, Error> {
        let settled = |feed: &Feed| Place {
            feed: feed.clone(),
            is_settled: true,
        };
        let Some(queue) = feed.queue() else {
            return Ok(settled(feed));
        };
        let placement = self.placement(&queue).await?;
        if placement.held() == 1 {
            return Ok(settled(feed));
        }
        let there = |index| super::partition(&queue, index).map(|queue| feed.within(&queue));
        let name = feed.name();
        if name.parse::<JobId>().is_ok() {
            // Its topic or key may have put the job anywhere. Where it is, it stays.
            let places = placement.everywhere(name);
            let found = self.first_with(feed, &placement, &places, "job").await?;
            return Ok(Place {
                feed: there(found.unwrap_or(places[0]))?,
                is_settled: found.is_some(),
            });
        }
        let places = placement.places(name);
        let found = if places.len() == 1 {
            places[0]
        } else {
            let found = self.first_with(feed, &placement, &places, "top").await?;
            found.unwrap_or(places[0])
        };
        // In an older place it stays until it is forgotten. That it is nowhere else stays true: see `Self::look`.
        Ok(Place {
            feed: there(found)?,
            is_settled: found == places[0],
        })
    }

    /// The first of these partitions that has a key with what a feed is called.
    async fn first_with(
        &self,
        feed: &Feed,
        placement: &Placement,
        places: &[u16],
        what: &str,
    ) -> Result<Option<u16>, Error> {
        let Some(queue) = feed.queue() else {
            return Ok(None);
        };
        let suffix = format!("{what}:{}", feed.name());
        let looks = places
            .iter()
            .map(|index| self.look(&queue, *index, Some(placement), [&suffix]));
        let mut failure = None;
        for (index, found) in places.iter().zip(join_all(looks).await) {
            match found {
                Ok(found) if found == [true] => return Ok(Some(*index)),
                Ok(_) => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}
