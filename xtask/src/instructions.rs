//! `cargo xtask instructions`: how many instructions the hot path takes, beside a stored baseline.
//!
//! On a machine that others use too a time says little, and a count of instructions is the same in every run. What is
//! counted is in the crates' `benches/`; the baseline is [`baseline::FILE`].

mod baseline;
mod bench;
mod callgrind;
mod comparison;
mod scripts;

use std::process::ExitCode;
use std::time::Instant;

use crate::instructions::baseline::{Baseline, Group};
use crate::instructions::callgrind::Callgrind;
use crate::{say, workspace};

/// Counts instructions of the hot path under valgrind, and compares them with the stored baseline.
#[derive(clap::Args)]
pub(crate) struct InstructionsArgs {
    /// Store what was counted as the new baseline.
    #[arg(long)]
    save: bool,
    /// Count only what has this in its name, such as `redis/work/chat`.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Counts and compares; fails where a count is too far above its baseline.
pub(crate) fn run(args: &InstructionsArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let is_wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only));
    let callgrind = Callgrind::get()?;
    let mut baseline = Baseline::read()?;
    let mut comparison = comparison::Comparison::default();
    let groups: [(&str, Option<Group>); 1] = [("redis", scripts::count(&callgrind, is_wanted)?)];
    for (name, counted) in groups {
        let Some(counted) = counted else { continue };
        comparison.add(name, baseline.group(name), &counted);
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
        return Ok(ExitCode::SUCCESS);
    }
    Ok(comparison.conclude())
}
