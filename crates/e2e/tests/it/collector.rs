//! A collector of traces that keeps all it gets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::ResourceSpans,
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// A span as it came, with its ids as text.
#[derive(Clone, Debug)]
pub struct Collected {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    /// As OTLP numbers kinds: 1 internal, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// In nanoseconds since the Unix epoch.
    pub from: u64,
    pub to: u64,
    /// 2 is an error.
    pub status: i32,
    pub why: String,
    pub attributes: HashMap<String, String>,
}

/// The collector. It lives as long as the test's runtime.
pub struct Collector {
    pub url: String,
    spans: Arc<Mutex<Vec<Collected>>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spans = Arc::<Mutex<Vec<Collected>>>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&spans));
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        Self { url, spans }
    }

    /// How many spans came.
    pub fn count(&self) -> usize {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.len()
    }

    /// All spans of this name, in the order in which they came.
    pub fn spans(&self, name: &str) -> Vec<Collected> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let named = spans.iter().filter(|span| span.name == name);
        named.cloned().collect()
    }

    /// The only span of this name.
    pub fn only(&self, name: &str) -> Collected {
        let mut spans = self.spans(name);
        assert_eq!(spans.len(), 1, "{name}: {spans:?}");
        spans.remove(0)
    }
}

async fn take(State(spans): State<Arc<Mutex<Vec<Collected>>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let new = request.resource_spans.into_iter().flat_map(read);
    spans
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(new);
}

fn read(group: ResourceSpans) -> Vec<Collected> {
    let resource = texts(group.resource.unwrap_or_default().attributes);
    let service = resource.get("service.name").cloned().unwrap_or_default();
    let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
    let read = spans.map(|span| {
        let status = span.status.unwrap_or_default();
        Collected {
            service: service.clone(),
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            kind: span.kind,
            from: span.start_time_unix_nano,
            to: span.end_time_unix_nano,
            status: status.code,
            why: status.message,
            attributes: texts(span.attributes),
        }
    });
    read.collect()
}

fn texts(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = attributes.into_iter();
    attributes
        .map(|attribute| (attribute.key, text(attribute.value)))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
