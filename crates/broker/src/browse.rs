//! Lists the jobs of one tenant a page at a time, from a place that its reader keeps.
//!
//! A queue has no index by tenant but for jobs that wait, so a page looks at a bounded number of jobs, and may have few or
//! none of them and still not be the last. What joins and leaves meanwhile does no harm: a job that stays where it is, is
//! listed once.

use std::collections::HashMap;

use protocol::{JobId, JobRecord, JobState, Kind, Priority, QueueName, Tenant};
use serde::{Deserialize, Serialize};

use crate::{Error, Inspector, Keys, script::PAGE};

/// How many jobs one page looks at.
const LOOKS: usize = 1_000;
/// How many it reads at a time.
const STEP: usize = 250;

/// Which jobs.
#[derive(Clone, Debug)]
pub struct Browse<'a> {
    /// Of which queue.
    pub queue: &'a QueueName,
    /// Of which tenant.
    pub tenant: &'a Tenant,
    /// In which states, each once; they are listed in the order of a job's life. No states mean all.
    pub states: &'a [JobState],
    /// Of which kind, if only one is wanted.
    pub kind: Option<&'a Kind>,
    /// How many on a page.
    pub limit: usize,
}

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPlace {
    /// The end of the sorted set's key.
    set: String,
    /// The score and id of the last job that was looked at.
    score: String,
    id: JobId,
}

/// A place that no listing gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no listing goes on from here")]
pub struct InvalidPlace;

/// Jobs without payloads and results, and where to go on unless there are no more.
#[derive(Clone, Debug, Default)]
pub struct JobPage {
    /// Those that are over from the newest, others from the next.
    pub jobs: Vec<JobRecord>,
    /// Where more may be.
    pub next: Option<JobPlace>,
}

/// A set of jobs in one state.
struct Set {
    state: JobState,
    name: String,
}

impl Inspector {
    /// Lists jobs after a place, or from the beginning.
    pub async fn browse(
        &self,
        browse: &Browse<'_>,
        after: Option<JobPlace>,
    ) -> Result<Result<JobPage, InvalidPlace>, Error> {
        let keys = Keys::new(self.redis().prefix(), browse.queue.clone());
        let sets = self.sets(&keys, browse).await?;
        let Some((mut n, mut after)) = begin(&sets, after) else {
            return Ok(Err(InvalidPlace));
        };
        let mut page = JobPage::default();
        let mut looks = 0;
        while let Some(set) = sets.get(n) {
            let found = self.step(&keys, set, after.as_ref()).await?;
            let full = found.len() == STEP;
            // An empty set costs a round trip too.
            looks += found.len().max(LOOKS / 100);
            let ids = found.iter().filter_map(|(id, _)| id.parse().ok());
            let records = self.records(&keys, ids).await?;
            for (id, score) in found {
                let Ok(id) = id.parse::<JobId>() else {
                    continue;
                };
                let set_name = set.name.clone();
                after = Some(JobPlace {
                    set: set_name,
                    score,
                    id,
                });
                if let Some(job) = records.get(&id)
                    && job.state == set.state
                    && job.tenant == *browse.tenant
                    && browse.kind.is_none_or(|kind| job.kind == *kind)
                {
                    page.jobs.push(job.clone());
                    if page.jobs.len() == browse.limit {
                        page.next = after;
                        return Ok(Ok(page));
                    }
                }
            }
            if !full {
                (n, after) = (n + 1, None);
            }
            if looks >= LOOKS {
                page.next = match after {
                    Some(place) => Some(place),
                    None => sets.get(n).map(JobPlace::before),
                };
                return Ok(Ok(page));
            }
        }
        Ok(Ok(page))
    }

    /// Where jobs of these states are, in the order in which they are listed.
    async fn sets(&self, keys: &Keys, browse: &Browse<'_>) -> Result<Vec<Set>, Error> {
        let mut sets = Vec::new();
        for state in JobState::ALL {
            if !browse.states.is_empty() && !browse.states.contains(&state) {
                continue;
            }
            if state != JobState::Waiting {
                let name = state.to_string();
                sets.push(Set { state, name });
                continue;
            }
            for priority in [Priority::High, Priority::Normal, Priority::Low] {
                let name = format!("wait:{}:{}", priority.line(), browse.tenant);
                sets.push(Set { state, name });
            }
            let mut cmd = redis::cmd("SMEMBERS");
            cmd.arg(keys.asides());
            let mut kinds: Vec<String> = self.redis().query(&cmd).await?;
            kinds.retain(|kind| browse.kind.is_none_or(|wanted| wanted.as_str() == kind));
            kinds.sort_unstable();
            let kinds = kinds.iter().map(|kind| format!("aside:{kind}"));
            sets.extend(kinds.map(|name| Set { state, name }));
        }
        Ok(sets)
    }

    /// Ids and scores of the next jobs in a set.
    async fn step(
        &self,
        keys: &Keys,
        set: &Set,
        after: Option<&JobPlace>,
    ) -> Result<Vec<(String, String)>, Error> {
        if set.state == JobState::Active {
            // Its scores change all the while, and its size is what workers do at a time: it is gone through by id.
            let mut cmd = redis::cmd("ZRANGE");
            cmd.arg(keys.state(set.state)).arg(0).arg(-1);
            let mut ids: Vec<String> = self.redis().query(&cmd).await?;
            let last = after.map(|place| place.id.to_string()).unwrap_or_default();
            ids.retain(|id| *id > last);
            ids.sort_unstable();
            ids.truncate(STEP);
            return Ok(ids.into_iter().map(|id| (id, "0".to_owned())).collect());
        }
        let back = set.state.is_terminal();
        let last = after.map(|place| place.id.to_string()).unwrap_or_default();
        let mut call = PAGE.call(keys.base());
        call.arg(&set.name)
            .arg(after.map_or("", |place| &place.score))
            .arg(last)
            .arg(STEP)
            .arg(if back { "back" } else { "" });
        let mut found: Vec<(String, String)> = self.redis().script(&call).await?;
        if back {
            found.reverse();
        }
        Ok(found)
    }

    async fn records(
        &self,
        keys: &Keys,
        ids: impl Iterator<Item = JobId>,
    ) -> Result<HashMap<JobId, JobRecord>, Error> {
        let ids: Vec<_> = ids.collect();
        let jobs = self.redis().summaries(keys, &ids).await?;
        Ok(jobs.into_iter().map(|job| (job.id, job)).collect())
    }
}

impl JobPlace {
    /// The beginning of a set.
    fn before(set: &Set) -> Self {
        let (score, id) = ("-inf", JobId::from_parts(0, 0));
        // Those that are over are gone through from the end.
        let score = if set.state.is_terminal() {
            "+inf"
        } else {
            score
        };
        Self {
            set: set.name.clone(),
            score: score.to_owned(),
            id,
        }
    }
}

/// In which set a listing goes on, and after what in it.
fn begin(sets: &[Set], after: Option<JobPlace>) -> Option<(usize, Option<JobPlace>)> {
    let Some(place) = after else {
        return Some((0, None));
    };
    // Redis would take other words for a number as well.
    place.score.parse::<f64>().ok().filter(|n| !n.is_nan())?;
    if let Some(n) = sets.iter().position(|set| set.name == place.set) {
        return Some((n, Some(place)));
    }
    // Nothing of the kind is set aside any more: on with the next kind.
    place.set.strip_prefix("aside:")?;
    let next = |set: &Set| {
        let aside = set.name.starts_with("aside:");
        (aside && set.name > place.set) || set.state > JobState::Waiting
    };
    Some((sets.iter().position(next).unwrap_or(sets.len()), None))
}

#[cfg(test)]
mod tests {
    use protocol::{JobId, JobState};

    use super::{JobPlace, Set, begin};

    fn at(set: &str, score: &str) -> JobPlace {
        JobPlace {
            set: set.to_owned(),
            score: score.to_owned(),
            id: JobId::from_parts(1, 1),
        }
    }

    #[test]
    fn a_listing_goes_on_where_it_was() {
        let set = |state, name: &str| Set {
            state,
            name: name.to_owned(),
        };
        let sets = [
            set(JobState::Waiting, "wait:1:alice"),
            set(JobState::Waiting, "aside:c"),
            set(JobState::Delayed, "delayed"),
        ];
        assert_eq!(begin(&sets, None), Some((0, None)));
        assert_eq!(
            begin(&sets, Some(at("delayed", "5"))),
            Some((2, Some(at("delayed", "5"))))
        );
        assert_eq!(begin(&sets, Some(at("aside:b", "5"))), Some((1, None)));
        assert_eq!(begin(&sets, Some(at("aside:d", "5"))), Some((2, None)));
        for (set, score) in [
            ("wait:1:bob", "5"),
            ("job:x", "5"),
            ("delayed", "x"),
            ("delayed", "nan"),
        ] {
            assert_eq!(begin(&sets, Some(at(set, score))), None, "{set} {score}");
        }
    }
}
