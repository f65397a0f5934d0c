//! What this process counts.
//!
//! One value holds every metric and is passed to who counts; there is no global. Labels come from small fixed
//! sets, so that no client can make the list grow.

use std::fmt::Write as _;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use protocol::ErrorCode;

use crate::{Close, batch::Sent};

/// Every metric of the gateway.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) connections_accepted: Counter,
    connections_refused: Family<ReasonLabel, Counter>,
    closes: Family<CloseLabels, Counter>,
    pub(crate) slow_closes: Counter,
    pub(crate) frames_received: Counter,
    frames_sent: Counter,
    sent_bytes: Counter,
    pub(crate) dropped_frames: Counter,
    pub(crate) submitted: Counter,
    pub(crate) accepted: Counter,
    refused: Family<CodeLabel, Counter>,
    pub(crate) relay_events: Counter,
    pub(crate) relay_delivered: Counter,
    pub(crate) relay_gaps: Counter,
    pub(crate) published: Counter,
    pub(crate) channels: Gauge,
    pub(crate) subscriptions: Gauge,
    pub(crate) insufficient_state: Counter,
    pub(crate) nodes_heard: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloseLabels {
    code: CloseCode,
    cause: &'static str,
}

/// A close code of the RFC or of the Centrifugo protocol; all others are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CloseCode(Option<u16>);

impl EncodeLabelValue for CloseCode {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        match self.0 {
            Some(code) => write!(encoder, "{code}"),
            None => encoder.write_str("other"),
        }
    }
}

impl Metrics {
    /// Makes them visible in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let ws = registry.sub_registry_with_prefix("ws");
        ws.register(
            "connections",
            "Open WebSocket connections",
            self.connections.clone(),
        );
        let accepted = self.connections_accepted.clone();
        ws.register(
            "connections_accepted",
            "WebSocket connections opened",
            accepted,
        );
        let refused = self.connections_refused.clone();
        ws.register(
            "connections_refused",
            "WebSocket connections refused, by reason",
            refused,
        );
        ws.register(
            "closes",
            "WebSocket connections ended, by code and cause",
            self.closes.clone(),
        );
        let slow = self.slow_closes.clone();
        ws.register(
            "slow_closes",
            "Connections closed because their outbox was full",
            slow,
        );
        ws.register(
            "frames_received",
            "Frames from clients",
            self.frames_received.clone(),
        );
        ws.register(
            "frames_sent",
            "Frames written to clients",
            self.frames_sent.clone(),
        );
        let sent = self.sent_bytes.clone();
        ws.register_with_unit("sent", "Bytes written to clients", Unit::Bytes, sent);
        let dropped = self.dropped_frames.clone();
        ws.register(
            "outbox_dropped_frames",
            "Frames dropped with full outboxes",
            dropped,
        );

        let messages = registry.sub_registry_with_prefix("messages");
        messages.register(
            "submitted",
            "Messages handed in as jobs",
            self.submitted.clone(),
        );
        messages.register("accepted", "Messages stored as jobs", self.accepted.clone());
        messages.register(
            "refused",
            "Messages that were not taken, by code",
            self.refused.clone(),
        );

        self.register_relay(registry);
    }

    /// What becomes of events.
    fn register_relay(&self, registry: &mut Registry) {
        let relay = registry.sub_registry_with_prefix("relay");
        relay.register(
            "events",
            "Events from the channel",
            self.relay_events.clone(),
        );
        relay.register(
            "delivered",
            "Events put in the outboxes of clients, once for each",
            self.relay_delivered.clone(),
        );
        relay.register(
            "gaps",
            "Times that events of the channel were lost",
            self.relay_gaps.clone(),
        );
        relay.register(
            "channels",
            "Channels that somebody here is subscribed to",
            self.channels.clone(),
        );
        relay.register(
            "subscriptions",
            "Subscriptions of clients here",
            self.subscriptions.clone(),
        );
        registry.sub_registry_with_prefix("rooms").register(
            "published",
            "Publications of clients and backends in rooms",
            self.published.clone(),
        );
        registry.sub_registry_with_prefix("nodes").register(
            "heard",
            "Orders of backends that this server heard",
            self.nodes_heard.clone(),
        );
        let relay = registry.sub_registry_with_prefix("relay");
        relay.register(
            "insufficient_state",
            "Subscriptions ended because their position was lost",
            self.insufficient_state.clone(),
        );
    }

    /// A connection was refused before it began.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connections_refused
            .get_or_create(&ReasonLabel { reason })
            .inc();
    }

    /// A connection ended.
    pub fn closed(&self, close: Close) {
        let code = close.code();
        let code =
            CloseCode(matches!(code, 1000..=1015 | 3000..=3014 | 3500..=3509).then_some(code));
        self.closes
            .get_or_create(&CloseLabels {
                code,
                cause: close.cause(),
            })
            .inc();
    }

    /// A message was not taken.
    pub fn message_refused(&self, code: ErrorCode) {
        self.refused
            .get_or_create(&CodeLabel {
                code: code.as_str(),
            })
            .inc();
    }

    /// Frames were written.
    pub fn sent(&self, sent: Sent) {
        self.frames_sent.inc_by(sent.frames as u64);
        self.sent_bytes.inc_by(sent.bytes as u64);
    }

    /// An outbox was full, and this many frames were dropped with it.
    pub fn overflowed(&self, frames: usize) {
        self.slow_closes.inc();
        self.dropped_frames.inc_by(frames as u64);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::Metrics;
    use crate::{Close, batch::Sent};

    #[test]
    fn names_have_prefix_and_unit_and_labels_are_bounded() {
        let metrics = Metrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        metrics.sent(Sent {
            frames: 2,
            bytes: 10,
        });
        metrics.closed(Close::Slow);
        metrics.closed(Close::Peer(Some(4000)));
        metrics.closed(Close::Peer(Some(4001)));
        metrics.connection_refused("full");
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "ws_connections 0",
            "ws_frames_sent_total 2",
            "ws_sent_bytes_total 10",
            "ws_closes_total{code=\"1013\",cause=\"slow\"} 1",
            "ws_closes_total{code=\"other\",cause=\"peer\"} 2",
            "ws_connections_refused_total{reason=\"full\"} 1",
            "messages_submitted_total 0",
            "relay_gaps_total 0",
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "{line} is missing in\n{text}"
            );
        }
    }
}
