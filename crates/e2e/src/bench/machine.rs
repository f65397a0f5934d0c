//! Where, when and with what a run is made.

use std::process::Command;

use anyhow::Context as _;
use broker::testing::TestRedis;

/// Now, RFC 3339 in UTC.
pub(super) fn now() -> anyhow::Result<String> {
    said(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])).context("`date` does not answer")
}

/// The processor, how many cores, and the memory.
pub(super) fn describe() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = field(&cpu, "model name").unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kib = field(&memory, "MemTotal")
        .and_then(|value| value.strip_suffix(" kB"))
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0.0);
    let gib: f64 = kib / (1024.0 * 1024.0);
    format!("{model}, {cores} cores, {gib:.0} GiB")
}

/// This project's commit, Redis, the kernel.
pub(super) async fn versions() -> Vec<(String, String)> {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        said(command.args(["-C", env!("CARGO_MANIFEST_DIR")]).args(args))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let commit = if changed {
        format!("{commit}, changed")
    } else {
        commit
    };
    let redis = TestRedis::start().await;
    let info: String = redis.command(&["INFO", "server"]).await;
    // Valkey names both.
    let server = ["valkey_version", "redis_version"]
        .into_iter()
        .find_map(|name| Some((name, field(&info, name)?)));
    let mut versions = vec![("this project".to_owned(), commit)];
    if let Some((name, version)) = server {
        let name = if name.starts_with("valkey") {
            "Valkey"
        } else {
            "Redis"
        };
        versions.push((name.to_owned(), version.to_owned()));
    }
    if let Ok(kernel) = std::fs::read_to_string("/proc/sys/kernel/osrelease") {
        versions.push(("Linux".to_owned(), kernel.trim().to_owned()));
    }
    versions
}

/// The value behind a name and a colon.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim())
    })
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{field, now};

    #[test]
    fn fields_are_found() {
        let text = "processor\t: 0\nmodel name\t: A: B\n";
        assert_eq!(field(text, "model name"), Some("A: B"));
        assert_eq!(field(text, "model"), None);
    }

    #[test]
    fn the_time_is_in_utc() {
        let now = now().unwrap();
        assert!(now.len() == 20 && now.ends_with('Z'), "{now}");
    }
}
