//! Reads the logs of feeds. Writes nothing.

use std::collections::BTreeMap;

use crate::{
    Error, Feed, Redis,
    script::{HISTORY, TOPS},
};

/// How many logs one script looks at.
const CHUNK: usize = 200;

/// A place in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Which incarnation of the log; empty where there never was one.
    pub epoch: String,
    /// Which event in it; 0 before the first.
    pub offset: u64,
}

/// Where a log is, and from where it came.
///
/// Each time that Redis starts, a log goes on under another epoch, with offsets that go on too: the writes that a
/// crash may have lost had offsets that are given out again, and must not be taken for what has them now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTop {
    /// Its newest event.
    pub position: Position,
    /// Its former epochs and what their last offsets were, the latest last.
    former: Vec<(String, u64)>,
}

impl LogTop {
    fn of(epoch: String, offset: u64, former: &str) -> Self {
        let mut words = former.split(' ');
        let mut pairs = Vec::new();
        while let (Some(epoch), Some(end)) = (words.next(), words.next()) {
            if let Ok(end) = end.parse() {
                pairs.push((epoch.to_owned(), end));
            }
        }
        Self {
            position: Position { epoch, offset },
            former: pairs,
        }
    }

    /// Up to which offset someone's epoch tells the same story as this log; absent if it is another log's.
    pub fn shares_until(&self, epoch: &str) -> Option<u64> {
        if epoch == self.position.epoch {
            return Some(self.position.offset);
        }
        let later = self.former.iter().rev();
        // A log may have been rolled back more than once; the least of the ends counts.
        let mut least = self.position.offset;
        for (former, end) in later {
            least = least.min(*end);
            if former == epoch {
                return Some(least);
            }
        }
        None
    }

    /// Whether all that comes after this place is in the log, as far as its epoch can say.
    pub fn goes_on_from(&self, position: &Position) -> bool {
        self.shares_until(&position.epoch)
            .is_some_and(|end| position.offset <= end)
    }
}

/// A part of a log.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// Where the log was when it was read.
    pub top: LogTop,
    /// Offsets and events, as JSON.
    pub entries: Vec<(u64, String)>,
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The oldest ones after this offset, oldest first.
    After(u64),
    /// The newest ones before this offset, newest first; 0 means from the newest.
    Before(u64),
}

impl Redis {
    /// Reads part of a log: at most `most` events, and no more once they have this many bytes together.
    pub async fn log(
        &self,
        feed: &Feed,
        part: Part,
        most: usize,
        most_bytes: usize,
    ) -> Result<LogPage, Error> {
        let feed = self.placed(feed).await?;
        self.log_at(&feed, part, most, most_bytes).await
    }

    /// The same for a feed that is where its name says.
    pub(crate) async fn log_at(
        &self,
        feed: &Feed,
        part: Part,
        most: usize,
        most_bytes: usize,
    ) -> Result<LogPage, Error> {
        let (back, offset) = match part {
            Part::After(offset) => (0, offset),
            Part::Before(offset) => (1, offset),
        };
        let mut call = HISTORY.call(feed.base());
        call.arg(feed.name())
            .arg(back)
            .arg(offset)
            .arg(most)
            .arg(most_bytes);
        let (epoch, top, former, entries): (String, u64, String, Vec<(u64, String)>) =
            self.script(&call).await?;
        Ok(LogPage {
            top: LogTop::of(epoch, top, &former),
            entries,
        })
    }

    /// How many connections follow a feed now, of whichever process.
    pub async fn followers(&self, feed: &Feed) -> Result<u64, Error> {
        let placed = self.placed(feed).await?;
        let mut count = self.followers_at(&placed).await?;
        // Some may have come when it was not there yet, and have not noticed that it is elsewhere.
        if let Some(queue) = feed.queue() {
            let placement = self.placement(&queue).await?;
            for place in placement.places(feed.name()) {
                let other = feed.at(self.prefix(), &queue, place)?;
                if other != placed {
                    count += self.followers_at(&other).await?;
                }
            }
        }
        Ok(count)
    }

    async fn followers_at(&self, feed: &Feed) -> Result<u64, Error> {
        let mut cmd = redis::cmd("PUBSUB");
        let channel = feed.channel();
        let what = if self.is_cluster() {
            "SHARDNUMSUB"
        } else {
            "NUMSUB"
        };
        cmd.arg(what).arg(&channel);
        let (_, count): (String, u64) = self.query_at(&channel, &cmd).await?;
        Ok(count)
    }

    /// Where the logs of feeds are, in their order, which are where their names say.
    pub(crate) async fn tops<'a>(
        &self,
        feeds: impl IntoIterator<Item = &'a Feed>,
    ) -> Result<Vec<LogTop>, Error> {
        // A script sees one slot.
        let mut slots = BTreeMap::<&str, Vec<(usize, &Feed)>>::new();
        let mut count = 0;
        for feed in feeds {
            slots.entry(feed.base()).or_default().push((count, feed));
            count += 1;
        }
        let mut tops = vec![LogTop::default(); count];
        for (base, feeds) in slots {
            for chunk in feeds.chunks(CHUNK) {
                let mut call = TOPS.call(base);
                for (_, feed) in chunk {
                    call.arg(feed.name());
                }
                let (rows, placement): (Vec<(String, u64, String)>, String) =
                    self.script(&call).await?;
                if let Some(queue) = chunk[0].1.queue() {
                    self.heard(&queue, &placement);
                }
                for ((index, _), (epoch, offset, former)) in chunk.iter().zip(rows) {
                    tops[*index] = LogTop::of(epoch, offset, &former);
                }
            }
        }
        Ok(tops)
    }
}

#[cfg(test)]
mod tests {
    use super::{LogTop, Position};

    fn at(epoch: &str, offset: u64) -> Position {
        Position {
            epoch: epoch.to_owned(),
            offset,
        }
    }

    #[test]
    fn a_log_goes_on_from_its_former_epochs_as_far_as_they_were_kept() {
        let top = LogTop::of("c".into(), 9, "a 5 b 7");
        assert!(top.goes_on_from(&at("c", 9)));
        assert!(!top.goes_on_from(&at("c", 10)), "ahead of its log");
        assert!(top.goes_on_from(&at("b", 7)));
        assert!(!top.goes_on_from(&at("b", 8)), "what was seen is lost");
        assert!(top.goes_on_from(&at("a", 5)));
        assert!(!top.goes_on_from(&at("a", 6)));
        assert!(!top.goes_on_from(&at("z", 1)));
    }

    #[test]
    fn a_second_loss_counts_for_earlier_epochs_too() {
        let top = LogTop::of("c".into(), 9, "a 5 b 3");
        assert!(top.goes_on_from(&at("a", 3)));
        assert!(!top.goes_on_from(&at("a", 4)));
        assert_eq!(LogTop::of("c".into(), 9, "a").shares_until("a"), None);
    }
}
