//! Logs of a process: lines for people on a terminal, JSON for machines.
//!
//! Logs go to stderr, so that stdout stays free for what a command was asked to print. Never holds a setting
//! that changes while the process runs.

use std::fmt;
use std::io::IsTerminal;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

const DEFAULT_FILTER: &str = "info";

/// How this process logs.
#[derive(clap::Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// How log lines look; what is logged is set by `RUST_LOG` (default `info`).
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
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

/// Starts logging to stderr for the whole process, panics included.
///
/// Fails when `RUST_LOG` is not a valid filter, and when logging was started before.
pub fn init(args: &TelemetryArgs, service_name: &'static str) -> anyhow::Result<()> {
    let filter = filter(std::env::var_os("RUST_LOG").as_deref())?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    let started = if is_json(args.log_format, terminal) {
        builder
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(Named::new(service_name))
            .finish()
            .try_init()
    } else {
        builder
            .compact()
            .with_ansi(has_colour(terminal))
            .finish()
            .try_init()
    };
    started.map_err(|error| anyhow!("logging could not be started: {error}"))?;
    log_panics();
    Ok(())
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

/// JSON events that say which service they come from, for logs that are gathered in one place.
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
        write!(writer, "{{\"service\":\"{}\",{members}", self.service_name)
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
