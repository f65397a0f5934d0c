//! Installs what is missing with the system's package manager: Redis, for tests a browser, Node and Python, and for counts
//! of instructions valgrind.
//!
//! Says what it will run before it runs it, never asks a question, and never fetches a binary by itself.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

use anyhow::{anyhow, bail};

use crate::browser;
use crate::say;
use crate::server::VARIABLE;
use crate::workspace::{find_program, run, shown};

/// One package manager: what refreshes its lists, and what installs one of the packages.
struct Manager {
    program: &'static str,
    refresh: Option<&'static [&'static str]>,
    install: &'static [&'static str],
    /// Names to try in turn: distributions have replaced one by the other.
    redis: &'static [&'static str],
    node: &'static [&'static str],
    python: &'static [&'static str],
    browser: &'static [&'static str],
    valgrind: &'static [&'static str],
    needs_root: bool,
}

/// What can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Or Valkey.
    Redis,
    /// With npm.
    Node,
    /// With its module venv.
    Python,
    /// One of the Chromium kind.
    Browser,
    /// Counts instructions.
    Valgrind,
}

impl Tool {
    /// What there is not, where it is missing.
    const fn missing(self) -> &'static str {
        match self {
            Self::Redis => "no redis-server and no valkey-server on PATH",
            Self::Node => "no npm on PATH",
            Self::Python => "no python3 with its module venv on PATH",
            Self::Browser => "no Chromium on PATH",
            Self::Valgrind => "no valgrind on PATH",
        }
    }

    /// What a person can do instead.
    fn by_hand(self) -> String {
        match self {
            Self::Redis => format!(
                "Install Redis 7.0 or Valkey 7.2 or later by hand, so that `redis-server` or `valkey-server` is on \
                 PATH, or set {VARIABLE} to it"
            ),
            Self::Node => "Install Node with npm by hand, so that both are on PATH".to_owned(),
            Self::Python => {
                "Install Python 3.10 or later by hand, with its module venv, so that `python3` is on PATH".to_owned()
            }
            Self::Browser => format!("Install Chromium or Chrome by hand, or set {} to one", browser::VARIABLE),
            Self::Valgrind => "Install valgrind by hand, so that it is on PATH".to_owned(),
        }
    }

    /// Whether nothing has to be installed. Redis is looked for elsewhere, where more than one will do.
    pub(crate) fn is_here(self) -> bool {
        let mut command = match self {
            Self::Redis => return find_program("redis-server").is_some(),
            Self::Node => return find_program("npm").is_some() && find_program("node").is_some(),
            Self::Python => Command::new("python3"),
            Self::Browser => return browser::find().is_some(),
            Self::Valgrind => return find_program("valgrind").is_some(),
        };
        // Some distributions leave out half of the module.
        command
            .args(["-c", "import ensurepip, venv"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: Some(&["update"]),
        install: &["install", "--yes", "--no-install-recommends"],
        redis: &["redis-server", "valkey-server"],
        node: &["npm"],
        python: &["python3-venv"],
        browser: &["chromium", "chromium-browser"],
        valgrind: &["valgrind"],
        needs_root: true,
    },
    Manager {
        program: "dnf",
        refresh: None,
        install: &["install", "--assumeyes"],
        redis: &["valkey", "redis"],
        node: &["nodejs-npm", "npm"],
        python: &["python3"],
        browser: &["chromium"],
        valgrind: &["valgrind"],
        needs_root: true,
    },
    Manager {
        program: "apk",
        refresh: None,
        install: &["add", "--no-cache"],
        redis: &["redis", "valkey"],
        node: &["npm"],
        python: &["python3"],
        browser: &["chromium"],
        valgrind: &["valgrind"],
        needs_root: true,
    },
    Manager {
        program: "pacman",
        refresh: None,
        install: &["-Sy", "--noconfirm", "--needed"],
        redis: &["valkey", "redis"],
        node: &["npm"],
        python: &["python"],
        browser: &["chromium"],
        valgrind: &["valgrind"],
        needs_root: true,
    },
    Manager {
        program: "brew",
        refresh: None,
        install: &["install"],
        redis: &["redis", "valkey"],
        node: &["node"],
        python: &["python3"],
        browser: &["google-chrome"],
        valgrind: &["valgrind"],
        needs_root: false,
    },
];

/// Installs a tool. The error names what a person can install instead.
pub(crate) fn install(tool: Tool) -> anyhow::Result<()> {
    let manager = MANAGERS
        .iter()
        .find(|manager| find_program(manager.program).is_some());
    let Some(manager) = manager else {
        bail!(
            "{}, and no package manager that is known (apt-get, dnf, apk, pacman, brew). {}",
            tool.missing(),
            tool.by_hand()
        );
    };
    say::step(&format!(
        "{}: installing with {}",
        tool.missing(),
        manager.program
    ));
    if let Some(refresh) = manager.refresh {
        // Old lists may still do, so a failure here is not the end.
        if let Err(error) = say_and_run(&mut manager.command(refresh)?) {
            say::error(&format!(
                "{error:#}; going on with the package lists as they are"
            ));
        }
    }
    let packages = manager.packages(tool);
    for package in packages {
        let mut command = manager.command(manager.install)?;
        match say_and_run(command.arg(package)) {
            Ok(()) => return Ok(()),
            Err(error) => say::error(&format!("{error:#}")),
        }
    }
    Err(anyhow!(
        "{} could not install any of: {}. {}",
        manager.program,
        packages.join(", "),
        tool.by_hand()
    ))
}

/// Has a package manager read its lists anew.
pub(crate) fn refresh(program: &str) -> anyhow::Result<()> {
    let mut managers = MANAGERS.iter();
    let manager = managers.find(|manager| manager.program == program);
    match manager.and_then(|manager| Some((manager, manager.refresh?))) {
        Some((manager, refresh)) => say_and_run(&mut manager.command(refresh)?),
        None => Ok(()),
    }
}

impl Manager {
    const fn packages(&self, tool: Tool) -> &'static [&'static str] {
        match tool {
            Tool::Redis => self.redis,
            Tool::Node => self.node,
            Tool::Python => self.python,
            Tool::Browser => self.browser,
            Tool::Valgrind => self.valgrind,
        }
    }

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
                "installing with {} needs root, and there is no sudo: run it as root, or install what is missing by hand",
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
