//! `cargo xtask instructions`: how many instructions the hot path takes, beside a stored baseline.
//!
//! On a machine that others use too a time says little, and a count of instructions is the same in every run. What is
//! counted is in the crates' `benches/`; the baseline is [`baseline::FILE`].

mod baseline;
mod bench;
mod callgrind;
mod cases;
mod comparison;
mod scripts;

use std::process::ExitCode;
use std::time::Instant;

use crate::instructions::baseline::{Baseline, Group};
use crate::instructions::callgrind::Callgrind;
use crate::instructions::comparison::Comparison;
use crate::outcome::SKIPPED_CODE;
use crate::server::Missing;
use crate::{say, workspace};

/// Counts instructions of the hot path under valgrind, and compares them with the stored baseline.
#[derive(clap::Args, Default)]
pub(crate) struct InstructionsArgs {
    /// Store what was counted as the new baseline.
    #[arg(long, conflicts_with = "check")]
    save: bool,
    /// Count only what has this in its name, such as `redis/work/chat`.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Count only what the baseline was made with the same tools for; skipped, with exit code 77, if there is nothing.
    #[arg(long)]
    check: bool,
}

/// Counts those whose names are wanted; `None` if none is.
type Count = fn(&Callgrind, &dyn Fn(&str) -> bool) -> anyhow::Result<Option<Group>>;

/// What is counted with the same tools.
struct Counter {
    name: &'static str,
    made_with: fn() -> anyhow::Result<String>,
    count: Count,
}

const COUNTERS: [Counter; 2] = [
    Counter {
        name: "rust",
        made_with: cases::made_with,
        count: cases::count,
    },
    Counter {
        name: "redis",
        made_with: scripts::made_with,
        count: scripts::count,
    },
];

/// Counts and compares; fails where a count is too far above its baseline.
pub(crate) fn run(args: &InstructionsArgs) -> anyhow::Result<ExitCode> {
    let Err(error) = compare(args) else {
        return Ok(ExitCode::SUCCESS);
    };
    let missing = error.downcast::<Missing>()?;
    say::line(format!("skipped: {missing}"));
    Ok(SKIPPED_CODE.into())
}

/// The same as a step of `cargo xtask ci`, which goes on where nothing can be counted.
pub(crate) fn check() -> anyhow::Result<()> {
    let args = InstructionsArgs {
        check: true,
        ..InstructionsArgs::default()
    };
    let Err(error) = compare(&args) else {
        return Ok(());
    };
    let missing = error.downcast::<Missing>()?;
    say::line(format!("skipped: {missing}"));
    Ok(())
}

fn compare(args: &InstructionsArgs) -> anyhow::Result<()> {
    let start = Instant::now();
    let is_wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only));
    let callgrind = Callgrind::get()?;
    let mut baseline = Baseline::read()?;
    let mut comparison = Comparison::default();
    for counter in COUNTERS {
        let name = counter.name;
        if args
            .only
            .as_ref()
            .is_some_and(|only| names_another(only, name))
        {
            continue;
        }
        let before = baseline.group(name);
        if args.check && !comparison.can_have(name, before, &(counter.made_with)()?) {
            continue;
        }
        let Some(counted) = (counter.count)(&callgrind, &is_wanted)? else {
            continue;
        };
        comparison.add(name, before, &counted);
        if args.save {
            baseline.replace(name, counted, args.only.is_some());
        }
    }
    say::line(&comparison);
    say::line(format!(
        "counted in {}; callgrind's own files are in {}",
        say::seconds(start.elapsed()),
        callgrind.folder().display()
    ));
    if args.save {
        baseline.write()?;
        say::line(format!("stored in {}", baseline::FILE));
        return Ok(());
    }
    if args.check && comparison.is_empty() {
        let why = format!(
            "the counts in {} were made with other tools",
            baseline::FILE
        );
        return Err(Missing(why).into());
    }
    comparison.conclude()
}

/// Whether what is wanted begins with the name of another group, so that this one need not be built.
fn names_another(only: &str, name: &str) -> bool {
    let group = only.split_once('/').map(|(group, _)| group);
    group.is_some_and(|group| group != name && COUNTERS.iter().any(|counter| counter.name == group))
}

#[cfg(test)]
mod tests {
    use super::names_another;

    #[test]
    fn only_what_may_be_meant_is_built() {
        assert!(names_another("redis/work", "rust"));
        assert!(!names_another("redis/work", "redis"));
        assert!(!names_another("work/chat", "rust"));
        assert!(!names_another("redis", "rust"));
    }
}
