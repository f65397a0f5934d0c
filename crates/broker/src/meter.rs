//! What a process measures of its talk with Redis: how long answers take, and how often a connection was lost.
//!
//! Counted once a round trip, never once a job. Commands that block until there is something are not round trips.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

/// From what a script takes on a Redis nearby to the usual timeout.
const SECONDS: [f64; 15] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0,
];

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    round_trips: Histogram,
    unanswered: Counter,
    reconnects: Counter,
    refused: Counter,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            round_trips: Histogram::new(SECONDS),
            unanswered: Counter::default(),
            reconnects: Counter::default(),
            refused: Counter::default(),
        }
    }
}

impl Meter {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Self {
            round_trips,
            unanswered,
            reconnects,
            refused,
        } = self.clone();
        let registry = registry.sub_registry_with_prefix("redis");
        registry.register(
            "round_trip_duration_seconds",
            "How long Redis took to answer; commands that block aside",
            round_trips,
        );
        registry.register(
            "round_trips_failed",
            "Round trips after which the connection was given up: no answer in time, or none at all",
            unanswered,
        );
        registry.register(
            "reconnects",
            "Connections made after one was lost or could not be made",
            reconnects,
        );
        registry.register(
            "connects_failed",
            "Attempts to connect that did not succeed",
            refused,
        );
    }

    /// A round trip took so long; whether it was answered.
    pub(crate) fn round_trip(&self, took: Duration, answered: bool) {
        self.round_trips.observe(took.as_secs_f64());
        if !answered {
            self.unanswered.inc();
        }
    }

    /// An attempt to connect ended; whether it was one in place of another connection.
    pub(crate) fn connected(&self, success: bool, again: bool) {
        if !success {
            self.refused.inc();
        } else if again {
            self.reconnects.inc();
        }
    }
}
