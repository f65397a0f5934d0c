//! `queue completions`: what a shell needs to complete this command line. Needs no Redis.

use clap::Args;
use clap_complete::Shell;

use crate::{Cli, console::Console, fault::Fault};

/// Options of `queue completions`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  queue completions bash > ~/.local/share/bash-completion/completions/queue
  queue completions zsh > ~/.zfunc/_queue
  queue completions fish > ~/.config/fish/completions/queue.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_parser = clap::builder::EnumValueParser::<Shell>::new())]
    pub shell: Shell,
}

pub(crate) fn completions(console: &Console, args: &CompletionsArgs) -> Result<(), Fault> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::definition(), "queue", &mut script);
    console.out.print(&String::from_utf8_lossy(&script))
}
