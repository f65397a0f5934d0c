//! The `queue` binary: the manager, and the commands of operators.

use std::process::ExitCode;

use queue::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::read() {
        Ok(cli) => queue::run(cli).await,
        Err(refusal) => refusal.report(),
    }
}
