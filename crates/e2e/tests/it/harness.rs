//! The fault harness itself, on a run that is short enough for every change: it must work, and find nothing.

use clap::Parser as _;
use e2e::faults::{FaultArgs, plan, run};

#[tokio::test]
async fn a_short_run_under_faults_passes_every_check() {
    let args = FaultArgs::parse_from([
        "faults",
        "--jobs=300",
        "--seconds=10",
        "--faults=4",
        "--only=worker-kill,server-kill,redis-kill,cut",
        "--seed=1",
        "--skip-retention",
    ]);
    let (_, schedule) = plan(&args);
    let report = run(args).await.unwrap();
    assert!(report.pass, "{:#?}", (report.checks, report.verdict));
    let happened: Vec<_> = report.faults.iter().map(|outcome| &outcome.fault).collect();
    assert_eq!(happened, schedule.iter().collect::<Vec<_>>());
}
