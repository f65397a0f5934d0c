//! The built-in handler for trying things out: it streams a text, a word at a time, and says how far it is.
//!
//! It stands for slow work of which something is to be seen before it is done. It is bounded in time and output, and
//! does nothing outside its job.

use std::time::Duration;

use broker::JobError;
use protocol::Kind;
use serde::{Deserialize, Serialize};

use crate::{JobContext, Registry};

/// The kind that this handler runs.
const KIND: &str = "demo";
const MAX_STEPS: u32 = 500;
const MAX_PAUSE_MS: u64 = 2_000;
/// As each step puts out a word of it at most, this bounds the output as well.
const MAX_TEXT_BYTES: usize = 2_000;
const TEXT: &str = "Each of these words is an event of its own. It has a place in the job's log, and goes to every \
                    client that follows the job, on every server. A client that was cut off says which place it saw \
                    last, and gets the rest: nothing is missing, and nothing comes twice.";

/// Adds the `demo` handler.
#[must_use]
pub fn demo<S>(registry: Registry<S>) -> Registry<S>
where
    S: Clone + Send + Sync + 'static,
{
    let kind = Kind::new(KIND).expect("the constant follows the rules of names");
    registry.register(kind, run)
}

/// The payload. What is out of bounds never reaches the handler: the job fails at once.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Wish")]
struct Demo {
    steps: u32,
    pause: Duration,
    text: String,
}

/// The payload as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default = "default_steps")]
    steps: u32,
    #[serde(default = "default_pause_ms")]
    pause_ms: u64,
    /// What is put out, over and over; a text of its own if there is none.
    #[serde(default)]
    text: String,
}

const fn default_steps() -> u32 {
    40
}

const fn default_pause_ms() -> u64 {
    100
}

impl TryFrom<Wish> for Demo {
    type Error = String;

    fn try_from(wish: Wish) -> Result<Self, String> {
        if !(1..=MAX_STEPS).contains(&wish.steps) {
            return Err(format!("`steps` must be 1 to {MAX_STEPS}"));
        }
        if wish.pause_ms > MAX_PAUSE_MS {
            return Err(format!("`pause_ms` must be 0 to {MAX_PAUSE_MS}"));
        }
        if wish.text.len() > MAX_TEXT_BYTES {
            return Err(format!("`text` must have {MAX_TEXT_BYTES} bytes at most"));
        }
        let blank = wish.text.trim().is_empty();
        Ok(Self {
            steps: wish.steps,
            pause: Duration::from_millis(wish.pause_ms),
            text: if blank { TEXT.to_owned() } else { wish.text },
        })
    }
}

/// A `chunk` event. The numbers are dense from 1, so that whoever reads can tell that nothing is missing.
#[derive(Serialize)]
struct Chunk<'a> {
    n: u32,
    text: &'a str,
}

/// The result.
#[derive(Serialize)]
struct Shown {
    steps: u32,
    /// Which attempt it was: more than 1 if a worker was lost.
    attempt: u32,
}

async fn run(context: JobContext, demo: Demo) -> Result<Shown, JobError> {
    let mut words = demo.text.split_whitespace().cycle();
    let mut told = 0;
    for n in 1..=demo.steps {
        tokio::select! {
            () = tokio::time::sleep(demo.pause) => {}
            () = context.cancelled().cancelled() => return Err(JobError::retry("told to stop")),
        }
        let text = words.next().expect("a text that is not blank has words");
        context.chunk(&Chunk { n, text }).await?;
        let percent = n * 100 / demo.steps;
        if percent > told {
            told = percent;
            context.progress(&percent).await?;
        }
    }
    Ok(Shown {
        steps: demo.steps,
        attempt: context.attempt(),
    })
}
