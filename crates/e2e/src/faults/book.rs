//! What is seen while a run goes on, written by many tasks.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use protocol::{EventType, JobId};

use super::history::{History, Kept, Seen, now_ms};

/// The book of a run.
#[derive(Debug, Default)]
pub struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// Jobs of the producer that have a receipt, and since when.
    receipts: HashMap<JobId, u64>,
    /// Texts that came back to their client, and since when.
    texts: HashMap<String, u64>,
    /// Which job a text became.
    announced: HashMap<String, JobId>,
    events: Vec<Seen>,
    gaps: Vec<(&'static str, u64)>,
    over: HashSet<JobId>,
    kept: HashMap<JobId, Kept>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many jobs were accepted.
    pub accepted: usize,
    /// How many of these are over.
    pub over: usize,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A producer has a receipt.
    pub fn receipt(&self, job: JobId) {
        self.lock().receipts.entry(job).or_insert_with(now_ms);
    }

    /// The jobs of the producer that have a receipt, as text.
    pub fn receipts(&self) -> HashSet<String> {
        self.lock().receipts.keys().map(JobId::to_string).collect()
    }

    /// A text came back to its client; says whether for the first time.
    pub fn came_back(&self, text: &str) -> bool {
        let mut pages = self.lock();
        let first = !pages.texts.contains_key(text);
        if first {
            pages.texts.insert(text.to_owned(), now_ms());
        }
        first
    }

    /// An event came from the log; `text` is what a chat message's announcement says.
    pub fn event(&self, seen: Seen, text: Option<String>) {
        let mut pages = self.lock();
        if let (EventType::Queued, Some(text)) = (seen.event, text) {
            pages.announced.insert(text, seen.job);
        }
        if seen.event.is_terminal() {
            pages.over.insert(seen.job);
        }
        pages.events.push(seen);
    }

    /// The follower says that events were lost.
    pub fn gap(&self, topic: &'static str) {
        self.lock().gaps.push((topic, now_ms()));
    }

    /// Redis' record of a job was read.
    pub fn kept(&self, job: JobId, kept: Kept) {
        self.lock().kept.insert(job, kept);
    }

    /// The jobs whose ends are among the events from `next` on, and how many events there are.
    pub fn ends_from(&self, next: usize) -> (Vec<JobId>, usize) {
        let pages = self.lock();
        let ends = pages.events[next..].iter();
        let jobs = ends
            .filter(|seen| seen.event.is_terminal())
            .map(|seen| seen.job)
            .collect();
        (jobs, pages.events.len())
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        let pages = self.lock();
        let jobs = accepted(&pages);
        Progress {
            accepted: pages.receipts.len() + pages.texts.len(),
            over: jobs.keys().filter(|job| pages.over.contains(job)).count(),
        }
    }

    /// Jobs that are known and not over.
    pub fn unfinished(&self) -> Vec<JobId> {
        let pages = self.lock();
        let mut jobs: HashSet<JobId> = accepted(&pages).into_keys().collect();
        jobs.extend(pages.events.iter().map(|seen| seen.job));
        jobs.retain(|job| !pages.over.contains(job));
        jobs.into_iter().collect()
    }

    /// Whether all of these are over.
    pub fn are_over(&self, jobs: &[JobId]) -> bool {
        let pages = self.lock();
        jobs.iter().all(|job| pages.over.contains(job))
    }

    /// Jobs that are over and whose record was not read.
    pub fn unread(&self) -> Vec<JobId> {
        let pages = self.lock();
        let over = pages.over.iter();
        over.filter(|job| !pages.kept.contains_key(job))
            .copied()
            .collect()
    }

    /// What was seen, for the judge; the rest of the history is its caller's.
    pub fn history(&self) -> History {
        let pages = self.lock();
        let unannounced = pages
            .texts
            .iter()
            .filter(|(text, _)| !pages.announced.contains_key(*text))
            .map(|(text, at)| (text.clone(), *at))
            .collect();
        History {
            accepted: accepted(&pages),
            unannounced,
            events: pages.events.clone(),
            gaps: pages.gaps.clone(),
            kept: pages.kept.clone(),
            ..History::default()
        }
    }
}

fn accepted(pages: &Pages) -> HashMap<JobId, u64> {
    let mut accepted = pages.receipts.clone();
    for (text, at) in &pages.texts {
        if let Some(job) = pages.announced.get(text) {
            accepted.insert(*job, *at);
        }
    }
    accepted
}

#[cfg(test)]
mod tests {
    use protocol::{EventType, JobId};

    use super::{Book, Progress, Seen};

    fn seen(n: u128, event: EventType) -> Seen {
        Seen {
            topic: "lobby",
            epoch: "a".to_owned(),
            offset: 1,
            job: JobId::from_parts(0, n),
            event,
            attempt: 0,
            time: 0,
            of_attempt: None,
            failure: None,
        }
    }

    #[test]
    fn a_text_that_came_back_is_the_job_that_was_announced() {
        let book = Book::default();
        assert!(book.came_back("hello") && !book.came_back("hello"));
        book.came_back("who");
        book.event(seen(1, EventType::Queued), Some("hello".to_owned()));
        book.receipt(JobId::from_parts(0, 2));
        book.event(seen(2, EventType::Completed), None);
        assert_eq!(
            book.progress(),
            Progress {
                accepted: 3,
                over: 1
            }
        );
        assert_eq!(book.unfinished(), [JobId::from_parts(0, 1)]);
        let history = book.history();
        assert_eq!(history.accepted.len(), 2);
        assert_eq!(history.unannounced[0].0, "who");
        assert_eq!(book.ends_from(0), (vec![JobId::from_parts(0, 2)], 2));
        assert_eq!(book.ends_from(2).0, []);
    }
}
