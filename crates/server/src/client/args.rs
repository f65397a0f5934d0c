//! The settings of sessions.

use std::{path::PathBuf, time::Duration};

use clap::{Args, value_parser};
use protocol::QueueName;

use super::ClientLimits;
use crate::auth::Secret;

/// What sessions may do, and what is served to them.
#[derive(Args, Clone, Debug)]
pub struct ClientArgs {
    /// The queues whose jobs clients may hand in and follow, as a list with commas
    #[arg(
        long,
        env = "QUEUES",
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "chat"
    )]
    pub queues: Vec<QueueName>,
    /// A JSON file with the namespaces of rooms and their options; without one there are no rooms that anybody may use
    #[arg(long, env = "NAMESPACES_FILE", value_name = "FILE")]
    pub namespaces_file: Option<PathBuf>,
    /// The key with which backends call the server API under `/api`; without one it is off
    #[arg(long, env = "API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<Secret>,
    /// How many channels a session may be subscribed to
    #[arg(long, env = "MAX_SUBSCRIPTIONS", default_value_t = 128, value_parser = value_parser!(u32).range(1..=10_000))]
    pub max_subscriptions: u32,
    /// How many commands a session may send in a second; twice as many at once
    #[arg(long, env = "MAX_COMMANDS_PER_SECOND", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_commands_per_second: u32,
    /// How many jobs a session may hand in in a second; twice as many at once
    #[arg(long, env = "MAX_SUBMITS_PER_SECOND", default_value_t = 500, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_submits_per_second: u32,
    /// How many connections a user may have to this server
    #[arg(long, env = "MAX_CONNECTIONS_PER_USER", default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    pub max_connections_per_user: u32,
    /// How many connections may come from one address; 0 for any number, as behind a proxy
    #[arg(long, env = "MAX_CONNECTIONS_PER_IP", default_value_t = 0)]
    pub max_connections_per_ip: u32,
    /// How long a client may take to open its session, in milliseconds
    #[arg(long, env = "HELLO_TIMEOUT_MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    pub hello_timeout_ms: u64,
    /// How long a client may take to answer a ping of its session, in milliseconds
    #[arg(long, env = "PONG_TIMEOUT_MS", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    pub pong_timeout_ms: u64,
    /// How long after its token expired a client may renew it, in milliseconds
    #[arg(long, env = "EXPIRY_GRACE_MS", default_value_t = 25_000)]
    pub expiry_grace_ms: u64,
    /// How long a client may be away before its jobs are cancelled, where it asked for that, in milliseconds
    #[arg(long, env = "DISCONNECT_GRACE_MS", default_value_t = 30_000)]
    pub disconnect_grace_ms: u64,
}

impl ClientArgs {
    /// What a session may do; the rest comes from the settings of connections.
    pub(crate) fn limits(&self, in_flight: u32, ping: Duration) -> ClientLimits {
        ClientLimits {
            subscriptions: self.max_subscriptions as usize,
            commands_per_second: self.max_commands_per_second,
            submits_per_second: self.max_submits_per_second,
            in_flight,
            connections_per_user: self.max_connections_per_user as usize,
            hello: Duration::from_millis(self.hello_timeout_ms),
            expiry_grace: Duration::from_millis(self.expiry_grace_ms),
            ping,
            disconnect_grace: Duration::from_millis(self.disconnect_grace_ms),
        }
    }
}
