//! Jobs that wait in parcels: `lua/parcels.lua` says how.

use protocol::JobId;

use crate::{Error, Keys, Redis, script::FIND, stored::Stored};

/// How many jobs one call looks for.
const CHUNK: usize = 256;

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

impl Redis {
    /// Reads those jobs of which no key was found, and which are empty so far: those that wait in parcels as they would be stored by
    /// themselves, and those that were taken out of one meanwhile. One that is not there stays empty.
    pub(crate) async fn find_in_parcels<'a>(
        &self,
        keys: &Keys,
        jobs: impl Iterator<Item = (&'a JobId, &'a mut Vec<u8>)>,
    ) -> Result<(), Error> {
        let mut missing: Vec<_> = jobs.filter(|(_, record)| record.is_empty()).collect();
        for chunk in missing.chunks_mut(CHUNK) {
            let mut call = FIND.call(keys.base());
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
        let name = format!("@{id}{id} 7 1700000000000 a1b2c3 chat 1:public");
        assert_eq!(created(&name), Some(1_700_000_000_000));
        assert_eq!(created(id), None);
    }
}
