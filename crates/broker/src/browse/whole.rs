//! Lists the jobs of all partitions of a queue, one partition after the other. What a page costs stays bounded.

use protocol::{JobId, QueueName};

use super::{Browse, InvalidPlace, JobPage, JobPlace, LOOKS};
use crate::{Error, Inspector, partitions};

/// How many partitions one page goes through.
const PARTITIONS: u16 = 8;

impl Inspector {
    /// Lists jobs of a queue, in whichever partitions, after a place or from the beginning.
    pub async fn browse_whole(
        &self,
        browse: &Browse<'_>,
        after: Option<JobPlace>,
    ) -> Result<Result<JobPage, InvalidPlace>, Error> {
        let mut index = after.as_ref().map_or(0, |place| place.partition);
        let mut held = self.redis().placement(browse.queue).await?.held();
        if index >= held {
            held = self.redis().newest_placement(browse.queue).await?.held();
        }
        if index >= held {
            return Ok(Err(InvalidPlace));
        }
        let mut after = after.filter(|place| !place.begins());
        let last = held.min(index + PARTITIONS) - 1;
        let mut page = JobPage::default();
        loop {
            let partition = partitions::named(browse.queue, index)?;
            let part = Browse {
                queue: &partition,
                limit: browse.limit - page.jobs.len(),
                ..browse.clone()
            };
            let Ok(found) = self.browse(&part, after.take()).await? else {
                return Ok(Err(InvalidPlace));
            };
            page.looked += found.looked;
            let own = found.jobs.into_iter().map(|job| protocol::JobRecord {
                queue: QueueName::clone(browse.queue),
                ..job
            });
            page.jobs.extend(own);
            page.next = match found.next {
                Some(place) => Some(JobPlace {
                    partition: index,
                    ..place
                }),
                None => (index + 1 < held).then(|| JobPlace::beginning(index + 1)),
            };
            let is_full = page.jobs.len() >= browse.limit || page.looked >= LOOKS;
            let is_over = page
                .next
                .as_ref()
                .is_none_or(|next| next.partition == index);
            if is_full || is_over || index == last {
                return Ok(Ok(page));
            }
            index += 1;
        }
    }
}

impl JobPlace {
    /// The beginning of a partition that is not the first.
    fn beginning(partition: u16) -> Self {
        Self {
            set: String::new(),
            score: String::new(),
            id: JobId::from_parts(0, 0),
            partition,
        }
    }

    /// Whether it is one.
    fn begins(&self) -> bool {
        self.partition > 0 && self.set.is_empty()
    }
}
