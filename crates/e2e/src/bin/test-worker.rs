//! A worker with handlers that misbehave, for the fault tests; also the smallest example of a worker of one's own.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use e2e::faults::{RunLog, WORK_KIND, work};
use protocol::{FailureCode, Kind};
use serde::Deserialize;
use service::{Lifecycle, telemetry};
use worker::{App, JobContext, JobError, Registry, WorkerArgs, chat};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Where the handler of the fault runs writes what it runs; nowhere by default
    #[arg(long, env = "RUN_LOG")]
    run_log: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Steps {
    steps: u32,
}

async fn panics(_: JobContext, text: String) -> Result<(), JobError> {
    panic!("{text}")
}

#[derive(Deserialize)]
struct Stream {
    chunks: u32,
    pause_ms: u64,
}

/// Stands for an answer that comes in pieces, which are numbers from 1.
async fn streams(context: JobContext, stream: Stream) -> Result<u32, JobError> {
    for n in 1..=stream.chunks {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(stream.pause_ms)) => {}
            () = context.cancelled().cancelled() => return Err(JobError::retry("told to stop")),
        }
        context.chunk(&n).await?;
    }
    Ok(stream.chunks)
}

#[derive(Deserialize)]
struct Mend {
    file: PathBuf,
    panics: bool,
    steps: u32,
    pause_ms: u64,
}

/// Stands for work that can't be done until somebody has repaired something: until the file is there.
async fn mends(context: JobContext, mend: Mend) -> Result<u32, JobError> {
    let name = mend.file.display();
    assert!(
        !mend.panics || mend.file.exists(),
        "the template {name} is missing"
    );
    if !mend.file.exists() {
        let why = format!("the mailbox {name} is full");
        return Err(JobError::fatal(FailureCode::Error, why));
    }
    for step in 1..=mend.steps {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(mend.pause_ms)) => {}
            () = context.cancelled().cancelled() => return Err(JobError::retry("told to stop")),
        }
        context
            .chunk(&format!("step {step} of {}\n", mend.steps))
            .await?;
        context.progress(&(100 * step / mend.steps)).await?;
    }
    Ok(mend.steps)
}

async fn counts(context: JobContext, Steps { steps }: Steps) -> Result<u32, JobError> {
    for step in 1..=steps {
        context.progress(&step).await?;
    }
    Ok(steps)
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Args {
        worker: args,
        run_log,
    } = Args::parse();
    telemetry::init(&args.telemetry, "worker")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let log = Arc::new(RunLog::open(run_log.as_deref())?);
    let handlers = chat(Registry::new(), Duration::from_millis(args.chat_work_ms))
        .register(Kind::new("panic")?, panics)
        .register(Kind::new("count")?, counts)
        .register(Kind::new("stream")?, streams)
        .register(Kind::new("mend")?, mends)
        .register(Kind::new(WORK_KIND)?, move |context, task| {
            work(context, task, Arc::clone(&log))
        });
    App::build(args, handlers)
        .await?
        .spawn(&lifecycle.handle())?;
    Ok(lifecycle.run().await)
}
