//! `cargo dev`: the whole system on this machine, in one terminal.
//!
//! Builds the binaries, starts a private Redis and every process, shows their logs, and stops them in order.
//! Restarts nothing. Never touches a Redis that it has not started.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::child::{self, Child, Role};
use crate::plan::{self, Process};
use crate::ports::Ports;
use crate::server::{self, Wanted};
use crate::stack::{Stack, Waited};
use crate::{probe, redis, say, workspace};

/// What a process may spend on work under way once it is asked to stop, unless the environment says otherwise.
const GRACE_MS: &str = "5000";
/// Over how long a server spreads the closes of its connections, unless the environment says otherwise.
const DRAIN_WINDOW_MS: &str = "1000";
/// A little more than the grace and the last wait of a process.
const PATIENCE: Duration = Duration::from_secs(15);
/// A Redis with a large log reads it first.
const REDIS_TIMEOUT: Duration = Duration::from_secs(60);
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts everything: Redis, queue, workers and servers, with their logs in this terminal.
#[derive(clap::Args)]
pub(crate) struct DevArgs {
    /// How many servers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    servers: u16,
    /// How many workers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// Port of the first server; the others follow in steps of ten, and the queue manager has the next one.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Build with optimizations.
    #[arg(long)]
    release: bool,
    /// Use this Redis instead of starting one.
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Start everything, wait until it is ready, and stop it again: whether it works here.
    #[arg(long)]
    check: bool,
    /// More flags for each server.
    #[arg(last = true, value_name = "SERVER_FLAGS")]
    extra: Vec<String>,
}

/// A Redis of our own: the program, its data, and the right to use them.
struct OwnRedis {
    server: PathBuf,
    folder: PathBuf,
    /// Held until the end, so that no second Redis opens the same files.
    _lock: File,
}

/// Runs until a signal, or until a process ends by itself.
pub(crate) fn run(args: &DevArgs) -> anyhow::Result<ExitCode> {
    let redis = match args.redis_url {
        Some(_) => None,
        None => Some(OwnRedis::find()?),
    };
    let binaries = build(args.release)?;
    let mut stack = Stack::new(PATIENCE)?;
    let result = start_and_watch(args, redis.as_ref(), &binaries, &mut stack);
    match &result {
        Ok(()) => say::step("stopping"),
        Err(error) => say::error(&format!("{error:#}; stopping everything")),
    }
    let in_time = stack.stop();
    // Once more, below the last words of the processes.
    result?;
    if !in_time {
        bail!("some processes had to be killed");
    }
    say::step("stopped");
    Ok(ExitCode::SUCCESS)
}

impl OwnRedis {
    fn find() -> anyhow::Result<Self> {
        let server = server::get(Wanted::Redis)?.path;
        let folder = workspace::target_dir()?.join("dev").join("redis");
        let lock = lock(&folder)?;
        Ok(Self {
            server,
            folder,
            _lock: lock,
        })
    }
}

/// Builds the three binaries and gives the folder they are in.
fn build(release: bool) -> anyhow::Result<PathBuf> {
    let mut cargo = workspace::cargo(&["build", "-p", "server", "-p", "queue", "-p", "worker"]);
    if release {
        cargo.arg("--release");
    }
    workspace::run(&mut cargo)?;
    Ok(workspace::target_dir()?.join(if release { "release" } else { "debug" }))
}

fn start_and_watch(
    args: &DevArgs,
    redis: Option<&OwnRedis>,
    binaries: &Path,
    stack: &mut Stack,
) -> anyhow::Result<()> {
    let mut ports = Ports::default();
    let processes = plan::processes(
        &mut ports,
        args.port,
        args.servers,
        args.workers,
        &args.extra,
    )?;
    let redis_port = ports.any()?.port();
    drop(ports);

    let starter = Starter::new(&processes);
    let own_url = format!("redis://127.0.0.1:{redis_port}/");
    if let Some(redis) = redis {
        stack.add(starter.redis(redis, redis_port)?);
        let waited = stack.wait_until("Redis", REDIS_TIMEOUT, || redis::answers(redis_port))?;
        if waited == Waited::Asked {
            return Ok(());
        }
    }
    let redis_url = args.redis_url.as_deref().unwrap_or(&own_url);
    for (index, process) in processes.iter().enumerate() {
        stack.add(starter.start(index, process, binaries, redis_url)?);
    }
    for process in &processes {
        let what = format!("{} to be ready", process.name);
        let waited = stack.wait_until(&what, READY_TIMEOUT, || probe::is_ready(process.address))?;
        if waited == Waited::Asked {
            return Ok(());
        }
    }
    // A URL that was given may hold a password.
    let shown_url = redis.map(|_| own_url.as_str());
    say::line(plan::summary(&processes, shown_url));
    if args.check {
        return Ok(());
    }
    stack.watch()
}

/// Makes the data folder ours alone; the lock ends with this process, however it ends.
fn lock(folder: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not make {}", folder.display()))?;
    let path = folder.with_extension("lock");
    let file = File::create(&path).with_context(|| format!("could not open {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!(
            "another `cargo dev` runs from this checkout; stop it, or share its Redis with --redis-url"
        );
    }
    Ok(file)
}

/// What all started processes have in common.
struct Starter {
    width: usize,
    tied: bool,
}

impl Starter {
    fn new(processes: &[Process]) -> Self {
        let tied = child::can_tie();
        if !tied && cfg!(target_os = "linux") {
            say::line(
                "setpriv of util-linux is missing: if this command is killed with SIGKILL, its processes go on",
            );
        }
        let width = processes
            .iter()
            .map(|process| process.name.len())
            .max()
            .unwrap_or(0);
        Self { width, tied }
    }

    fn redis(&self, redis: &OwnRedis, port: u16) -> anyhow::Result<Child> {
        let mut command = child::command(&redis.server, self.tied);
        command.args(redis::arguments(port, &redis.folder));
        let label = child::label("redis", self.width, 0);
        Child::start("redis".to_owned(), Role::Redis, &label, command)
    }

    fn start(
        &self,
        index: usize,
        process: &Process,
        binaries: &Path,
        redis_url: &str,
    ) -> anyhow::Result<Child> {
        let mut command = child::command(&binaries.join(process.binary), self.tied);
        command.args(&process.arguments).env("REDIS_URL", redis_url);
        let mut default = |name, value| {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        };
        // Its output is a pipe, but ends on the terminal of a person.
        default("LOG_FORMAT", "pretty");
        default("SHUTDOWN_GRACE_MS", GRACE_MS);
        // A server refuses a drain that does not end within its grace; and nobody waits long for Ctrl-C.
        default("DRAIN_WINDOW_MS", DRAIN_WINDOW_MS);
        if say::has_colour() {
            default("CLICOLOR_FORCE", "1");
        }
        let label = child::label(&process.name, self.width, index + 1);
        Child::start(process.name.clone(), process.role, &label, command)
    }
}
