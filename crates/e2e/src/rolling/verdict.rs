//! What became of the clients and of the jobs: decided from what was seen, and asks nobody.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use protocol::JobId;
use serde::Serialize;
use serde_json::Value;

use super::{Plan, Seen, Strike, Truth, digest};

/// Into how many parts the drain window is cut.
const PARTS: usize = 10;
/// From how many reconnects on their spread is judged, and how many of them one part may have.
const ENOUGH: usize = 100;
const MOST: f64 = 0.25;

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// How long all restarts took together, in milliseconds.
    pub took_ms: u64,
    /// How many clients followed.
    pub clients: usize,
    /// How many jobs were accepted.
    pub jobs: usize,
    /// How many events all clients got together.
    pub events: usize,
    /// Events that some client did not get.
    pub missing: usize,
    /// Events that some client got once more.
    pub doubled: usize,
    /// Events that some client got after a later one.
    pub disordered: usize,
    /// Events that are not what the log says.
    pub altered: usize,
    /// How often a client was told that it can't be recovered.
    pub unrecovered: u32,
    /// Jobs that did not complete exactly once.
    pub not_completed_once: usize,
    /// Jobs that were begun more than once.
    pub begun_again: usize,
    /// How often clients came back.
    pub reconnects: usize,
    /// How many came back in each tenth of the drain window, of all servers together, and how many after it.
    pub spread: Vec<usize>,
    /// How long the drain window is, in milliseconds.
    pub window_ms: u64,
    /// How long a client was away, in milliseconds: half of them for less, and the longest.
    pub away_ms: (u64, u64),
}

impl Verdict {
    pub(super) fn of(
        plan: Plan,
        jobs: &[JobId],
        truths: &[Truth],
        seen: &[Arc<Seen>],
        strikes: &[Strike],
        took: Duration,
    ) -> Self {
        let mut verdict = Self {
            took_ms: millis(took),
            clients: seen.len(),
            jobs: jobs.len(),
            spread: vec![0; PARTS + 1],
            window_ms: plan.drain_ms,
            ..Self::default()
        };
        verdict.judge_jobs(jobs, truths);
        let truths: Vec<Vec<(u64, u64)>> = truths.iter().map(Truth::digests).collect();
        let mut away = Vec::new();
        for (n, seen) in seen.iter().enumerate() {
            let notes = seen.lock();
            let from = notes.from.as_ref().map_or(0, |(_, offset)| *offset);
            verdict.judge_events(from, &notes.got, &truths[n % truths.len()]);
            verdict.unrecovered += notes.unrecovered;
            for back in &notes.back {
                verdict.reconnects += 1;
                away.push(millis(back.after));
                if let Some(strike) = strikes.iter().find(|strike| strike.port == back.lost) {
                    let since = millis(back.at.duration_since(strike.at));
                    let part = since * PARTS as u64 / plan.drain_ms.max(1);
                    let part = usize::try_from(part).unwrap_or(PARTS).min(PARTS);
                    verdict.spread[part] += 1;
                }
            }
        }
        away.sort_unstable();
        let longest = away.last().copied().unwrap_or(0);
        verdict.away_ms = (away.get(away.len() / 2).copied().unwrap_or(0), longest);
        verdict
    }

    /// Compares what a client got with what the log has after its place.
    fn judge_events(&mut self, from: u64, got: &[(u64, u64)], truth: &[(u64, u64)]) {
        let truth: HashMap<u64, u64> = truth.iter().copied().collect();
        let mut seen = HashSet::new();
        let mut latest = from;
        for (offset, what) in got {
            self.events += 1;
            if *offset <= from || !seen.insert(*offset) {
                self.doubled += 1;
                continue;
            }
            self.disordered += usize::from(*offset < latest);
            latest = latest.max(*offset);
            self.altered += usize::from(truth.get(offset) != Some(what));
        }
        let expected = truth.keys().filter(|offset| **offset > from);
        self.missing += expected.filter(|offset| !seen.contains(offset)).count();
    }

    fn judge_jobs(&mut self, jobs: &[JobId], truths: &[Truth]) {
        let mut begun = HashMap::<String, usize>::new();
        let mut completed = HashMap::<String, usize>::new();
        for event in truths.iter().flat_map(Truth::values) {
            let job = event["job"].as_str().unwrap_or_default().to_owned();
            match event["type"].as_str() {
                Some("started") => *begun.entry(job).or_default() += 1,
                Some("completed") => *completed.entry(job).or_default() += 1,
                _ => {}
            }
        }
        let once = |job: &&JobId| completed.get(&job.to_string()) == Some(&1);
        self.not_completed_once = jobs.len() - jobs.iter().filter(once).count();
        self.begun_again = begun.values().filter(|times| **times > 1).count();
    }

    /// What is not as it must be.
    pub fn wrongs(&self) -> Vec<String> {
        let mut wrongs = Vec::new();
        for (count, what) in [
            (self.missing, "events are missing"),
            (self.doubled, "events came twice"),
            (self.disordered, "events are out of order"),
            (self.altered, "events are not what the log says"),
            (self.unrecovered as usize, "clients were not recovered"),
            (self.not_completed_once, "jobs did not complete once"),
        ] {
            if count > 0 {
                wrongs.push(format!("{count} {what}"));
            }
        }
        if self.reconnects < self.clients {
            wrongs.push("some clients never lost their server".to_owned());
        }
        let most = self.spread.iter().max().copied().unwrap_or(0);
        #[allow(clippy::cast_precision_loss, reason = "a number of clients")]
        if self.reconnects >= ENOUGH && most as f64 > MOST * self.reconnects as f64 {
            wrongs.push(format!(
                "{most} of {} reconnects are in one tenth of the drain window",
                self.reconnects
            ));
        }
        wrongs
    }

    /// How reconnects spread, a line for each part of the window.
    pub fn histogram(&self) -> Vec<String> {
        let most = self.spread.iter().max().copied().unwrap_or(0).max(1);
        let part = self.window_ms / PARTS as u64;
        let line = |(n, count): (usize, &usize)| {
            let bar = "#".repeat(count * 40 / most);
            let from = n as u64 * part;
            let to = if n == PARTS {
                "later".to_owned()
            } else {
                format!("{} ms", from + part)
            };
            format!("{from:>6} – {to:<9} {count:>5}  {bar}")
        };
        self.spread.iter().enumerate().map(line).collect()
    }
}

impl Truth {
    fn values(&self) -> impl Iterator<Item = Value> {
        let values = self.events.iter();
        values.map(|(_, text)| serde_json::from_str(text).unwrap_or(Value::Null))
    }

    fn digests(&self) -> Vec<(u64, u64)> {
        let offsets = self.events.iter().map(|(offset, _)| *offset);
        offsets
            .zip(self.values().map(|event| digest(&event)))
            .collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn what_is_wrong_with_a_client_s_events_is_found() {
        let truth = [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)];
        let mut verdict = Verdict::default();
        verdict.judge_events(1, &[(2, 20), (3, 30), (4, 40), (5, 50)], &truth);
        assert!(verdict.wrongs().is_empty());
        verdict.judge_events(1, &[(3, 30), (2, 20), (3, 30), (5, 51)], &truth);
        let found = (
            verdict.missing,
            verdict.doubled,
            verdict.disordered,
            verdict.altered,
        );
        assert_eq!(found, (1, 1, 1, 1));
    }

    #[test]
    fn a_crowd_in_one_moment_is_wrong() {
        let mut verdict = Verdict {
            clients: 100,
            reconnects: 100,
            spread: vec![10; 10],
            ..Verdict::default()
        };
        assert!(verdict.wrongs().is_empty());
        verdict.spread[3] = 40;
        assert_eq!(verdict.wrongs().len(), 1);
    }
}
