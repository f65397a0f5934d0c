//! Many delayed jobs that fall due in one instant.

use std::time::{Duration, Instant};

use broker::QueueArgs;
use protocol::{EventLevel, JobOptions, JobState, Topic};
use serde::Serialize;

use super::{Spread, load::Load};

/// How they were run.
#[derive(Clone, Debug, Serialize)]
pub struct Due {
    /// How many fell due.
    pub jobs: usize,
    /// From the instant to the last one's end, in milliseconds.
    pub took_ms: u64,
    /// The longest time in which none of them ended, in milliseconds.
    pub longest_gap_ms: u64,
    /// How long Redis let others wait meanwhile.
    pub ping: Spread,
}

/// Delays `jobs` jobs to one instant, and watches what happens then.
pub async fn due(jobs: usize) -> Due {
    let load = Load::start(2, &[], QueueArgs::default()).await;
    let (secs, micros): (u64, u64) = load.system.redis.command(&["TIME"]).await;
    // Time enough to hand all of them in.
    let ahead = Duration::from_secs(10) + Duration::from_micros(jobs as u64 * 60);
    let at = secs * 1000 + micros / 1000 + u64::try_from(ahead.as_millis()).expect("a short time");
    let instant = Instant::now() + ahead;
    let options = JobOptions {
        run_at: Some(at),
        topic: Some(Topic::new("room").expect("a name")),
        events: EventLevel::Outcome,
        ..JobOptions::default()
    };
    load.fill(jobs, &options).await;
    assert_eq!(
        load.count(JobState::Delayed).await,
        jobs as u64,
        "they were handed in too slowly"
    );
    tokio::time::sleep_until(instant.into()).await;
    let redis = load.system.connect();
    let (mut pings, mut done, mut moved) = (Vec::new(), 0, Instant::now());
    let mut longest = Duration::ZERO;
    while done < jobs as u64 {
        let start = Instant::now();
        redis.ping().await.expect("Redis answers");
        pings.push(start.elapsed());
        let now = load.completed().await;
        if now > done {
            longest = longest.max(moved.elapsed());
            (done, moved) = (now, Instant::now());
        }
        assert!(
            moved.elapsed() < Duration::from_secs(60),
            "{done} of {jobs} were run"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Due {
        jobs,
        took_ms: millis(instant.elapsed()),
        longest_gap_ms: millis(longest),
        ping: Spread::of(pings),
    }
}
