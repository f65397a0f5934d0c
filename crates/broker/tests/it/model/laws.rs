//! What must hold whatever the model says: it could be wrong in the same way as the scripts.

use std::collections::BTreeMap;

use protocol::{JobId, JobState};

use super::{
    book::{Book, Event},
    world::Fits,
};

/// A worker gets the highest priority first, first come first served within a tenant, and as much as there is, in
/// shares that are about equal. The book is that after the claim.
pub fn of_claims(book: &Book, who: usize, want: usize, claims: &[(JobId, u32)]) -> Fits {
    let place = |id: &JobId| {
        let record = &book.jobs[id];
        (record.job.priority, record.job.tenant, record.place)
    };
    let taken: Vec<_> = claims.iter().map(|(id, _)| place(id)).collect();
    if !taken.is_sorted_by_key(|(priority, ..)| *priority) {
        return Err(format!("a lower priority before a higher one: {taken:?}"));
    }
    let mut last = BTreeMap::new();
    for (priority, tenant, place) in &taken {
        if last
            .insert((*priority, *tenant), *place)
            .is_some_and(|last| last > *place)
        {
            return Err(format!("out of line: {taken:?}"));
        }
    }
    let full = taken.len() == want || book.gate() == 0;
    let mut left = BTreeMap::<usize, Vec<usize>>::new();
    for (id, job) in &book.jobs {
        let (priority, tenant, _) = place(id);
        let stands =
            job.state == JobState::Waiting && !job.aside && !book.parked.contains_key(&tenant);
        if stands && want > 0 && book.room(tenant) > 0 {
            let lowest = taken.last().map_or(priority, |(lowest, ..)| *lowest);
            if !full || priority < lowest {
                return Err(format!(
                    "{id} was not taken by {who}, which wanted {want}: {taken:?}"
                ));
            }
            left.entry(priority).or_default().push(tenant);
        }
    }
    if !book.set_aside.is_empty() || book.ended.contains_key("failed") {
        // A turn that met jobs which the worker can't run, or which expired, is used up all the same.
        return Ok(());
    }
    for (priority, mut tenants) in left {
        tenants.sort_unstable();
        tenants.dedup();
        let got = |tenant: &usize| {
            taken
                .iter()
                .filter(|(p, t, _)| (*p, t) == (priority, tenant))
                .count()
        };
        let shares: Vec<_> = tenants.iter().map(got).collect();
        let apart = shares.iter().max().unwrap_or(&0) - shares.iter().min().unwrap_or(&0);
        if apart > want.div_ceil(tenants.len()) {
            return Err(format!(
                "unfair shares {shares:?} of {tenants:?}: {taken:?}"
            ));
        }
    }
    Ok(())
}

/// A job ends once, until it is run again; and one that has ended says so. `life` says how often a job came into line,
/// and its state if it is there.
pub fn of_a_log(log: &[Event], life: impl Fn(JobId) -> (usize, Option<JobState>)) -> Fits {
    let mut ends = BTreeMap::<JobId, Vec<&'static str>>::new();
    for event in log {
        let ends = ends.entry(event.job).or_default();
        if matches!(event.name, "completed" | "failed" | "cancelled") {
            ends.push(event.name);
        }
    }
    for (id, ends) in ends {
        let (lives, state) = life(id);
        let going_on = state.is_some_and(|state| !state.is_terminal());
        if ends.len() + usize::from(going_on) != lives {
            return Err(format!(
                "{id} came {lives} times, is {state:?} and ended as {ends:?}"
            ));
        }
        if let Some(state) = state.filter(|_| !going_on)
            && ends.last() != Some(&state.as_str())
        {
            return Err(format!("{id} is {state} but said {ends:?}"));
        }
    }
    Ok(())
}
