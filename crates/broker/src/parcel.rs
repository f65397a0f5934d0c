//! Jobs that wait in parcels: `lua/parcels.lua` says how.

use protocol::JobId;

use crate::{Error, Keys, Redis, script::FIND};

/// How many jobs one call looks for.
const CHUNK: usize = 256;

/// How many new jobs have to come together that have enough in common, to be stored as a parcel.
pub(crate) const LEAST: usize = 4;

/// What the ids of one parcel have in common: about the second in which they were made.
pub(crate) const fn second(id: JobId) -> u64 {
    id.timestamp_ms() >> 10
}

/// When the jobs of a parcel came in, in milliseconds since the Unix epoch, by its name; none if it is no parcel's.
pub(crate) fn created(name: &str) -> Option<u64> {
    name.strip_prefix('@')?.split(' ').nth(2)?.parse().ok()
}

impl Redis {
    /// Reads jobs of which no key was found: those that wait in parcels as they would be stored by themselves, and those that
    /// were taken out meanwhile. Empty where one is not there.
    pub(crate) async fn find_in_parcels(
        &self,
        keys: &Keys,
        ids: &[JobId],
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut call = FIND.call(keys.base());
            for id in chunk {
                call.arg(id.to_string());
            }
            let mut records: Vec<Vec<u8>> = self.script(&call).await?;
            found.append(&mut records);
        }
        Ok(found)
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
