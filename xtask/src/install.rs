//! Installs Redis, or a browser, with the system's package manager.
//!
//! Says what it will run before it runs it, never asks a question, and never fetches a binary by itself.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

use anyhow::{anyhow, bail};

use crate::workspace::{find_program, run, shown};
use crate::{browser, say, server};

/// One package manager: what refreshes its lists, and what installs one of the packages.
struct Manager {
    program: &'static str,
    refresh: Option<&'static [&'static str]>,
    install: &'static [&'static str],
    /// Names to try in turn: distributions have replaced one by the other.
    redis: &'static [&'static str],
    browser: &'static [&'static str],
    needs_root: bool,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: Some(&["update"]),
        install: &["install", "--yes", "--no-install-recommends"],
        redis: &["redis-server", "valkey-server"],
        browser: &["chromium", "chromium-browser"],
        needs_root: true,
    },
    Manager {
        program: "dnf",
        refresh: None,
        install: &["install", "--assumeyes"],
        redis: &["valkey", "redis"],
        browser: &["chromium"],
        needs_root: true,
    },
    Manager {
        program: "apk",
        refresh: None,
        install: &["add", "--no-cache"],
        redis: &["redis", "valkey"],
        browser: &["chromium"],
        needs_root: true,
    },
    Manager {
        program: "pacman",
        refresh: None,
        install: &["-Sy", "--noconfirm", "--needed"],
        redis: &["valkey", "redis"],
        browser: &["chromium"],
        needs_root: true,
    },
    Manager {
        program: "brew",
        refresh: None,
        install: &["install"],
        redis: &["redis", "valkey"],
        browser: &["google-chrome"],
        needs_root: false,
    },
];

/// Installs Redis (or Valkey). The error names what a person can install instead.
pub(crate) fn redis() -> anyhow::Result<()> {
    let by_hand = format!(
        "install Redis 7.0 or Valkey 7.2 or later by hand, so that `redis-server` or `valkey-server` is on PATH, or set \
         {} to it",
        server::VARIABLE
    );
    let missing = "no redis-server and no valkey-server on PATH";
    install(missing, |manager| manager.redis, &by_hand)
}

/// Installs a browser of the Chromium kind. The error names what a person can install instead.
pub(crate) fn browser() -> anyhow::Result<()> {
    let by_hand = format!(
        "install Chromium or Chrome by hand, or set {} to one",
        browser::VARIABLE
    );
    install("no Chromium on PATH", |manager| manager.browser, &by_hand)
}

fn install(
    missing: &str,
    packages: fn(&Manager) -> &'static [&'static str],
    by_hand: &str,
) -> anyhow::Result<()> {
    let manager = MANAGERS
        .iter()
        .find(|manager| find_program(manager.program).is_some());
    let Some(manager) = manager else {
        bail!(
            "{missing}, and no package manager that is known (apt-get, dnf, apk, pacman, brew): {by_hand}"
        );
    };
    say::step(&format!("{missing}: installing with {}", manager.program));
    if let Some(refresh) = manager.refresh {
        // Old lists may still do, so a failure here is not the end.
        if let Err(error) = say_and_run(&mut manager.command(refresh)?) {
            say::error(&format!(
                "{error:#}; going on with the package lists as they are"
            ));
        }
    }
    for package in packages(manager) {
        let mut command = manager.command(manager.install)?;
        match say_and_run(command.arg(package)) {
            Ok(()) => return Ok(()),
            Err(error) => say::error(&format!("{error:#}")),
        }
    }
    Err(anyhow!(
        "{} could not install any of: {}; {by_hand}",
        manager.program,
        packages(manager).join(", "),
    ))
}

impl Manager {
    /// The manager with these arguments, as root where it must be.
    fn command(&self, args: &[&str]) -> anyhow::Result<Command> {
        let mut command = if !self.needs_root || nix::unistd::Uid::effective().is_root() {
            Command::new(self.program)
        } else if find_program("sudo").is_some() {
            let mut command = Command::new("sudo");
            if !std::io::stdin().is_terminal() {
                // Nobody could type a password: fail rather than hang.
                command.arg("--non-interactive");
            }
            command.args(["env", "DEBIAN_FRONTEND=noninteractive", self.program]);
            command
        } else {
            bail!(
                "installing with {} needs root, and there is no sudo: run it as root",
                self.program
            );
        };
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        if !std::io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        Ok(command)
    }
}

fn say_and_run(command: &mut Command) -> anyhow::Result<()> {
    say::line(format!("  {}", shown(command)));
    run(command)
}
