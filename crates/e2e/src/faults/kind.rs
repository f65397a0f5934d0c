//! What can be done to the system.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// SIGKILL of a worker, which is started again.
    WorkerKill,
    /// SIGTERM of a worker, which must end well, and is started again.
    WorkerTerm,
    /// SIGSTOP of a worker for longer than its lease, then SIGCONT.
    WorkerStop,
    /// SIGKILL of a server, which is started again.
    ServerKill,
    /// SIGTERM of a server, which must end well, and is started again.
    ServerTerm,
    /// SIGKILL of a queue manager, which is started again.
    ManagerKill,
    /// SIGKILL of Redis, which is started again with its data.
    RedisKill,
    /// SIGSTOP of Redis for some seconds.
    RedisStall,
    /// `SCRIPT FLUSH`.
    ScriptFlush,
    /// Every connection to Redis is cut.
    Cut,
    /// What a worker or a server and Redis say to each other is swallowed for a while, then cut.
    Swallow,
    /// Every client of a server is cut off.
    ClientCut,
}

/// Kind, name, group, and what it does.
type Row = (FaultKind, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const TABLE: [Row; 12] = [
    (FaultKind::WorkerKill, "worker-kill", "workers", "SIGKILL of a worker; started again after 0 to 1.5 s"),
    (FaultKind::WorkerTerm, "worker-term", "workers", "SIGTERM of a worker; must end with 0 in its grace; started again"),
    (FaultKind::WorkerStop, "worker-stop", "workers", "SIGSTOP of a worker for 11.5 to 14 s, longer than its lease; then SIGCONT"),
    (FaultKind::ServerKill, "server-kill", "servers", "SIGKILL of a server; started again after 0 to 1.5 s"),
    (FaultKind::ServerTerm, "server-term", "servers", "SIGTERM of a server; must end with 0 in its grace; started again"),
    (FaultKind::ManagerKill, "manager-kill", "managers", "SIGKILL of a queue manager; started again after 0 to 1.5 s"),
    (FaultKind::RedisKill, "redis-kill", "redis", "SIGKILL of Redis; started again with its data after 0.2 to 3 s"),
    (FaultKind::RedisStall, "redis-stall", "redis", "SIGSTOP of Redis for 1 to 7 s; its clients give up after 5"),
    (FaultKind::ScriptFlush, "script-flush", "redis", "SCRIPT FLUSH"),
    (FaultKind::Cut, "cut", "network", "every connection between the processes and Redis is reset"),
    (FaultKind::Swallow, "swallow", "network", "all bytes between Redis and one worker or server vanish for 1.5 to 13 s"),
    (FaultKind::ClientCut, "client-cut", "network", "every client connection of a server is reset"),
];

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 12] = {
        let mut all = [Self::WorkerKill; 12];
        let mut index = 0;
        while index < TABLE.len() {
            all[index] = TABLE[index].0;
            index += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("every kind is in the table")
    }

    /// What it does, for people.
    pub fn about(self) -> &'static str {
        self.row().3
    }

    /// What it strikes, as `--only` names it.
    pub fn group(self) -> &'static str {
        self.row().2
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().1)
    }
}

/// Kinds that were chosen by their name or by that of their group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(pub Vec<FaultKind>);

/// A text that names neither a kind nor a group.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such kind or group of faults: see --list")
    }
}

impl std::error::Error for UnknownKind {}

impl FromStr for Selection {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let rows = TABLE.iter().filter(|row| text == row.1 || text == row.2);
        let kinds: Vec<_> = rows.map(|row| row.0).collect();
        if kinds.is_empty() {
            Err(UnknownKind)
        } else {
            Ok(Self(kinds))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FaultKind, Selection, UnknownKind};

    #[test]
    fn every_kind_has_a_name_that_selects_it() {
        for kind in FaultKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(Selection(vec![kind])));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn groups_select_several() {
        let Selection(redis) = "redis".parse().unwrap();
        assert_eq!(redis.len(), 3);
        assert_eq!("volcano".parse::<Selection>(), Err(UnknownKind));
    }
}
