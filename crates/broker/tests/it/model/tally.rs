//! Whether what is counted is what there is, and nothing is due before the queue looks for it.

use std::collections::BTreeMap;

use protocol::JobState;

use super::{
    book::Book,
    check::Rest,
    op::TENANTS,
    raw::{Dump, Value},
    world::{BASE, Fits, same},
};

pub fn check_counters(book: &Book, rest: &mut Rest<'_>) -> Fits {
    let numbers = |value: Option<&Value>| -> BTreeMap<String, u64> {
        let pairs = value.into_iter().flat_map(Value::pairs);
        pairs
            .map(|(field, n)| (field.to_owned(), n.parse().unwrap_or(u64::MAX)))
            .collect()
    };
    let mut tenants = BTreeMap::new();
    for (tenant, name) in TENANTS.iter().enumerate() {
        tenants.insert(format!("w:{name}"), book.tenant_holds(tenant));
        tenants.insert(format!("a:{name}"), book.tenant_active(tenant));
    }
    tenants.retain(|_, n| *n > 0);
    same("tenants", &numbers(rest.take("tenants")), &tenants)?;
    // Only a worker completes a job; what fails may have another reason.
    let kinds = numbers(rest.take("kinds"));
    let of_kinds = |what: &str| -> u64 {
        let named = kinds.iter().filter(|(field, _)| field.starts_with(what));
        named.map(|(_, n)| n).sum()
    };
    let total = |what: &str| book.totals.get(what).copied().unwrap_or(0);
    same(
        "completed of all kinds",
        &of_kinds("completed:"),
        &total("completed"),
    )?;
    if of_kinds("failed:") > total("failed") {
        return Err(format!("more failed of all kinds than failed: {kinds:?}"));
    }
    let mut count = numbers(rest.take("count"));
    let mut is = |name: &str| count.remove(name).unwrap_or(0);
    let totals = book.totals.keys();
    let totals: BTreeMap<_, _> = totals.map(|name| (*name, is(name))).collect();
    same("totals", &totals, &book.totals)?;
    let waiting = book.in_state(JobState::Waiting).len() as u64;
    same(
        "waiting and bytes",
        &(is("waiting"), is("bytes")),
        &(waiting, book.bytes()),
    )?;
    for name in [
        "enqueued",
        "completed",
        "failed",
        "lost",
        "stale",
        "retried",
    ] {
        same(name, &is(name), &0)?;
    }
    Ok(())
}

/// Nothing falls due before the queue looks for it.
pub fn check_due(dump: &Dump) -> Fits {
    let count = dump.get(&format!("{BASE}count"));
    let due = count.and_then(|count| count.field("due"));
    let due: u64 = due.map_or(0, |due| due.parse().unwrap());
    for set in ["delayed", "active", "parked", "expiring"] {
        for (member, score) in dump
            .get(&format!("{BASE}{set}"))
            .into_iter()
            .flat_map(Value::pairs)
        {
            let score: f64 = score.parse().unwrap();
            if score < due as f64 {
                return Err(format!(
                    "{member} of {set} is due at {score}, and looked for at {due}"
                ));
            }
        }
    }
    Ok(())
}
