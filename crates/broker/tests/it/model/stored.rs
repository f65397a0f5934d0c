//! A job as Redis holds it, read by a reader of the tests' own.

use std::collections::BTreeMap;

use super::raw::Value;

/// The fields of a job, by the names that `lua/job.lua` gives them.
pub struct Stored<'a> {
    fields: BTreeMap<&'a str, &'a str>,
    body: &'a str,
}

impl<'a> Stored<'a> {
    pub fn read(value: &'a Value) -> Self {
        let (head, body) = value.parts[0].split_once('\n').expect("a job has a head");
        let (front, fixed) = head.split_once(';').expect("a head has two parts");
        let mut fields = BTreeMap::from([("state", "waiting"), ("attempt", "0"), ("back", "0")]);
        let names = [&["state", "attempt", "back"][..], &NAMES[..]];
        for (part, names) in [front, fixed].into_iter().zip(names) {
            // A new job has neither state nor numbers yet.
            let words = part
                .split(' ')
                .enumerate()
                .filter(|(_, word)| !word.is_empty());
            for (n, word) in words {
                let word_has_name = n < names.len() && word.contains('=') && word != "=";
                let by_place = names
                    .get(n)
                    .filter(|_| !word_has_name)
                    .map(|name| (*name, word));
                let pair = by_place.or_else(|| word.split_once('='));
                let (name, value) = pair.expect("an option has a name");
                fields.insert(name, value);
            }
        }
        let how = fields["how"];
        fields.insert("events", &how[..1]);
        fields.insert("apart", &how[1..2]);
        fields.insert("bytes", &how[3..]);
        Self { fields, body }
    }

    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).copied()
    }

    pub fn number(&self, name: &str) -> usize {
        self.field(name).map_or(0, |text| text.parse().unwrap())
    }

    /// Result or error.
    pub fn outcome(&self, name: &str) -> Option<&'a str> {
        self.field(name)?;
        Some(&self.body[self.body.len() - self.number(name)..])
    }

    /// Where its own log is: offset, first, bytes, run, epoch and former epochs.
    pub fn log(&self) -> [String; 6] {
        let words = self.field("log").map(|log| log.splitn(6, ':'));
        let mut words = words.into_iter().flatten();
        let epoch = [self.fields["created"], self.fields["born"]].concat();
        let unwritten = ["0", "1", "0", self.fields["born"], &epoch, ""];
        unwritten.map(|other| words.next().unwrap_or(other).replace('/', " "))
    }

    /// The event of its end, which is in no list.
    pub fn ending(&self, id: &str) -> Option<String> {
        let (state, time) = (self.fields["state"], self.field("finished")?);
        let more = match state {
            "completed" => format!(r#","data":{}"#, self.outcome("result").unwrap()),
            "failed" => format!(r#","error":{}"#, self.outcome("error").unwrap()),
            _ => String::new(),
        };
        let (kind, attempt) = (self.fields["kind"], self.fields["attempt"]);
        Some(format!(
            r#"{{"type":"{state}","job":"{id}","kind":"{kind}","attempt":{attempt},"time":{time}{more}}}"#
        ))
    }
}

const NAMES: [&str; 8] = [
    "created", "born", "how", "kind", "max", "priority", "tenant", "topic",
];
