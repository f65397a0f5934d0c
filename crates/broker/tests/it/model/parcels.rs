//! Jobs that wait in parcels, as if each waited by itself: to whom a model speaks, there is no difference.

use super::{
    raw::{Dump, Value},
    world::{BASE, World},
};

impl World<'_> {
    /// All that Redis holds, as if there were no parcels.
    pub async fn dump(&mut self) -> Dump {
        let dump = self.raw.dump().await;
        match unfolded(dump.clone()) {
            Ok(unfolded) => unfolded,
            Err(why) => panic!("{why}: {dump:?}"),
        }
    }
}

/// Takes parcels out of what Redis holds, and puts their jobs where they would be. Says what is wrong with a parcel.
fn unfolded(mut dump: Dump) -> Result<Dump, String> {
    let parcels = dump.remove(&format!("{BASE}parcels"));
    for name in parcels.iter().flat_map(Value::members) {
        unfold(&mut dump, &name).map_err(|why| format!("{why} {name}"))?;
    }
    let in_line = |(key, value): (&String, &Value)| {
        key.starts_with(&format!("{BASE}wait:")) && value.parts.iter().any(|it| it.starts_with('@'))
    };
    if let Some((key, _)) = dump.iter().find(|it| in_line(*it)) {
        return Err(format!("a parcel that nobody finds in {key}"));
    }
    Ok(dump)
}

fn unfold(dump: &mut Dump, name: &str) -> Result<(), &'static str> {
    let words: Vec<_> = name.split(' ').collect();
    let [ids, number, created, born, kind, line] = words[..] else {
        return Err("no name of a parcel:");
    };
    let (greatest, least) = ids[1..].split_at(26);
    let held = dump.remove(&format!("{BASE}parcel:{number}"));
    let held = held.ok_or("nothing in")?;
    let line = dump.get_mut(&format!("{BASE}wait:{line}"));
    let line = line.ok_or("no line of")?;
    let at = line.parts.iter().position(|part| part == name);
    let at = at.ok_or("not in its line:")?;
    let first: usize = line.parts[at + 1].parse().map_err(|_| "no place of")?;
    let mut members = Vec::new();
    let mut records = Vec::new();
    for (n, pair) in held.parts.chunks(2).enumerate() {
        let [id, job] = pair else {
            return Err("half a job in");
        };
        if id.as_str() < least || id.as_str() > greatest {
            return Err("another id in");
        }
        if job.split(' ').nth(1) != Some(kind) {
            return Err("another kind in");
        }
        members.extend([id.clone(), (first + n).to_string()]);
        records.push((id, format!(";{created} {born} {job}")));
    }
    line.parts.splice(at..at + 2, members);
    for (id, record) in records {
        let value = Value {
            ttl: -1,
            parts: vec![record],
        };
        if dump.insert(format!("{BASE}job:{id}"), value).is_some() {
            return Err("stored twice, once in");
        }
    }
    Ok(())
}
