//! A worker of one's own in one file: an assistant that streams its answer.
//!
//! ```sh
//! cargo run -p worker --example assistant
//! cargo run -p queue -- enqueue assistant.answer '{"prompt":"hello"}'
//! ```
//!
//! The settings are those of the built-in worker (`-- --help` shows them), Redis is at its default. Stop the built-in
//! worker of the same queue first, since it knows nothing of these kinds; this one answers to `chat` as well. How
//! its handlers are tested without Redis is in `tests/it/assistant.rs`.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser as _;
use protocol::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Lifecycle, telemetry};
use tower::{limit::ConcurrencyLimitLayer, timeout::TimeoutLayer};
use worker::{App, JobContext, JobError, Registry, Route, State, WorkerArgs, chat};

/// What the handlers share. Each attempt gets a clone.
#[derive(Clone)]
pub struct Shared {
    /// A real worker would also have a pool of database connections here, and the like.
    pub model: Arc<Model>,
}

/// Stands for a client of a language model: it repeats what it was asked, a token at a time.
pub struct Model {
    /// How long it takes over a token.
    pub pause: Duration,
}

impl Model {
    async fn next<'a>(&self, rest: &mut impl Iterator<Item = &'a str>) -> Option<&'a str> {
        tokio::time::sleep(self.pause).await;
        rest.next()
    }
}

/// The payload. What breaks a rule never reaches the handler: the job fails, and its failure names the field.
#[derive(Deserialize, JsonSchema)]
pub struct Question {
    #[schemars(length(min = 1, max = 4000))]
    prompt: String,
    #[serde(default = "default_max_tokens")]
    #[schemars(range(min = 1, max = 256))]
    max_tokens: usize,
}

const fn default_max_tokens() -> usize {
    64
}

/// The result.
#[derive(Serialize)]
pub struct Answer {
    text: String,
    tokens: usize,
}

/// Streams each token as a `chunk` event. The result is the whole answer.
async fn answer(
    context: JobContext,
    State(shared): State<Shared>,
    question: Question,
) -> Result<Answer, JobError> {
    let total = question.prompt.split_whitespace().count();
    let total = total.min(question.max_tokens);
    let mut rest = question.prompt.split_whitespace().take(total);
    let mut tokens = Vec::new();
    loop {
        let token = tokio::select! {
            token = shared.model.next(&mut rest) => token,
            // Nobody needs the rest: another worker has the job, or this one stops and hands it back.
            () = context.cancelled().cancelled() => return Err(JobError::retry("told to stop")),
        };
        let Some(token) = token else { break };
        tokens.push(token);
        context.chunk(token).await?;
        context.progress(&(tokens.len() * 100 / total)).await?;
    }
    Ok(Answer {
        text: tokens.join(" "),
        tokens: tokens.len(),
    })
}

/// Stands for work that needs others: they are busy at first, and say when to come back.
async fn remember(context: JobContext, note: String) -> Result<usize, JobError> {
    if context.attempt() == 1 {
        let pause = Duration::from_secs(3);
        return Err(JobError::retry_after("the memory is busy", pause));
    }
    context.log("remembered").await?;
    Ok(note.len())
}

/// All handlers, and what is around them.
pub fn registry(shared: Shared) -> anyhow::Result<Registry<Shared>> {
    // An answer that takes longer fails, and is tried again; of these jobs, four run at a time.
    let answer = Route::validated(answer)
        .layer(TimeoutLayer::new(Duration::from_secs(60)))
        .layer(ConcurrencyLimitLayer::new(4));
    Ok(Registry::with_state(shared)
        .route(Kind::new("assistant.answer")?, answer)
        .register(Kind::new("assistant.remember")?, remember))
}

fn main() -> anyhow::Result<ExitCode> {
    let args = WorkerArgs::parse();
    args.block_on(run(args.clone()))?
}

async fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&args.telemetry, "assistant")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let pause = Duration::from_millis(100);
    let model = Arc::new(Model { pause });
    let handlers = chat(registry(Shared { model })?, Duration::ZERO);
    App::build(args, handlers)
        .await?
        .spawn(&lifecycle.handle())?;
    Ok(lifecycle.run().await)
}
