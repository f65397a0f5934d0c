//! What clocks do, and what becomes of schedules.

use jiff::Timestamp;
use protocol::{Missed, When};

use super::{Due, InvalidPlan, Plan};

fn ms(text: &str) -> u64 {
    let time: Timestamp = text.parse().unwrap();
    u64::try_from(time.as_millisecond()).unwrap()
}

fn cron(cron: &str, zone: &str) -> Plan {
    Plan::of(&When::Cron {
        cron: cron.to_owned(),
        zone: zone.to_owned(),
    })
    .unwrap()
}

fn every(every_ms: u64, from: Option<u64>) -> Plan {
    Plan::of(&When::Every { every_ms, from }).unwrap()
}

/// The times after one, as RFC 3339 without what never changes.
fn following(plan: &Plan, start: &str, count: usize) -> Vec<String> {
    let times = std::iter::successors(plan.after(ms(start)), |time| plan.after(*time));
    let shown = times.map(|time| {
        Timestamp::from_millisecond(i64::try_from(time).unwrap())
            .unwrap()
            .to_string()
    });
    shown.take(count).collect()
}

#[test]
fn seconds_and_five_fields() {
    assert_eq!(
        following(&cron("*/20 * * * * *", "UTC"), "2026-03-01T00:00:30Z", 3),
        [
            "2026-03-01T00:00:40Z",
            "2026-03-01T00:01:00Z",
            "2026-03-01T00:01:20Z"
        ]
    );
    let daily = cron("30 2 * * *", "UTC");
    assert_eq!(
        following(&daily, "2026-03-01T02:29:59.999Z", 2),
        ["2026-03-01T02:30:00Z", "2026-03-02T02:30:00Z"]
    );
    // The time itself is past, and so is the second that it is in.
    assert_eq!(
        following(&daily, "2026-03-01T02:30:00.500Z", 1),
        ["2026-03-02T02:30:00Z"]
    );
}

#[test]
fn zones_have_their_own_midnight() {
    let midnight = cron("0 0 0 * * *", "America/New_York");
    assert_eq!(
        following(&midnight, "2026-01-01T00:00:00Z", 1),
        ["2026-01-01T05:00:00Z"]
    );
    // Half an hour is an offset, too.
    let delhi = cron("0 0 9 * * *", "Asia/Kolkata");
    assert_eq!(
        following(&delhi, "2026-01-01T00:00:00Z", 1),
        ["2026-01-01T03:30:00Z"]
    );
}

#[test]
fn a_time_that_a_clock_leaves_out_is_when_it_goes_on() {
    // In Berlin 01:59:59 is followed by 03:00:00 on 2026-03-29, at 01:00 UTC.
    let daily = cron("0 30 2 * * *", "Europe/Berlin");
    assert_eq!(
        following(&daily, "2026-03-27T12:00:00Z", 3),
        [
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z"
        ]
    );
    // Several that are left out are one run.
    let twice = cron("0 15,45 2 * * *", "Europe/Berlin");
    assert_eq!(
        following(&twice, "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z"]
    );
    let hourly = cron("0 30 * * * *", "Europe/Berlin");
    assert_eq!(
        following(&hourly, "2026-03-29T00:00:00Z", 3),
        [
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-29T02:30:00Z"
        ]
    );
}

#[test]
fn an_hour_that_comes_twice_is_one_for_a_fixed_time() {
    // In Berlin 02:59:59 is followed by 02:00:00 on 2026-10-25, at 01:00 UTC.
    let daily = cron("0 30 2 * * *", "Europe/Berlin");
    assert_eq!(
        following(&daily, "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    let hourly = cron("0 30 * * * *", "Europe/Berlin");
    assert_eq!(
        following(&hourly, "2026-10-25T00:00:00Z", 3),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:30:00Z"
        ]
    );
}

#[test]
fn hours_that_are_named_are_those_on_the_clock() {
    // Twice an hour, in hours of which one comes twice.
    let named = cron("0 0,30 1-3 * * *", "Europe/Berlin");
    assert_eq!(
        following(&named, "2026-10-24T22:59:59Z", 7),
        [
            "2026-10-24T23:00:00Z",
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T02:30:00Z",
            "2026-10-26T00:00:00Z"
        ]
    );
    // From within the second time that an hour comes.
    assert_eq!(
        following(&named, "2026-10-25T01:10:00Z", 1),
        ["2026-10-25T02:00:00Z"]
    );
    // What is left out runs with what runs then anyway.
    assert_eq!(
        following(&named, "2026-03-29T00:00:00Z", 4),
        [
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-29T23:00:00Z"
        ]
    );
    // Midnight is left out in Beirut.
    let midnight = cron("@daily", "Asia/Beirut");
    assert_eq!(
        following(&midnight, "2026-03-28T12:00:00Z", 2),
        ["2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"]
    );
}

#[test]
fn half_an_hour_may_come_twice() {
    // On Lord Howe clocks go back from 02:00 to 01:30.
    let quarters = cron("0 */15 * * * *", "Australia/Lord_Howe");
    let times = following(&quarters, "2026-04-04T14:00:00Z", 8);
    let expected: Vec<_> = [
        "14:15", "14:30", "14:45", "15:00", "15:15", "15:30", "15:45", "16:00",
    ]
    .map(|time| format!("2026-04-04T{time}:00Z"))
    .into();
    assert_eq!(times, expected);
}

#[test]
fn times_of_a_year_follow_each_other() {
    for zone in [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Chatham",
    ] {
        for text in ["0 0 */2 * * *", "0 15,45 1-3 * * *", "0 0 0 * * *"] {
            let plan = cron(text, zone);
            let mut time = ms("2026-01-01T00:00:00Z");
            let end = ms("2027-01-01T00:00:00Z");
            while time < end {
                let next = plan.after(time).unwrap();
                assert!(
                    next > time,
                    "{text} in {zone}: {time} is followed by {next}"
                );
                // The longest pause of these is from one 03:45 to the next 01:15.
                assert!(next - time <= 25 * 3_600_000, "{text} in {zone}: {time}");
                time = next;
            }
        }
    }
}

#[test]
fn intervals_know_no_zones() {
    let plan = every(7_200_000, Some(ms("2026-03-28T23:00:00Z")));
    assert_eq!(
        following(&plan, "2026-03-28T23:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"]
    );
    assert_eq!(every(5_000, None).first(7), Some(5_007));
    for (now, first) in [(0, 100), (100, 5_100), (101, 5_100), (5_099, 5_100)] {
        assert_eq!(every(5_000, Some(100)).first(now), Some(first), "{now}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |cron: &str, zone: &str| {
        Plan::of(&When::Cron {
            cron: cron.to_owned(),
            zone: zone.to_owned(),
        })
        .unwrap_err()
    };
    for text in [
        "",
        "* * *",
        "61 * * * * *",
        "x * * * * *",
        "0 0 0 1 1 * 2026",
    ] {
        let error = refused(text, "UTC");
        assert!(matches!(error, InvalidPlan::Cron(..)), "{text}: {error}");
    }
    let error = refused("* * * * *", "Europe/Atlantis");
    assert!(matches!(error, InvalidPlan::Zone(_)), "{error}");
    let error = refused("0 0 0 30 2 *", "UTC");
    assert!(matches!(error, InvalidPlan::Never(_)), "{error}");
}

const MINUTE: u64 = 60_000;

#[test]
fn what_is_late_by_less_than_a_minute_is_not_missed() {
    let plan = every(10_000, None);
    for missed in [Missed::Skip, Missed::CatchUp] {
        let due = plan.due(0, 25_000, missed, 100);
        assert_eq!(due.runs, [0, 10_000, 20_000]);
        assert_eq!(due.next, Some(30_000));
        let none = plan.due(30_000, 25_000, missed, 100);
        assert_eq!((none.runs, none.next), (vec![], Some(30_000)));
    }
}

#[test]
fn what_is_missed_is_skipped_or_caught_up_with() {
    let minutely = cron("0 * * * * *", "UTC");
    let now = 60 * MINUTE + 500;
    let due = minutely.due(0, now, Missed::Skip, 100);
    // The latest one is not a minute late.
    assert_eq!((due.runs, due.next), (vec![60 * MINUTE], Some(61 * MINUTE)));
    let due = minutely.due(0, now, Missed::CatchUp, 25);
    assert_eq!((due.runs.len(), due.next), (25, Some(25 * MINUTE)));
    let due = minutely.due(25 * MINUTE, now, Missed::CatchUp, 100);
    assert_eq!((due.runs.len(), due.next), (36, Some(61 * MINUTE)));

    let often = every(1_000, None);
    let due = often.due(7, 1_000 * MINUTE, Missed::Skip, 100);
    assert_eq!(due.runs.first(), Some(&(999 * MINUTE + 7)));
    assert_eq!(due.runs.len(), 60);

    let once = Plan::of(&When::At { at: 5 }).unwrap();
    let none = Due {
        runs: vec![],
        next: None,
    };
    assert_eq!(once.due(5, MINUTE + 6, Missed::Skip, 100), none);
    assert_eq!(once.due(5, MINUTE + 5, Missed::Skip, 100).runs, [5]);
    assert_eq!(once.due(5, 99 * MINUTE, Missed::CatchUp, 100).runs, [5]);
}

#[test]
fn a_clock_that_jumps_brings_nothing_twice() {
    let plan = cron("*/10 * * * * *", "Europe/Berlin");
    // What Redis' clock says whenever a manager comes: back by an hour, and forward by two.
    let clock = [0, 15, 3_600, 3_615, 15, 30, 3_600, 3_630, 10_800, 10_815];
    for missed in [Missed::Skip, Missed::CatchUp] {
        let (mut ran, mut next) = (Vec::new(), Some(0));
        for now in clock.map(|secs| secs * 1_000) {
            let due = plan.due(next.unwrap(), now, missed, 10_000);
            ran.extend(due.runs);
            next = due.next;
        }
        assert!(ran.is_sorted_by(|a, b| a < b), "{ran:?}");
        if missed == Missed::CatchUp {
            let all: Vec<_> = (0..=1_081).map(|n| n * 10_000).collect();
            assert_eq!(ran, all);
        }
    }
}

#[test]
fn a_rest_keeps_the_step_of_an_interval() {
    let plan = every(10_000, None);
    assert_eq!(plan.resumed(7, 31_000), Some(40_007));
    assert_eq!(plan.resumed(50_007, 31_000), Some(50_007));
    let minutely = cron("0 * * * * *", "UTC");
    assert_eq!(minutely.resumed(MINUTE, 5 * MINUTE), Some(6 * MINUTE));
    let once = Plan::of(&When::At { at: 5 }).unwrap();
    assert_eq!(once.resumed(5, 9), Some(5));
}
