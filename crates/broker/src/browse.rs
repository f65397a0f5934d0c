//! Lists the jobs that fit a filter a page at a time, from a place that its reader keeps.
//!
//! A queue has no index but by state and time, and by tenant for jobs that wait, so a page looks at a bounded number of jobs,
//! and may have few or none and still not be the last. What joins and leaves meanwhile does no harm: a job that stays where it
//! is, is listed once. Only of very many active jobs one may come twice, when its lease was renewed, and of a completed parcel one
//! when the parcel was taken apart.

mod whole;

use std::collections::HashMap;

use protocol::{JobId, JobRecord, JobState, Priority, QueueName};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Inspector, JobFilter, Keys,
    script::{ACTIVE, PAGE},
    since,
};

/// How many jobs one page looks at.
const LOOKS: usize = 1_000;
/// How many it reads at a time.
const STEP: usize = 250;
/// So many active jobs are sorted by id. Of more, each page is read by when their leases run out.
const SORTED: usize = 10_000;
/// Of how many tenants the lines are listed, where none is asked for: those whose turn is next.
const TENANTS: usize = 1_000;

/// Which jobs.
#[derive(Clone, Debug)]
pub struct Browse<'a> {
    /// Of which queue.
    pub queue: &'a QueueName,
    /// In which states, each once; they are listed in the order of a job's life. No states mean all.
    pub states: &'a [JobState],
    /// Which of these.
    pub filter: &'a JobFilter,
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
    /// In which partition, where a queue is listed as a whole.
    #[serde(default, skip_serializing_if = "is_first")]
    partition: u16,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_first(partition: &u16) -> bool {
    *partition == 0
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
    /// How many jobs were looked at.
    pub looked: usize,
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
        let all_tenants = browse.filter.tenant.is_none();
        let Some((mut n, mut after)) = begin(&sets, after, all_tenants) else {
            return Ok(Err(InvalidPlace));
        };
        let mut page = JobPage::default();
        let mut looks = 0;
        while let Some(set) = sets.get(n) {
            if after.is_none() {
                after = JobPlace::newest(set, browse.filter);
            }
            let found = self.step(&keys, set, after.as_ref()).await?;
            let full = found.len() == STEP;
            // An empty set costs a round trip too.
            looks += found.len().max(LOOKS / 100);
            let ids = found.iter().filter_map(|(id, _)| id.parse().ok());
            let records = self.records(&keys, ids).await?;
            let mut too_old = false;
            for (id, score) in found {
                page.looked += 1;
                let Ok(id) = id.parse::<JobId>() else {
                    continue;
                };
                let set_name = set.name.clone();
                after = Some(JobPlace {
                    set: set_name,
                    score,
                    id,
                    partition: 0,
                });
                if let Some(job) = records.get(&id)
                    && job.state == set.state
                {
                    too_old =
                        is_over(set) && browse.filter.from.is_some_and(|from| since(job) < from);
                    if too_old {
                        break;
                    }
                    if !browse.filter.fits(job) {
                        continue;
                    }
                    page.jobs.push(job.clone());
                    if page.jobs.len() == browse.limit {
                        page.next = after;
                        return Ok(Ok(page));
                    }
                }
            }
            if !full || too_old {
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
            let lines = [Priority::High, Priority::Normal, Priority::Low].map(Priority::line);
            for line in lines {
                let tenants = match &browse.filter.tenant {
                    Some(tenant) => vec![tenant.to_string()],
                    None => self.in_line(keys, line).await?,
                };
                let names = tenants.iter().map(|tenant| format!("wait:{line}:{tenant}"));
                sets.extend(names.map(|name| Set { state, name }));
            }
            let mut cmd = redis::cmd("SMEMBERS");
            cmd.arg(keys.asides());
            let mut kinds: Vec<String> = self.redis().query(&cmd).await?;
            let wanted = browse.filter.kind.as_ref();
            kinds.retain(|kind| wanted.is_none_or(|wanted| wanted.as_str() == kind));
            kinds.sort_unstable();
            let kinds = kinds.iter().map(|kind| format!("aside:{kind}"));
            sets.extend(kinds.map(|name| Set { state, name }));
        }
        Ok(sets)
    }

    /// The tenants that have a line of a priority, by name, so that a listing finds its place among them again.
    async fn in_line(&self, keys: &Keys, line: u8) -> Result<Vec<String>, Error> {
        let mut pipeline = redis::pipe();
        for key in [keys.ring(line), keys.parked()] {
            pipeline.cmd("ZRANGE").arg(key).arg(0).arg(TENANTS - 1);
        }
        let (mut tenants, parked): (Vec<String>, Vec<String>) =
            self.redis().pipe(&pipeline).await?;
        tenants.extend(parked);
        tenants.sort_unstable();
        tenants.dedup();
        Ok(tenants)
    }

    /// Ids and scores of the next jobs in a set.
    async fn step(
        &self,
        keys: &Keys,
        set: &Set,
        after: Option<&JobPlace>,
    ) -> Result<Vec<(String, String)>, Error> {
        if set.state == JobState::Active && self.are_few(keys).await? {
            // Its scores change all the while, and its size is what workers do at a time: it is gone through by id.
            let active = ACTIVE.call(keys.base());
            let mut ids: Vec<String> = self.redis().script(&active).await?;
            let last = after.map(|place| place.id.to_string()).unwrap_or_default();
            ids.retain(|id| *id > last);
            ids.sort_unstable();
            ids.truncate(STEP);
            return Ok(ids.into_iter().map(|id| (id, "0".to_owned())).collect());
        }
        let back = is_over(set);
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

    async fn are_few(&self, keys: &Keys) -> Result<bool, Error> {
        let mut pipeline = redis::pipe();
        pipeline.zcard(keys.state(JobState::Active));
        // A parcel is one member for all its jobs.
        pipeline.hget(keys.count(), "active_more");
        let (members, more): (usize, Option<usize>) = self.redis().pipe(&pipeline).await?;
        Ok(members + more.unwrap_or(0) <= SORTED)
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

/// Of what is over, the newest comes first.
const fn is_over(set: &Set) -> bool {
    set.state.is_terminal()
}

impl JobPlace {
    /// Where in a set of what is over those begin that ended in time; nowhere else are jobs by their time.
    fn newest(set: &Set, filter: &JobFilter) -> Option<Self> {
        let until = filter.until.filter(|_| is_over(set))?;
        Some(Self {
            set: set.name.clone(),
            // Scores say something more after the milliseconds.
            score: format!("{until}.9999"),
            id: JobId::from_parts(0, 0),
            partition: 0,
        })
    }

    /// The beginning of a set.
    fn before(set: &Set) -> Self {
        let (score, id) = ("-inf", JobId::from_parts(0, 0));
        // Those that are over are gone through from the end.
        let score = if is_over(set) { "+inf" } else { score };
        Self {
            set: set.name.clone(),
            score: score.to_owned(),
            id,
            partition: 0,
        }
    }
}

/// In which set a listing goes on, and after what in it.
fn begin(
    sets: &[Set],
    after: Option<JobPlace>,
    all_tenants: bool,
) -> Option<(usize, Option<JobPlace>)> {
    let Some(place) = after else {
        return Some((0, None));
    };
    // Redis would take other words for a number as well.
    place.score.parse::<f64>().ok().filter(|n| !n.is_nan())?;
    if let Some(n) = sets.iter().position(|set| set.name == place.set) {
        return Some((n, Some(place)));
    }
    // Nothing of the kind is set aside any more: on with the next kind.
    if let Some(line) = place.set.strip_prefix("wait:") {
        // The tenant has no line any more: on with the next.
        let tail = |set: &Set| set.name.strip_prefix("wait:").map(str::to_owned);
        let next = |set: &Set| tail(set).is_none_or(|name| name.as_str() > line);
        return all_tenants.then(|| (sets.iter().position(next).unwrap_or(sets.len()), None));
    }
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
            partition: 0,
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
        assert_eq!(begin(&sets, None, false), Some((0, None)));
        assert_eq!(
            begin(&sets, Some(at("delayed", "5")), false),
            Some((2, Some(at("delayed", "5"))))
        );
        assert_eq!(
            begin(&sets, Some(at("aside:b", "5")), false),
            Some((1, None))
        );
        assert_eq!(
            begin(&sets, Some(at("aside:d", "5")), false),
            Some((2, None))
        );
        // Who sees all tenants goes on behind one that has no line any more.
        let bob = Some(at("wait:1:bob", "5"));
        assert_eq!(begin(&sets, bob, true), Some((1, None)));
        for (set, score) in [
            ("wait:1:bob", "5"),
            ("job:x", "5"),
            ("delayed", "x"),
            ("delayed", "nan"),
        ] {
            assert_eq!(
                begin(&sets, Some(at(set, score)), false),
                None,
                "{set} {score}"
            );
        }
    }
}
