//! A look at how Redis is set up, before its promises are passed on: what an operator should know, and what can't be
//! promised at all.

use std::{collections::HashMap, fmt};

use protocol::Durability;
use tracing::{debug, info, warn};

use crate::{Backoff, DurabilityArgs, Error, Redis, durable::How};

/// Something about Redis that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Nothing is written to disk as it happens.
    NoAppendOnlyFile,
    /// Redis may drop keys when its memory is full.
    Eviction(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAppendOnlyFile => f.write_str(
                "Redis has `appendonly no`: accepted jobs are lost when it restarts; set `appendonly yes`",
            ),
            Self::Eviction(policy) => write!(
                f,
                "Redis has `maxmemory-policy {policy}`: it may drop jobs when its memory is full; set `noeviction`"
            ),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The version of Redis or Valkey, as it says itself.
    pub version: String,
    /// What should be known.
    pub warnings: Vec<Warning>,
}

impl Preflight {
    /// Looks. Fails with [`Error::Unsupported`] where the durability can't be had from this Redis.
    pub async fn check(
        redis: &Redis,
        durability: Durability,
        replicas: u32,
    ) -> Result<Self, Error> {
        let answers: Vec<(String, String)> = redis.ask_all(&redis::cmd("INFO")).await?;
        let mut found = Self {
            version: String::new(),
            warnings: Vec::new(),
        };
        for (_, info) in &answers {
            let info = fields(info);
            if info.get("cluster_enabled") == Some(&"1") && !redis.is_cluster() {
                return Err(Error::Unsupported(format!(
                    "{} is a node of a Cluster: its URL must begin with `redis-cluster://`",
                    redis.address()
                )));
            }
            version(&info).clone_into(&mut found.version);
            for warning in warnings(&info) {
                if !found.warnings.contains(&warning) {
                    found.warnings.push(warning);
                }
            }
        }
        if durability != Durability::Written {
            how(redis, durability, replicas).await?;
        }
        Ok(found)
    }
}

/// The version of Redis, or of Valkey, which says both.
pub(crate) fn version<'a>(info: &HashMap<&str, &'a str>) -> &'a str {
    ["valkey_version", "redis_version"]
        .iter()
        .find_map(|name| info.get(name).copied())
        .unwrap_or("unknown")
}

impl Preflight {
    /// Waits for Redis, looks, and logs what was found. Fails where the durability can't be had.
    pub async fn report(redis: &Redis, args: DurabilityArgs) -> Result<(), Error> {
        let mut backoff = Backoff::default();
        loop {
            match Self::check(redis, args.durability, args.replicas).await {
                Ok(Self { version, warnings }) => {
                    info!(version, durability = %args.durability, "Redis answers");
                    for warning in warnings {
                        warn!("{warning}");
                    }
                    return Ok(());
                }
                Err(error) if error.is_temporary() => tokio::time::sleep(backoff.pause()).await,
                // A Redis that does not let itself be asked is used all the same.
                Err(error @ Error::Command(_)) if args.durability == Durability::Written => {
                    debug!(%error, "Redis does not say how it is set up");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

pub(crate) fn warnings(info: &HashMap<&str, &str>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    // What a managed Redis does not tell can't be warned of.
    if info.get("aof_enabled") == Some(&"0") {
        warnings.push(Warning::NoAppendOnlyFile);
    }
    match info.get("maxmemory_policy") {
        Some(&"noeviction") | None => {}
        Some(policy) => warnings.push(Warning::Eviction((*policy).to_owned())),
    }
    warnings
}

/// How a durability beyond `written` is reached on this Redis.
pub(crate) async fn how(
    redis: &Redis,
    durability: Durability,
    replicas: u32,
) -> Result<How, Error> {
    if durability == Durability::Replicated {
        return Ok(How::Wait(replicas));
    }
    let answers: Vec<(String, String)> =
        redis.ask_all(redis::cmd("INFO").arg("persistence")).await?;
    let off = |info: &str| fields(info).get("aof_enabled") == Some(&"0");
    if answers.iter().any(|(_, info)| off(info)) {
        return Err(Error::Unsupported(
            "durability `fsynced` needs `appendonly yes` in Redis".to_owned(),
        ));
    }
    let known: Vec<Option<redis::Value>> = redis
        .ask(redis::cmd("COMMAND").arg("INFO").arg("WAITAOF"))
        .await?;
    if known.iter().any(Option::is_some) {
        return Ok(How::WaitAof);
    }
    // Not every Redis lets itself be asked.
    let policy: HashMap<String, String> = redis
        .ask(redis::cmd("CONFIG").arg("GET").arg("appendfsync"))
        .await
        .unwrap_or_default();
    if policy.get("appendfsync").map(String::as_str) == Some("always") {
        return Ok(How::Always);
    }
    Err(Error::Unsupported(
        "durability `fsynced` needs `WAITAOF`, which Redis has since 7.2 and Valkey always, or `appendfsync always`"
            .to_owned(),
    ))
}

pub(crate) fn fields(info: &str) -> HashMap<&str, &str> {
    info.lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Warning, fields, warnings};

    #[test]
    fn what_is_wrong_is_said() {
        let info = "# Persistence\r\naof_enabled:0\r\n# Memory\r\nmaxmemory_policy:allkeys-lru\r\n";
        let found = warnings(&fields(info));
        assert_eq!(
            found,
            [
                Warning::NoAppendOnlyFile,
                Warning::Eviction("allkeys-lru".to_owned())
            ]
        );
        assert!(
            found
                .iter()
                .all(|warning| warning.to_string().contains("set `"))
        );
        assert_eq!(
            warnings(&fields("aof_enabled:1\r\nmaxmemory_policy:noeviction\r\n")),
            []
        );
    }
}
