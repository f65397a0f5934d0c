//! Sockudo's settings: one app, the Redis adapter, everything else in memory or off.

use std::process::Command;

use super::relay::APP;

/// Has it listen on a port of 127.0.0.1.
pub(super) fn configure(command: &mut Command, redis_url: &str, port: u16) {
    let settings = [
        ("HOST", "127.0.0.1"),
        ("ENVIRONMENT", "production"),
        // It would say each message.
        ("DEBUG_MODE", "false"),
        ("RUST_LOG", "warn"),
        ("ADAPTER_DRIVER", "redis"),
        // It would look like the real thing.
        ("ADAPTER_FALLBACK_TO_LOCAL", "false"),
        ("REDIS_URL", redis_url),
        ("CACHE_DRIVER", "memory"),
        ("QUEUE_DRIVER", "memory"),
        ("APP_MANAGER_DRIVER", "memory"),
        ("RATE_LIMITER_ENABLED", "false"),
        ("METRICS_ENABLED", "false"),
        ("HISTORY_ENABLED", "false"),
        // Would need its cache to be on Redis too.
        ("IDEMPOTENCY_ENABLED", "false"),
        ("CONNECTION_RECOVERY_ENABLED", "false"),
        ("WEBSOCKET_COMPRESSION", "disabled"),
        ("SOCKUDO_DEFAULT_APP_ENABLED", "true"),
        ("SOCKUDO_DEFAULT_APP_ID", APP),
        ("SOCKUDO_DEFAULT_APP_KEY", "bench-key"),
        ("SOCKUDO_DEFAULT_APP_SECRET", "bench-secret"),
        ("SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", "1000000"),
        (
            "SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND",
            "1000000",
        ),
        (
            "SOCKUDO_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SECOND",
            "1000000",
        ),
    ];
    command.envs(settings).env("PORT", port.to_string());
}
