//! Whether all that happened was published, once, with the place that it has in its log.

use std::collections::BTreeMap;

use broker::Envelope;

use super::{
    book::Event,
    check,
    world::{BASE, Fits, World, same},
};

impl World<'_> {
    /// Messages by channel, as they came in one step.
    pub fn check_published(&self, messages: &[(String, String)]) -> Fits {
        let mut is = BTreeMap::<&str, Vec<Event>>::new();
        let given = format!("{BASE}hand:");
        for (channel, message) in messages {
            if channel.starts_with(&given) {
                continue;
            }
            let topic = channel.strip_prefix(&format!("{BASE}ch:"));
            let topic = topic.ok_or_else(|| format!("a strange channel: {channel}"))?;
            for published in Envelope::lines(message) {
                let published = published.ok_or_else(|| format!("no event: {message}"))?;
                let offset =
                    usize::try_from(published.offset).map_err(|error| error.to_string())?;
                let json = published.event.get();
                is.entry(topic)
                    .or_default()
                    .push(check::read(json, offset)?);
                // The log of a job that was forgotten in the same step is gone.
                if self.book.logs.contains_key(topic) {
                    let log = self.entries.get(topic);
                    let entry = log.and_then(|log| log.get(offset - 1));
                    same("what is published", &Some(json), &entry.map(String::as_str))?;
                    same(
                        "its epoch",
                        &Some(published.epoch),
                        &self.epochs.get(topic).map(String::as_str),
                    )?;
                }
            }
        }
        let mut should = BTreeMap::<&str, Vec<Event>>::new();
        for (topic, event) in &self.book.said {
            should.entry(topic).or_default().push(event.clone());
        }
        same("events published", &is, &should)
    }
}
