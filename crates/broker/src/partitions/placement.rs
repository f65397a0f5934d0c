//! Where a queue's topics are: pure, asks nobody.

use protocol::{NameError, QueueName};

/// How many partitions a queue may have.
pub const MAX_PARTITIONS: u16 = 64;
/// What stands in a partition other than the first between the placement and the queue's name.
pub(super) const OF: &str = " of ";
/// How many numbers of partitions are remembered: that of now and those before it.
const REMEMBERED: usize = 8;

/// Into how many partitions a queue is split, and was.
///
/// What has a name (a topic, or a job with a channel of its own) is created where the newest number says, and stays
/// where it is for as long as it is there. So what was there before a change is looked for in the older places too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Which change made it: its time in milliseconds. Greater is newer; 0 is a queue that was never split.
    generation: u64,
    /// The numbers of partitions, the newest first, each once.
    counts: Vec<u16>,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            generation: 0,
            counts: vec![1],
        }
    }
}

impl Placement {
    /// Reads what [`Self::stored`] wrote; nothing at all is a queue that was never split.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let mut words = text.split(' ');
        let generation = words.next()?.parse().ok()?;
        let counts = words
            .map(|word| word.parse().ok())
            .collect::<Option<Vec<u16>>>()?;
        let fits = |count: &u16| (1..=MAX_PARTITIONS).contains(count);
        (generation > 0 && !counts.is_empty() && counts.iter().all(fits))
            .then_some(Self { generation, counts })
    }

    /// As it stands in Redis: the generation, and the numbers from the newest on.
    pub(crate) fn stored(&self) -> String {
        if self.generation == 0 {
            return String::new();
        }
        let counts = self.counts.iter().map(|count| format!(" {count}"));
        format!("{}{}", self.generation, counts.collect::<String>())
    }

    /// As it stands in a partition; one but the first says whose it is, for it is not split itself.
    pub(crate) fn at(&self, queue: &QueueName, index: u16) -> String {
        let stored = self.stored();
        if index == 0 {
            stored
        } else {
            format!("{stored}{OF}{queue}")
        }
    }

    /// The next one, with another number of partitions, changed at a time. None, if too many numbers would have to be
    /// remembered. Where nothing is there yet nothing has to be.
    pub(crate) fn changed(&self, count: u16, now_ms: u64, is_empty: bool) -> Option<Self> {
        let mut counts = vec![count];
        if !is_empty {
            counts.extend(self.counts.iter().filter(|other| **other != count));
        }
        (counts.len() <= REMEMBERED).then(|| Self {
            generation: now_ms.max(self.generation + 1),
            counts,
        })
    }

    /// Which change made it: greater is newer.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Into how many partitions new topics go.
    pub fn count(&self) -> u16 {
        self.counts[0]
    }

    /// How many partitions may have something.
    pub fn held(&self) -> u16 {
        self.counts.iter().copied().max().unwrap_or(1)
    }

    /// The partitions where something of this name may be, that where it would be created first.
    pub fn places(&self, name: &str) -> Vec<u16> {
        let hash = crc16::State::<crc16::XMODEM>::calculate(name.as_bytes());
        let mut places = Vec::with_capacity(self.counts.len());
        for count in &self.counts {
            let place = hash % count;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// All partitions, those first where something of this name may be.
    pub(crate) fn everywhere(&self, name: &str) -> Vec<u16> {
        let mut places = self.places(name);
        let mut others: Vec<_> = (0..self.held()).collect();
        others.retain(|place| !places.contains(place));
        places.extend(others);
        places
    }
}

/// The name of a partition, under which it is a queue of its own: the first has the queue's own name, the others add
/// their number. Fails if that is too long for a name.
pub fn partition_name(queue: &QueueName, index: u16) -> Result<QueueName, NameError> {
    if index == 0 {
        return Ok(queue.clone());
    }
    QueueName::new(format!("{queue}.{index}"))
}

#[cfg(test)]
mod tests {
    use protocol::QueueName;

    use super::{Placement, partition_name};

    #[test]
    fn what_is_stored_is_read_again() {
        let mut placement = Placement::default();
        for (count, time) in [(3, 10), (6, 20), (3, 15)] {
            assert_eq!(
                Placement::read(&placement.stored()),
                Some(placement.clone())
            );
            placement = placement.changed(count, time, false).unwrap();
        }
        assert_eq!(placement.stored(), "21 3 6 1");
        assert_eq!((placement.count(), placement.held()), (3, 6));
        for text in ["x", "1", "0 1", "1 0", "1 65", "1 x"] {
            assert_eq!(Placement::read(text), None, "{text}");
        }
    }

    #[test]
    fn only_so_many_numbers_are_remembered() {
        let mut placement = Placement::default();
        for count in 2..=8 {
            placement = placement.changed(count, 1, false).unwrap();
        }
        assert_eq!(placement.changed(9, 1, false), None);
        assert!(placement.changed(8, 1, false).is_some());
        assert_eq!(placement.changed(9, 1, true).unwrap().stored(), "8 9");
    }

    #[test]
    fn a_name_is_looked_for_where_it_was() {
        let one = Placement::default();
        assert_eq!(one.places("lobby"), [0]);
        let three = one.changed(3, 1, false).unwrap();
        let names = (0..300).map(|n| format!("room-{n}"));
        let mut met = [0; 3];
        for name in names {
            let places = three.places(&name);
            met[usize::from(places[0])] += 1;
            assert_eq!(places.last(), Some(&0));
            let mut all = three.everywhere(&name);
            assert!(all.starts_with(&places));
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2]);
        }
        assert!(met.iter().all(|many| (70..130).contains(many)), "{met:?}");
    }

    #[test]
    fn partitions_are_named_after_their_queue() {
        let queue = QueueName::new("chat").unwrap();
        assert_eq!(partition_name(&queue, 0).unwrap().as_str(), "chat");
        let twelfth = partition_name(&queue, 12).unwrap();
        assert_eq!(twelfth.as_str(), "chat.12");
        let long = QueueName::new("x".repeat(protocol::limits::MAX_NAME_BYTES)).unwrap();
        assert!(partition_name(&long, 1).is_err());
    }
}
