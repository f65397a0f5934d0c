//! Made-up histories: a good one, and one for each kind of wrong.

use protocol::{EventType, FailureCode, JobId, JobState};

use super::{Verdict, judge};
use crate::faults::history::{Down, History, Kept, Mark, Run, Seen};

fn job(n: u128) -> JobId {
    JobId::from_parts(1_000, n)
}

/// A history, told event by event.
#[derive(Default)]
struct Story(History);

impl Story {
    fn accepted(mut self, n: u128) -> Self {
        self.0.accepted.insert(job(n), 1_000);
        self
    }

    fn event(mut self, n: u128, event: EventType, attempt: u32) -> Self {
        let offset = self.0.events.len() as u64 + 1;
        self.0.events.push(Seen {
            topic: "lobby",
            epoch: "a".to_owned(),
            offset,
            job: job(n),
            event,
            attempt,
            time: 1_000 + 100 * offset,
            of_attempt: (event == EventType::Completed).then_some(attempt),
            failure: (event == EventType::Failed).then_some(FailureCode::LeaseLost),
        });
        self
    }

    fn begun(mut self, n: u128, attempt: u32, at: u64) -> Self {
        self.0.runs.push(Run {
            mark: Mark::Begin,
            job: job(n),
            attempt,
            pid: 1,
            at,
        });
        self
    }

    fn kept(mut self, n: u128, state: JobState, attempt: u32) -> Self {
        let of_attempt = (state == JobState::Completed).then_some(attempt);
        self.0.kept.insert(
            job(n),
            Kept {
                state,
                attempt,
                of_attempt,
                finished: None,
                topic: "lobby".parse().unwrap(),
            },
        );
        self
    }

    fn judged(&self) -> Verdict {
        judge(&self.0)
    }
}

/// How much is wrong: lost, stale, missing, doubled, disordered.
fn wrong(verdict: &Verdict) -> [usize; 5] {
    [
        verdict.lost.len(),
        verdict.stale.len(),
        verdict.missing.len(),
        verdict.doubled.len(),
        verdict.disordered.len(),
    ]
}

#[test]
fn a_good_run() {
    let verdict = Story::default()
        .accepted(1)
        .accepted(2)
        .event(1, EventType::Queued, 0)
        .begun(1, 1, 1_110)
        .event(1, EventType::Progress, 1)
        .begun(1, 2, 1_220)
        .begun(2, 1, 1_220)
        .event(1, EventType::Completed, 2)
        .event(2, EventType::Failed, 1)
        .kept(1, JobState::Completed, 2)
        .kept(2, JobState::Failed, 1)
        .judged();
    assert_eq!(wrong(&verdict), [0; 5], "{verdict:#?}");
    assert_eq!((verdict.accepted, verdict.rerun), (2, 1));
    assert_eq!(
        (verdict.completed, verdict.failed, verdict.spent),
        (1, 1, 1)
    );
}

#[test]
fn a_job_whose_record_is_gone_is_judged_by_its_events() {
    let verdict = Story::default()
        .accepted(1)
        .event(1, EventType::Completed, 1)
        .judged();
    assert_eq!(wrong(&verdict), [0; 5]);
}

#[test]
fn lost_without_a_trace() {
    let verdict = Story::default().accepted(1).judged();
    assert_eq!(wrong(&verdict), [1, 0, 0, 0, 0]);
}

#[test]
fn lost_on_the_way() {
    let story = Story::default().accepted(1).kept(1, JobState::Active, 3);
    assert_eq!(wrong(&story.judged()), [1, 0, 0, 0, 0]);
}

#[test]
fn lost_though_nobody_was_told_of_its_acceptance() {
    let story = Story::default().event(1, EventType::Queued, 0);
    assert_eq!(wrong(&story.judged()), [1, 0, 0, 0, 0]);
}

#[test]
fn a_text_that_no_event_announces() {
    let mut story = Story::default();
    story.0.unannounced.push(("hello".to_owned(), 5));
    let verdict = story.judged();
    assert_eq!((verdict.accepted, verdict.unannounced.len()), (1, 1));
}

#[test]
fn an_end_that_was_not_announced() {
    let story = Story::default().accepted(1).kept(1, JobState::Completed, 1);
    assert_eq!(wrong(&story.judged()), [0, 0, 1, 0, 0]);
}

#[test]
fn an_end_that_came_twice() {
    let story = Story::default()
        .accepted(1)
        .event(1, EventType::Completed, 1)
        .event(1, EventType::Failed, 1);
    assert_eq!(wrong(&story.judged()), [0, 0, 0, 1, 0]);
}

#[test]
fn an_event_after_the_end() {
    let story = Story::default()
        .accepted(1)
        .event(1, EventType::Completed, 1)
        .event(1, EventType::Progress, 1);
    assert_eq!(wrong(&story.judged()), [0, 0, 0, 0, 1]);
}

#[test]
fn offsets_that_are_not_dense() {
    let mut story = Story::default()
        .event(1, EventType::Completed, 1)
        .event(2, EventType::Completed, 1)
        .event(3, EventType::Completed, 1);
    story.0.events[1].offset = 3;
    story.0.events[2].offset = 4;
    story.0.events[2].epoch = "b".to_owned();
    // Another epoch whose offsets go on is a log that outlived its Redis.
    assert_eq!(wrong(&story.judged()), [0, 0, 0, 0, 1]);
    story.0.gaps.push(("lobby", 7));
    let verdict = story.judged();
    assert_eq!((wrong(&verdict), verdict.gaps.len()), ([0, 0, 0, 0, 1], 1));
}

#[test]
fn a_log_that_went_back_unnoticed() {
    let mut story = Story::default().event(1, EventType::Completed, 1);
    story.0.down.push(Down {
        from: 1_500,
        to: 2_000,
        killed: true,
        lost_bytes: 7,
    });
    assert_eq!(story.judged().silent.len(), 1);
    story.0.gaps.push(("lobby", 2_100));
    assert!(story.judged().silent.is_empty());
    story.0.gaps.clear();
    story.0.down[0].lost_bytes = 0;
    assert!(story.judged().silent.is_empty());
}

#[test]
fn topics_have_offsets_of_their_own() {
    let mut story =
        Story::default()
            .event(1, EventType::Completed, 1)
            .event(2, EventType::Completed, 1);
    story.0.events[1].topic = "faults";
    story.0.events[1].offset = 9;
    assert_eq!(wrong(&story.judged()), [0; 5]);
}

#[test]
fn a_result_of_another_attempt() {
    let mut story = Story::default()
        .accepted(1)
        .event(1, EventType::Completed, 2)
        .kept(1, JobState::Completed, 2);
    story.0.events[0].of_attempt = Some(1);
    story.0.kept.get_mut(&job(1)).unwrap().of_attempt = Some(1);
    assert_eq!(wrong(&story.judged()), [0, 2, 0, 0, 0]);
}

#[test]
fn an_older_attempt_that_speaks_after_a_newer_one() {
    let story = Story::default()
        .accepted(1)
        .event(1, EventType::Progress, 2)
        .event(1, EventType::Progress, 1)
        .event(1, EventType::Completed, 2);
    assert_eq!(wrong(&story.judged()), [0, 1, 0, 0, 0]);
}

#[test]
fn an_older_attempt_that_ends_after_a_newer_one_began() {
    let story = Story::default()
        .accepted(1)
        .begun(1, 2, 1_050)
        .event(1, EventType::Completed, 1);
    assert_eq!(wrong(&story.judged()), [0, 1, 0, 0, 0]);
}

#[test]
fn an_end_that_is_not_of_redis_attempt() {
    let story = Story::default()
        .accepted(1)
        .event(1, EventType::Failed, 1)
        .kept(1, JobState::Failed, 2);
    assert_eq!(wrong(&story.judged()), [0, 1, 0, 0, 0]);
}
