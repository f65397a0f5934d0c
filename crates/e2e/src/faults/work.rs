//! The job of the fault runs: it works for as long as it is told, may fail, and leaves its trace in the run log.

use std::{sync::Arc, time::Duration};

use broker::JobError;
use serde::{Deserialize, Serialize};
use worker::JobContext;

use super::{dice::Dice, history::Mark, run_log::RunLog};

/// The kind of these jobs.
pub const WORK_KIND: &str = "ledger";

/// When an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fails {
    /// Not at all.
    Never,
    /// The first attempt.
    Once,
    /// Every attempt.
    Always,
}

/// What a job is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// How long it works, in milliseconds.
    pub ms: u64,
    /// How many events it emits meanwhile.
    pub emits: u32,
    /// Whether it fails.
    pub fails: Fails,
    /// Whether it works on when it is told to end, as code that never looks does.
    pub stubborn: bool,
}

/// What a job results in: which attempt it was, so that it can be compared with what Redis says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The attempt.
    pub attempt: u32,
}

impl Work {
    /// The work of the `number`th job of a seed: mostly short, with a tail of seconds.
    pub fn draw(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed ^ number.wrapping_mul(0xa076_1d64_78bd_642f));
        let ms = if dice.chance(30) {
            dice.between(400, 3_000)
        } else {
            dice.between(2, 60)
        };
        let fails = match dice.between(0, 99) {
            0..=4 => Fails::Once,
            5..=6 => Fails::Always,
            _ => Fails::Never,
        };
        let emits = if dice.chance(25) { 2 } else { 0 };
        Self {
            ms,
            emits,
            fails,
            stubborn: dice.chance(50),
        }
    }
}

/// Runs one attempt.
pub async fn work(context: JobContext, work: Work, log: Arc<RunLog>) -> Result<Done, JobError> {
    log.write(Mark::Begin, context.id(), context.attempt());
    let result = attempt(&context, &work).await;
    log.write(Mark::End, context.id(), context.attempt());
    result
}

async fn attempt(context: &JobContext, work: &Work) -> Result<Done, JobError> {
    let steps = work.emits + 1;
    let pause = Duration::from_millis(work.ms) / steps;
    for step in 1..=steps {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = context.cancelled().cancelled(), if !work.stubborn => {
                return Err(JobError::retry("told to end"));
            }
        }
        if step <= work.emits {
            let said = if step % 2 == 1 {
                context.progress(&step).await
            } else {
                context.chunk("a piece").await
            };
            if let (Err(error), false) = (said, work.stubborn) {
                return Err(JobError::retry(error.to_string()));
            }
        }
    }
    let fails = match work.fails {
        Fails::Never => false,
        Fails::Once => context.attempt() == 1,
        Fails::Always => true,
    };
    if fails {
        return Err(JobError::retry_after(
            "on purpose",
            Duration::from_millis(200),
        ));
    }
    Ok(Done {
        attempt: context.attempt(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Fails, Work};

    #[test]
    fn the_load_is_a_mix_that_the_seed_determines() {
        let load: Vec<_> = (0..2_000).map(|n| Work::draw(5, n)).collect();
        assert_eq!(load[7], Work::draw(5, 7));
        let share = |f: fn(&Work) -> bool| load.iter().filter(|work| f(work)).count();
        assert!((1_200..1_600).contains(&share(|work| work.ms <= 60)));
        assert!((50..200).contains(&share(|work| work.fails == Fails::Once)));
        assert!((10..100).contains(&share(|work| work.fails == Fails::Always)));
        assert!(load.iter().all(|work| work.ms <= 3_000));
    }
}
