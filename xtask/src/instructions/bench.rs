//! Builds a benchmark of one of the crates, and finds the program.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use cargo_metadata::{Message, TargetKind};

use super::workspace;

/// Builds with these flags of `cargo build`, and gives each benchmark's name and program.
pub(crate) fn build(flags: &[&str]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut command = workspace::cargo(&["build", "--message-format=json-render-diagnostics"]);
    let mut cargo = command
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not run cargo")?;
    let messages = cargo.stdout.take().context("cargo has no output")?;
    let mut programs = Vec::new();
    for message in Message::parse_stream(BufReader::new(messages)) {
        let message = message.context("could not read what cargo says")?;
        if let Message::CompilerArtifact(artifact) = message
            && artifact.target.is_kind(TargetKind::Bench)
            && let Some(program) = artifact.executable
        {
            programs.push((artifact.target.name, program.into_std_path_buf()));
        }
    }
    let status = cargo.wait().context("lost cargo")?;
    if !status.success() {
        bail!("the benchmarks did not build");
    }
    Ok(programs)
}
