//! What load is put on: a private system, or processes that run.

use clap::Args;
use e2e::load::{Stage, StageArgs, Watched};

/// Which server gets the load, and which processes are watched.
#[derive(Args)]
pub(crate) struct TargetArgs {
    /// Start a private system: a Redis, servers, workers and a queue manager
    #[arg(long, conflicts_with_all = ["port", "watch"])]
    start: bool,
    /// The port of a server that runs on this machine
    #[arg(long, required_unless_present = "start", default_value_t = 0)]
    port: u16,
    /// A process whose cost is shown; one name may stand for several
    #[arg(long, value_name = "NAME=PID", value_parser = watched)]
    watch: Vec<(String, u32)>,
    #[command(flatten, next_help_heading = "The private system")]
    stage: StageArgs,
}

/// A server that can be loaded.
pub(crate) struct Target {
    /// It and what it needs, if it was started for this.
    pub(crate) stage: Option<Stage>,
    pub(crate) port: u16,
    pub(crate) watched: Vec<Watched>,
}

impl TargetArgs {
    /// Starts what is to be started. `adapt` sets it up for what it is to do.
    pub(crate) async fn target(&self, adapt: impl FnOnce(&mut StageArgs)) -> Target {
        if !self.start {
            return Target {
                stage: None,
                port: self.port,
                watched: self.watched(),
            };
        }
        let mut args = self.stage.clone();
        adapt(&mut args);
        let stage = Stage::start(&args).await;
        let mut watched = stage.watched().await;
        watched.push(Watched::generator());
        Target {
            port: stage.system.servers[0].port(),
            stage: Some(stage),
            watched,
        }
    }

    fn watched(&self) -> Vec<Watched> {
        let mut all = vec![Watched::generator()];
        for (name, pid) in &self.watch {
            match all.iter_mut().find(|watched| watched.name == *name) {
                Some(watched) => watched.pids.push(*pid),
                None => all.push(Watched::new(name, *pid)),
            }
        }
        all
    }
}

fn watched(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').ok_or("NAME=PID is wanted")?;
    let pid = pid.parse().map_err(|error| format!("{pid:?}: {error}"))?;
    Ok((name.to_owned(), pid))
}
