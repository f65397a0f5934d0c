//! Runs the whole system under load and faults. `cargo xtask faults` builds it first.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use e2e::faults::{self, FaultArgs, FaultKind};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = FaultArgs::parse();
    if args.list {
        for kind in FaultKind::ALL {
            faults::say(&format!("{kind:<13} ({}) {}", kind.group(), kind.about()));
        }
        let (seed, schedule) = faults::plan(&args);
        faults::print_schedule(seed, &schedule);
        return Ok(ExitCode::SUCCESS);
    }
    let json = args.json.clone();
    let report = faults::run(args).await?;
    faults::print_report(&report);
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(if report.pass {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
