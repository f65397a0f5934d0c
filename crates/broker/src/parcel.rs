//! Jobs that wait in parcels: `lua/parcels.lua` says how.

use protocol::JobId;

use crate::{Error, Keys, Redis, script::FIND, stored::Stored};

/// How many jobs one call looks for: for each it may read a whole parcel.
const CHUNK: usize = 64;

/// How many new jobs have to come together that have enough in common, to be stored as a parcel.
pub(crate) const LEAST: usize = 4;

/// What the ids of one parcel have in common: the 32 ms in which they were made, which are their first nine letters.
pub(crate) const fn moment(id: JobId) -> u64 {
    id.timestamp_ms() >> 5
}

/// When the jobs of a parcel came in, in milliseconds since the Unix epoch, by its name; none if it is no parcel's.
pub(crate) fn created(name: &str) -> Option<u64> {
    name.strip_prefix('@')?.split(' ').nth(2)?.parse().ok()
}

/// How much of a job is read.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    /// Without a result.
    Heads,
    Whole,
}

impl Redis {
    /// Reads those jobs of which no key was found, and which are empty so far: those that wait in parcels as they would be stored by
    /// themselves, and those that were taken out of one meanwhile. One that is not there stays empty.
    pub(crate) async fn find_in_parcels<'a>(
        &self,
        keys: &Keys,
        jobs: impl Iterator<Item = (&'a JobId, &'a mut Vec<u8>)>,
        reach: Reach,
    ) -> Result<(), Error> {
        let mut missing: Vec<_> = jobs.filter(|(_, record)| record.is_empty()).collect();
        for chunk in missing.chunks_mut(CHUNK) {
            let mut call = FIND.call(keys.base());
            call.arg(match reach {
                Reach::Heads => "heads",
                Reach::Whole => "whole",
            });
            for (id, _) in &*chunk {
                call.arg(id.to_string());
            }
            let found: Vec<Vec<u8>> = self.script(&call).await?;
            for ((_, record), found) in chunk.iter_mut().zip(found) {
                // One whose payload is apart never was in a parcel: it came in after its key was looked for.
                if Stored::read(&found).is_some_and(|stored| !stored.is_apart) {
                    **record = found;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::created;

    #[test]
    fn a_parcel_says_when_its_jobs_came() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let name = format!("@{id}{id} 7 1700000000000 a1b2c3 chat 1:public 8");
        assert_eq!(created(&name), Some(1_700_000_000_000));
        assert_eq!(created(id), None);
    }
}
