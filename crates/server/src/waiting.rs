//! What waits in the outboxes of all connections, added up when somebody asks.
//!
//! Nobody who delivers counts for it.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::Hub;

/// The outboxes of everyone who is connected.
#[derive(Debug)]
pub(crate) struct Waiting(pub(crate) Arc<Hub>);

impl Collector for Waiting {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (mut frames, mut bytes, mut most) = (0, 0, 0);
        for outbox in self.0.outboxes() {
            let waiting = outbox.waiting();
            frames += waiting.0 as u64;
            bytes += waiting.1 as u64;
            most = most.max(waiting.1 as u64);
        }
        for (name, help, value) in [
            (
                "ws_outbox_frames",
                "Frames that wait to be written to clients.",
                frames,
            ),
            (
                "ws_outbox_bytes",
                "Bytes that wait to be written to clients.",
                bytes,
            ),
            (
                "ws_outbox_largest_bytes",
                "Bytes that wait for the client for which most do.",
                most,
            ),
        ] {
            let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(family)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;
    use crate::{Frame, Limits};

    #[test]
    fn what_waits_is_added_up() {
        let hub = Arc::new(Hub::new(Limits {
            frames: 10,
            bytes: 1000,
        }));
        let (one, two) = (hub.join(), hub.join());
        one.outbox().push(Frame::text("12345"));
        two.outbox().push(Frame::text("1"));
        two.outbox().push(Frame::text("1"));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Waiting(hub)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let bytes = [5, 1, 1].map(|bytes| 2 + bytes);
        for line in [
            "ws_outbox_frames 3".to_owned(),
            format!("ws_outbox_bytes {}", bytes.iter().sum::<usize>()),
            format!("ws_outbox_largest_bytes {}", bytes[0]),
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }
}
