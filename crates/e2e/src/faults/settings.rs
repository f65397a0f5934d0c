//! What a fault run can be told.

use std::path::PathBuf;

use broker::testing::Topology;
use clap::{Parser, ValueEnum};
use protocol::Durability;
use serde::Serialize;

use super::{
    kind::{FaultKind, Selection},
    schedule::Cast,
};

const ABOUT: &str = "\
Runs the whole system under load, strikes it with faults, and judges what became of every accepted job.

A private Redis, 2 servers, 3 workers and 2 queue managers (real processes, default settings but for retention) reach \
Redis over a proxy of the harness. Plain WebSocket clients chat, and a producer hands in jobs of the kind `ledger`. \
Faults come from a schedule that the seed determines. In the end every accepted job must be over exactly once.";

const AFTER: &str = "\
Checks: no accepted job lost, no write of an old attempt taken, every end announced once and last, killed to running \
again p99 under 15 s while Redis answers, every SIGTERM obeyed with 0, every worker takes jobs in the end, Redis' \
memory comes back. With `--fsync everysec` jobs may be lost that were accepted up to 2 s before a kill of Redis; \
the loss window is reported. Where a replica takes over, jobs may be lost and run twice that the lost primary had not yet \
given to it, but none of the producer's with `--durability replicated`.

Exit codes: 0 all checks pass; 1 one does not; 2 the command line makes no sense.";

/// Settings of a fault run.
#[derive(Parser, Clone, Debug, Serialize)]
#[command(name = "faults", version, about = ABOUT, after_help = AFTER, max_term_width = 100)]
pub struct FaultArgs {
    /// How many jobs are handed in, half as chat messages, half as `ledger` jobs
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(10..=10_000_000))]
    pub jobs: u64,
    /// Over how many seconds the load and the faults are spread [default: 100 jobs a second, at least 10 s]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// What the schedule and the load are derived from [default: the clock]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many faults [default: one every 4 s, and at least one of each kind]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub faults: Option<u32>,
    /// Only these kinds or groups of faults, as a list with commas: workers, servers, managers, redis, network, or names
    /// of --list
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    #[serde(skip)]
    pub only: Vec<Selection>,
    /// When Redis has its append-only file on disk
    #[arg(long, value_enum, default_value_t = Fsync::Always)]
    pub fsync: Fsync,
    /// What Redis is made of. Of several servers a kill takes the primary that has the queue, and its replica takes over
    #[arg(long, value_enum, default_value_t = Made::One)]
    pub topology: Made,
    /// What the servers and the producer make sure of before they call a job accepted: `replicated` needs replicas
    #[arg(long, default_value_t = Durability::Written)]
    pub durability: Durability,
    /// Split the queue into so many partitions before the load, and into one more in the middle of it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub partitions: u16,
    /// Let a kill of Redis take what it wrote in the last second, as a power failure does; SIGKILL alone takes nothing.
    /// Only with `--fsync everysec`
    #[arg(long)]
    pub power_loss: bool,
    /// How long finished jobs and logs are kept, in seconds, so that memory can come back in the end; a job handed in
    /// again after a longer outage would run again
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    pub keep_secs: u64,
    /// Do not wait in the end until Redis has forgotten the jobs
    #[arg(long)]
    pub skip_retention: bool,
    /// Write everything that was found to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the processes' logs and the run log in this folder
    #[arg(long, value_name = "FOLDER")]
    pub logs: Option<PathBuf>,
    /// Print the kinds of faults and the schedule of the seed, and do nothing
    #[arg(long)]
    #[serde(skip)]
    pub list: bool,
}

/// What Redis is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Made {
    /// One server.
    One,
    /// A primary, a replica, and three Sentinels.
    Sentinel,
    /// Three primaries, each with a replica.
    Cluster,
}

impl Made {
    /// How that is started.
    pub const fn topology(self) -> Topology {
        match self {
            Self::One => Topology::One,
            Self::Sentinel => Topology::Sentinel,
            Self::Cluster => Topology::Cluster {
                primaries: 3,
                replicas: 1,
                node_timeout_ms: 2_000,
            },
        }
    }
}

/// When Redis has its append-only file on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// Before it answers.
    Always,
    /// Every second.
    Everysec,
}

impl Fsync {
    /// As Redis calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
        }
    }
}

impl FaultArgs {
    /// How many processes there are.
    pub const CAST: Cast = Cast {
        servers: 2,
        workers: 3,
        managers: 2,
    };

    /// Refuses settings that contradict each other.
    pub fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.power_loss || self.fsync == Fsync::Everysec,
            "--power-loss takes what was not synced, so it needs --fsync everysec"
        );
        anyhow::ensure!(
            !self.power_loss || self.topology == Made::One,
            "--power-loss is for one server, which nobody replaces"
        );
        anyhow::ensure!(
            self.durability != Durability::Replicated || self.topology != Made::One,
            "one server has no replicas: --durability replicated needs another --topology"
        );
        Ok(())
    }

    /// The kinds of faults that are wanted, each once.
    pub fn kinds(&self) -> Vec<FaultKind> {
        let mut kinds: Vec<_> = self
            .only
            .iter()
            .flat_map(|Selection(kinds)| kinds.iter().copied())
            .collect();
        if kinds.is_empty() {
            kinds = FaultKind::ALL.to_vec();
        }
        // There is no proxy before servers of which the processes learn from one another.
        if self.topology != Made::One {
            kinds.retain(|kind| *kind != FaultKind::Swallow);
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Whether a kill of Redis may make it forget what it had answered.
    pub fn may_forget(&self) -> bool {
        self.fsync == Fsync::Everysec || self.topology != Made::One
    }

    /// Over how many milliseconds load and faults are spread.
    pub fn span_ms(&self) -> u64 {
        1_000 * self.seconds.unwrap_or_else(|| (self.jobs / 100).max(10))
    }

    /// How many faults there are.
    pub fn count(&self) -> usize {
        let usual = usize::try_from(self.span_ms() / 4_000).unwrap_or(usize::MAX);
        self.faults
            .map_or_else(|| usual.max(self.kinds().len()), |count| count as usize)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::FaultArgs;

    #[test]
    fn the_rest_follows_from_the_jobs() {
        let args = FaultArgs::parse_from(["faults"]);
        assert_eq!((args.span_ms(), args.count()), (200_000, 50));
        let args = FaultArgs::parse_from(["faults", "--jobs", "300", "--only", "redis,cut,cut"]);
        assert_eq!((args.span_ms(), args.count()), (10_000, 4));
        assert!(FaultArgs::try_parse_from(["faults", "--only", "volcano"]).is_err());
    }
}
