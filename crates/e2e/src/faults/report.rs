//! What a run comes to: figures, checks, and everything that they are made from.

use broker::Totals;
use protocol::Durability;
use serde::Serialize;

use super::{
    chatter::Chat,
    excuse::Excuse,
    history::{Down, History},
    judge::{Verdict, judge},
    outcome::{Collapse, Outcome},
    rerun::{Rerun, Reruns, reruns},
    settings::FaultArgs,
    spread::Spread,
};

/// The limit of killed to running again, in milliseconds.
const RERUN_LIMIT_MS: u64 = 15_000;
/// How much more memory than before Redis may use when it has forgotten all jobs, in bytes: buffers of connections, and
/// the cache of scripts.
const MEMORY_LIMIT: u64 = 4 * 1024 * 1024;

/// How a process ended in the end.
#[derive(Clone, Debug, Serialize)]
pub struct Ending {
    /// Which.
    pub target: String,
    /// How.
    pub exit: String,
    /// Whether that is well.
    pub well: bool,
    /// After how long, in milliseconds.
    pub took_ms: u64,
}

/// Redis' memory, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// Before the load.
    pub before: u64,
    /// When all jobs were over.
    pub loaded: u64,
    /// When their time was over; absent if that was not waited for.
    pub after: Option<u64>,
    /// Jobs that were still kept then.
    pub jobs_kept: u64,
}

/// What the last burst showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Burst {
    /// How many jobs it had.
    pub jobs: usize,
    /// How many of them each worker began, by place.
    pub begun: Vec<usize>,
    /// Who was not ready before it.
    pub not_ready: Vec<String>,
}

/// What was handed in beside what was accepted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Load {
    /// How many jobs were accepted, without the last burst.
    pub accepted: u64,
    /// How long it took until all was handed in, in milliseconds.
    pub load_ms: u64,
    /// How long after that all was over, in milliseconds.
    pub settle_ms: u64,
    /// The plain clients.
    pub chat: Vec<Chat>,
    /// How often a `ledger` job was not confirmed, and handed in again under its id.
    pub unconfirmed: u64,
    /// How often one was refused.
    pub refused: u64,
}

/// Everything that was found out.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was seen.
    pub history: History,
    /// What became of each fault.
    pub outcomes: Vec<Outcome>,
    /// Who ended by itself.
    pub collapses: Vec<Collapse>,
    /// The load.
    pub load: Load,
    /// The last burst.
    pub burst: Burst,
    /// Redis' memory.
    pub memory: Memory,
    /// What Redis counted.
    pub totals: Option<Totals>,
    /// How the processes ended.
    pub endings: Vec<Ending>,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is looked at.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// Whether that is as it must be; absent for what is only told.
    pub pass: Option<bool>,
}

/// Everything, as it goes into the JSON file.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether all checks pass.
    pub pass: bool,
    /// The seed.
    pub seed: u64,
    /// The settings.
    pub settings: FaultArgs,
    /// The checks.
    pub checks: Vec<Check>,
    /// What is wrong, by kind.
    pub verdict: Verdict,
    /// How long before a kill of Redis what was lost had been accepted, in milliseconds.
    pub loss_window_ms: Option<u64>,
    /// How many jobs are lost of which somebody was told that they were replicated.
    pub promises_broken: usize,
    /// Killed to running again.
    pub rerun_ms: Reruns,
    /// The same, job by job.
    pub reruns: Vec<Rerun>,
    /// Back to ready again, over all faults.
    pub ready_ms: Spread,
    /// The load.
    pub load: Load,
    /// The last burst.
    pub burst: Burst,
    /// Redis' memory.
    pub memory: Memory,
    /// What Redis counted.
    pub totals: Option<Totals>,
    /// When Redis did not answer.
    pub redis_down: Vec<Down>,
    /// The schedule, and what became of each fault.
    pub faults: Vec<Outcome>,
    /// Who ended by itself.
    pub collapses: Vec<Collapse>,
    /// How the processes ended in the end.
    pub endings: Vec<Ending>,
}

impl Report {
    /// Judges what was found.
    pub fn of(settings: FaultArgs, seed: u64, findings: Findings) -> Self {
        let verdict = judge(&findings.history);
        let reruns = reruns(&findings.history);
        let rerun_ms = Reruns::of(&reruns);
        let excuse = Excuse::of(&settings, &findings.history);
        let loss_window_ms = excuse.window(&verdict.lost);
        let confirmed = &findings.history.confirmed;
        let lost = verdict.lost.iter();
        let broken = lost.filter(|lost| confirmed.contains(&lost.what)).count();
        let mut report = Self {
            pass: false,
            seed,
            settings,
            checks: Vec::new(),
            verdict,
            loss_window_ms,
            promises_broken: broken,
            rerun_ms,
            reruns,
            ready_ms: Spread::of(
                findings
                    .outcomes
                    .iter()
                    .filter_map(|outcome| outcome.ready_ms)
                    .collect(),
            ),
            load: findings.load,
            burst: findings.burst,
            memory: findings.memory,
            totals: findings.totals,
            redis_down: findings.history.down,
            faults: findings.outcomes,
            collapses: findings.collapses,
            endings: findings.endings,
        };
        report.checks = report.check(&excuse);
        report.pass = report.checks.iter().all(|check| check.pass != Some(false));
        report
    }

    fn check(&self, excuse: &Excuse) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut add = |name, pass, found: String| checks.push(Check { name, found, pass });
        let verdict = &self.verdict;
        add(
            "jobs accepted",
            Some(self.load.accepted >= self.settings.jobs),
            format!(
                "{} of {}; with a last burst {} completed, {} failed, {} of them by faults alone",
                self.load.accepted,
                self.settings.jobs,
                verdict.completed,
                verdict.failed,
                verdict.spent
            ),
        );
        let totals = self.totals.unwrap_or_default();
        add(
            "jobs that ran more than once",
            None,
            format!(
                "{} ({} leases lost, {} late writes refused)",
                verdict.rerun, totals.lost, totals.stale
            ),
        );
        let before = |wrongs| (excuse.unexplained(wrongs), wrongs);
        let after = |wrongs| (excuse.unexplained_after(wrongs, verdict), wrongs);
        for (name, (unexplained, wrongs)) in [
            ("accepted jobs lost", before(&verdict.lost)),
            ("stale writes taken", before(&verdict.stale)),
            ("texts not announced", after(&verdict.unannounced)),
            ("ends not announced", after(&verdict.missing)),
            ("ends announced twice", before(&verdict.doubled)),
            ("events out of order", before(&verdict.disordered)),
            ("gaps in the log", after(&verdict.gaps)),
        ] {
            let found = if unexplained == wrongs.len() {
                wrongs.len().to_string()
            } else {
                format!(
                    "{}, {unexplained} not explained by a kill of Redis",
                    wrongs.len()
                )
            };
            add(name, Some(unexplained == 0), found);
        }
        if self.settings.durability == Durability::Replicated {
            add(
                "replicated jobs lost",
                Some(self.promises_broken == 0),
                self.promises_broken.to_string(),
            );
        }
        if self.settings.power_loss {
            add(
                "logs that went back unnoticed",
                Some(verdict.silent.is_empty()),
                verdict.silent.len().to_string(),
            );
        }
        if self.settings.may_forget() {
            let found = self
                .loss_window_ms
                .map_or_else(|| "nothing lost".to_owned(), |ms| format!("{ms} ms"));
            add("loss window", None, found);
        }
        let (doubled, early) = self
            .load
            .chat
            .iter()
            .fold((0, 0), |(doubled, early), chat| {
                (doubled + chat.doubled, early + chat.early)
            });
        add(
            "frames doubled, results before texts",
            excuse.is_empty().then_some(doubled + early == 0),
            format!("{doubled}, {early}"),
        );
        let Reruns { redis_up, all } = &self.rerun_ms;
        let times = |spread: &Spread| {
            format!(
                "p50 {} ms, p99 {} ms, max {} ms of {}",
                spread.p50, spread.p99, spread.max, spread.count
            )
        };
        add(
            "killed to running again, Redis up",
            (redis_up.count > 0).then_some(redis_up.p99 < RERUN_LIMIT_MS),
            times(redis_up),
        );
        add("the same, Redis away meanwhile too", None, times(all));
        add("mended to ready", None, times(&self.ready_ms));
        self.check_processes(&mut add);
        checks
    }

    fn check_processes(&self, add: &mut impl FnMut(&'static str, Option<bool>, String)) {
        let begun = self.faults.iter().filter(|fault| fault.began_at.is_some());
        let idle = self
            .faults
            .iter()
            .filter(|fault| fault.under_way == Some(0));
        add(
            "faults",
            Some(begun.clone().count() == self.faults.len()),
            format!(
                "{} of {}, {} of them met no job",
                begun.count(),
                self.faults.len(),
                idle.count()
            ),
        );
        let ill = self.faults.iter().filter(|fault| !fault.well);
        let ill: Vec<_> = ill.map(|fault| fault.fault.target.to_string()).collect();
        add(
            "processes that did not obey",
            Some(ill.is_empty()),
            list(&ill),
        );
        let fallen = self.collapses.iter();
        let fallen: Vec<_> = fallen.map(|fallen| fallen.target.to_string()).collect();
        add(
            "processes that ended by themselves",
            Some(fallen.is_empty()),
            list(&fallen),
        );
        add(
            "processes not ready in the end",
            Some(self.burst.not_ready.is_empty()),
            list(&self.burst.not_ready),
        );
        let zombies = self.burst.begun.iter().filter(|begun| **begun == 0).count();
        add(
            "workers that take no jobs",
            Some(zombies == 0),
            format!("{zombies} (last burst: {:?})", self.burst.begun),
        );
        let bad = self.endings.iter().filter(|ending| !ending.well);
        let bad: Vec<_> = bad
            .map(|ending| format!("{} {}", ending.target, ending.exit))
            .collect();
        add(
            "processes that did not end well",
            Some(bad.is_empty()),
            list(&bad),
        );
        let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
        let Memory {
            before,
            loaded,
            after,
            jobs_kept,
        } = self.memory;
        match after {
            Some(after) => add(
                "Redis' memory",
                Some(jobs_kept == 0 && after <= before + MEMORY_LIMIT),
                format!(
                    "{:.1} MiB before, {:.1} loaded, {:.1} after retention, {jobs_kept} jobs kept",
                    mib(before),
                    mib(loaded),
                    mib(after)
                ),
            ),
            None => add(
                "Redis' memory",
                None,
                format!("{:.1} MiB before, {:.1} loaded", mib(before), mib(loaded)),
            ),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
