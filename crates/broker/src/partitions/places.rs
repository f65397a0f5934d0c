//! In which partitions feeds are.
//!
//! A topic is where its log is, and that stays in an older place for as long as it is there. A job's own channel is where
//! the job is. Both are looked for with the placement: what was not found in an older place is not begun there later.

use std::slice::from_ref;

use protocol::{JobId, QueueName};

use super::{Placement, looks::Looks};
use crate::{Error, Feed, Redis};

/// Where a feed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What it is called there.
    pub(crate) feed: Feed,
    /// Whether it stays there until the queue is split otherwise.
    pub(crate) stays: bool,
    /// By which placement.
    pub(crate) generation: u64,
}

/// Where a name is to be looked for.
struct Search {
    /// The end of the key that says that it is there.
    key: String,
    /// Where it would be created, and then where else it may be.
    places: Vec<u16>,
    /// Whether it is a job, which may be anywhere.
    is_job: bool,
    found: Vec<u16>,
    /// Whether it is not known of a place.
    failed: bool,
}

impl Redis {
    /// What a feed is called where it is.
    pub(crate) async fn placed(&self, feed: &Feed) -> Result<Feed, Error> {
        let place = match (self.place_at_once(feed), feed.queue()) {
            (None, Some(queue)) => {
                let (places, failure) = self.find(&queue, from_ref(feed)).await;
                let place = places.into_iter().next().flatten();
                if let (None, Some(error)) = (&place, failure) {
                    return Err(error);
                }
                place
            }
            (place, _) => place,
        };
        Ok(place.map_or_else(|| feed.clone(), |place| place.feed))
    }

    /// Where a feed is, if nobody has to be asked for that.
    pub(crate) fn place_at_once(&self, feed: &Feed) -> Option<Place> {
        let Some(queue) = feed.queue() else {
            return Some(Place {
                feed: feed.clone(),
                stays: true,
                generation: 0,
            });
        };
        let placement = self.partitions().known(&queue)?;
        let index = search(&placement, feed.name()).ok()?;
        Some(Place {
            feed: feed.at(self.prefix(), &queue, index).ok()?,
            stays: true,
            generation: placement.generation(),
        })
    }

    /// Where feeds of a queue are, in their order; those are missing of which it can't be said now, with one reason.
    pub(crate) async fn find(
        &self,
        queue: &QueueName,
        feeds: &[Feed],
    ) -> (Vec<Option<Place>>, Option<Error>) {
        let placement = match self.placement(queue).await {
            Ok(placement) => placement,
            Err(error) => return (vec![None; feeds.len()], Some(error)),
        };
        let mut searches: Vec<_> = feeds
            .iter()
            .map(|feed| search(&placement, feed.name()))
            .collect();
        // Most jobs are where they would be created.
        let first = self.look_for(queue, &placement, &mut searches, |search| {
            let many = if search.is_job {
                1
            } else {
                search.places.len()
            };
            &search.places[..many]
        });
        let mut failure = first.await;
        let second = self.look_for(queue, &placement, &mut searches, |search| {
            let is_missing = search.is_job && search.found.is_empty() && !search.failed;
            if is_missing { &search.places[1..] } else { &[] }
        });
        failure = second.await.or(failure);
        let mut places = Vec::with_capacity(feeds.len());
        for (feed, search) in feeds.iter().zip(&searches) {
            let place = match search {
                Ok(index) => Some((*index, true)),
                Err(search) => search.place(),
            };
            places.push(match place {
                None => None,
                Some((index, stays)) => match feed.at(self.prefix(), queue, index) {
                    Ok(feed) => Some(Place {
                        feed,
                        stays,
                        generation: placement.generation(),
                    }),
                    Err(error) => {
                        failure = Some(error);
                        None
                    }
                },
            });
        }
        (places, failure)
    }

    /// Looks for each in some places, in all at once. Returns why it could not look into one, if it couldn't.
    async fn look_for(
        &self,
        queue: &QueueName,
        placement: &Placement,
        searches: &mut [Result<u16, Search>],
        places: impl Fn(&Search) -> &[u16],
    ) -> Option<Error> {
        let mut looks = Looks::default();
        for (n, search) in searches.iter().enumerate() {
            if let Err(search) = search {
                for index in places(search) {
                    looks.add(*index, n, search.key.clone());
                }
            }
        }
        let looked = looks.run(self, queue, placement).await;
        for (n, search) in searches.iter_mut().enumerate() {
            if let Err(search) = search {
                for index in places(search).to_vec() {
                    match looked.is_in(n, index) {
                        Some(true) => search.found.push(index),
                        Some(false) => {}
                        None => search.failed = true,
                    }
                }
            }
        }
        looked.failure
    }
}

/// The partition where a name is, or where to look for it.
fn search(placement: &Placement, name: &str) -> Result<u16, Search> {
    if placement.held() == 1 {
        return Ok(0);
    }
    let is_job = name.len() == 26 && name.parse::<JobId>().is_ok();
    let places = if is_job {
        placement.everywhere(name)
    } else {
        placement.places(name)
    };
    if places.len() == 1 {
        return Ok(places[0]);
    }
    Err(Search {
        key: format!("{}:{name}", if is_job { "job" } else { "top" }),
        places,
        is_job,
        found: Vec::new(),
        failed: false,
    })
}

impl Search {
    /// Where it is or would be created, and whether it stays there; none if that is not known.
    fn place(&self) -> Option<(u16, bool)> {
        let is_here = |place: &&u16| self.found.contains(place);
        // Of a topic that is where it belongs, what a late event has left in an older place counts no more.
        match self.places.iter().find(is_here) {
            // A log in an older place may end, and the next one would be elsewhere.
            Some(place) => Some((*place, self.is_job || *place == self.places[0])),
            None if self.failed => None,
            // A job that is not there yet may come into any.
            None => Some((self.places[0], !self.is_job)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Search, search};
    use crate::Placement;

    fn at(found: &[u16], is_job: bool, failed: bool) -> Option<(u16, bool)> {
        let search = Search {
            key: String::new(),
            places: vec![2, 0, 1],
            is_job,
            found: found.to_vec(),
            failed,
        };
        search.place()
    }

    #[test]
    fn a_topic_is_where_its_log_is() {
        assert_eq!(at(&[], false, false), Some((2, true)));
        assert_eq!(at(&[0], false, false), Some((0, false)));
        assert_eq!(at(&[0, 1], false, false), Some((0, false)));
        assert_eq!(at(&[0, 2], false, false), Some((2, true)));
        assert_eq!(at(&[], false, true), None);
    }

    #[test]
    fn a_job_may_be_anywhere() {
        assert_eq!(at(&[], true, false), Some((2, false)));
        assert_eq!(at(&[1], true, false), Some((1, true)));
        assert_eq!(at(&[1], true, true), Some((1, true)));
        assert_eq!(at(&[], true, true), None);
    }

    #[test]
    fn what_can_be_in_one_place_alone_is_not_looked_for() {
        let one = Placement::default();
        let id = crate::Producer::new_id().to_string();
        assert_eq!(search(&one, &id).ok(), Some(0));
        // A queue that was split before its first job.
        let three = one.changed(3, 1, true).unwrap();
        assert!(search(&three, "lobby").is_ok());
        assert_eq!(search(&three, &id).err().unwrap().places.len(), 3);
        let later = one.changed(3, 1, false).unwrap();
        let elsewhere = |n: &u32| later.places(&n.to_string())[0] != 0;
        let name = (0..100).find(elsewhere).unwrap().to_string();
        let search = search(&later, &name).err().unwrap();
        assert_eq!(
            (search.key.as_str(), search.places.len()),
            (&*format!("top:{name}"), 2)
        );
    }
}
