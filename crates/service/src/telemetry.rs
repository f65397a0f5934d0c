//! Logs of a process: lines for people on a terminal, JSON for machines. Where traces are exported, they start here too.
//!
//! Logs go to stderr, so that stdout stays free for what a command was asked to print. Never holds a setting
//! that changes while the process runs.

use std::fmt;
use std::io::IsTerminal;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::traces::{self, TraceId};

const DEFAULT_FILTER: &str = "info";

/// How this process logs.
#[derive(clap::Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// How log lines look; what is logged is set by `RUST_LOG` (default `info`).
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Where traces go: a collector that takes OTLP over HTTP, such as `http://localhost:4318`; nowhere by default
    // A value that is no URL may be a key: it is checked where it is never repeated.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otlp_endpoint: Option<String>,
}

/// The look of a log line.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `pretty` on a terminal, `json` otherwise.
    #[default]
    Auto,
    /// One readable line an event, in colour on a terminal.
    Pretty,
    /// One JSON object an event.
    Json,
}

/// Starts logging to stderr for the whole process, panics included, and exporting traces if that is asked for, which
/// needs a tokio runtime.
///
/// Fails when `RUST_LOG` is not a valid filter, the endpoint of traces can't be one, and when logging was started
/// before.
pub fn init(args: &TelemetryArgs, service_name: &'static str) -> anyhow::Result<()> {
    let filter = filter(std::env::var_os("RUST_LOG").as_deref())?;
    let terminal = std::io::stderr().is_terminal();
    let json = is_json(args.log_format, terminal).then_some(service_name);
    let registry = tracing_subscriber::registry();
    let started = match traces::start(args.otlp_endpoint.as_deref(), service_name)? {
        // One filter for all: what is not logged costs nothing.
        None => registry.with(filter).with(lines(json, terminal)).try_init(),
        Some(tracer) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(tracer)
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_filter(LevelFilter::INFO);
            registry
                .with(spans)
                .with(lines(json, terminal).with_filter(filter))
                .try_init()
        }
    };
    started.map_err(|error| anyhow!("logging could not be started: {error}"))?;
    log_panics();
    Ok(())
}

/// The layer that writes lines: JSON of the named service, or text for people.
fn lines<S>(json: Option<&'static str>, terminal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'lookup> LookupSpan<'lookup> + Send + Sync,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match json {
        Some(service_name) => layer
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(Named::new(service_name))
            .boxed(),
        None => layer.compact().with_ansi(has_colour(terminal)).boxed(),
    }
}

fn is_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    }
}

/// `NO_COLOR` wins; `CLICOLOR_FORCE` is for a parent that shows our lines on its own terminal.
fn has_colour(terminal: bool) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && (terminal || is_set("CLICOLOR_FORCE"))
}

fn filter(value: Option<&std::ffi::OsStr>) -> anyhow::Result<EnvFilter> {
    let text = match value.map(std::ffi::OsStr::to_str) {
        None | Some(Some("")) => DEFAULT_FILTER,
        Some(Some(text)) => text,
        Some(None) => bail!("RUST_LOG is not valid UTF-8"),
    };
    EnvFilter::builder()
        .parse(text)
        .with_context(|| format!("RUST_LOG is not a valid filter: `{text}`"))
}

/// A panic is an event like any other: one line, in the chosen format.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            tracing::error!(location, %backtrace, "panicked: {message}");
        } else {
            tracing::error!(location, "panicked: {message}");
        }
    }));
}

/// JSON events that say which service they come from, and which trace if they belong to one, for logs that are gathered
/// in one place.
struct Named {
    service_name: &'static str,
    json: Format<Json>,
}

impl Named {
    fn new(service_name: &'static str) -> Self {
        // Flat, so that log tools find `message` where they look for it.
        let json = Format::default().json().flatten_event(true);
        Self { service_name, json }
    }
}

impl<S> FormatEvent<S, JsonFields> for Named
where
    S: tracing::Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.json
            .format_event(context, Writer::new(&mut line), event)?;
        // The line is an object with at least its timestamp, so what follows the brace is a member.
        let members = line.strip_prefix('{').ok_or(fmt::Error)?;
        write!(writer, "{{\"service\":\"{}\",", self.service_name)?;
        let mut scope = context.event_scope().into_iter().flatten();
        if let Some(trace) =
            scope.find_map(|span| Some(span.extensions().get::<TraceId>()?.0.clone()))
        {
            write!(writer, "\"trace_id\":\"{trace}\",")?;
        }
        writer.write_str(members)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_names_the_service_and_stays_valid() {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(Named::new("worker"))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || tracing::info!(n = 1, "say \"hi\""));
        let bytes = captured.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["service"], "worker");
        assert_eq!(line["message"], "say \"hi\"");
    }

    #[test]
    fn a_json_line_says_the_trace_that_its_span_was_given() {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(Named::new("worker"))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("attempt");
            let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            traces::adopt(&span, Some((parent, None)));
            let _inside = span.enter();
            tracing::info_span!("deeper").in_scope(|| tracing::info!("here"));
        });
        let bytes = captured.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(line["message"], "here");
    }

    #[test]
    fn a_bad_filter_is_an_error_that_names_the_variable() {
        let error = filter(Some("server=loud".as_ref())).unwrap_err();
        assert!(error.to_string().contains("RUST_LOG"), "{error}");
    }

    #[test]
    fn no_filter_means_info() {
        assert_eq!(filter(None).unwrap().to_string(), "info");
        assert_eq!(filter(Some("".as_ref())).unwrap().to_string(), "info");
    }

    #[test]
    fn auto_is_json_only_off_a_terminal() {
        assert!(!is_json(LogFormat::Auto, true));
        assert!(is_json(LogFormat::Auto, false));
        assert!(!is_json(LogFormat::Pretty, false));
        assert!(is_json(LogFormat::Json, true));
    }
}
