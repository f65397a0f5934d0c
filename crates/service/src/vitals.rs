//! What every process measures of itself: what runs, whether it is ready, and what it takes of its machine.
//!
//! Read when somebody asks, so that it costs nothing in between. What the kernel tells is there on Linux alone; elsewhere
//! those figures are absent rather than wrong.

use std::fmt;
use std::fs::{read_dir, read_to_string};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;

/// How the kernel counts time for programs, on every machine that matters.
const TICKS_A_SECOND: f64 = 100.0;

/// A registry with what every process has.
pub fn registry(service: &'static str, readiness: &Readiness) -> Registry {
    let mut registry = Registry::default();
    let build = Info::new([("service", service), ("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "What runs here", build);
    registry.register_collector(Box::new(Ready(readiness.clone())));
    registry.register_collector(Box::new(Process));
    registry
}

/// Whether the process is ready, and each condition of that.
#[derive(Debug)]
struct Ready(Readiness);

impl Collector for Ready {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (ready, checks) = self.0.report();
        let help = "Whether the process takes work: what `/readyz` answers.";
        let family = encoder.encode_descriptor("ready", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(ready)).encode(family)?;
        let help = "Whether a condition of being ready is met.";
        let mut family =
            encoder.encode_descriptor("ready_condition", help, None, MetricType::Gauge)?;
        for (name, met) in checks {
            let labels = [("condition", name)];
            ConstGauge::new(i64::from(met)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// What the kernel says of this process.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| match value {
            None => Ok(()),
            Some(value) => {
                let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(family)
            }
        };
        let stat = read_to_string("/proc/self/stat").unwrap_or_default();
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let kernel = read_to_string("/proc/stat").unwrap_or_default();
        gauge(
            "process_start_time_seconds",
            "When the process started, since the Unix epoch.",
            started(&stat, &kernel),
        )?;
        gauge(
            "process_resident_memory_bytes",
            "Memory that the process holds.",
            kilobytes(&status, "VmRSS:"),
        )?;
        gauge(
            "process_virtual_memory_bytes",
            "Addresses that the process has, of which most are not in memory.",
            kilobytes(&status, "VmSize:"),
        )?;
        gauge(
            "process_open_fds",
            "Files and sockets that are open.",
            // The one that lists them is among them.
            read_dir("/proc/self/fd")
                .ok()
                .map(|all| all.count().saturating_sub(1) as f64),
        )?;
        gauge(
            "process_max_fds",
            "How many files and sockets may be open.",
            most_files(&read_to_string("/proc/self/limits").unwrap_or_default()),
        )?;
        if let Some(seconds) = spent(&stat) {
            let help = "Time of processors that the process spent.";
            let kind = MetricType::Counter;
            let family = encoder.encode_descriptor("process_cpu_seconds", help, None, kind)?;
            ConstCounter::new(seconds).encode(family)?;
        }
        Ok(())
    }
}

/// One of the fields that follow the program's name, which may hold spaces; numbered as in `proc(5)`.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

fn spent(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS_A_SECOND)
}

fn started(stat: &str, kernel: &str) -> Option<f64> {
    let boot = kernel.lines().find_map(|line| line.strip_prefix("btime "));
    Some(boot?.trim().parse::<f64>().ok()? + field(stat, 22)? / TICKS_A_SECOND)
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024.0)
}

fn most_files(limits: &str) -> Option<f64> {
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    const STAT: &str = "42 (a (b) c) S 1 1 1 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 4 0 6000 1 2";

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(spent(STAT), Some(3.0));
        assert_eq!(started(STAT, "cpu 1\nbtime 1000\n"), Some(1060.0));
        assert_eq!(
            kilobytes("Name: x\nVmRSS:\t    12 kB\n", "VmRSS:"),
            Some(12_288.0)
        );
        let limits = "Max cpu time  unlimited  unlimited  seconds\nMax open files            1024                 4096                 files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert_eq!(
            (spent(""), started("", ""), most_files("")),
            (None, None, None)
        );
    }

    #[test]
    fn a_process_says_what_it_is() {
        let readiness = Readiness::new();
        let check = readiness.check("redis");
        let registry = registry("server", &readiness);
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        let shown = text();
        assert!(
            shown.contains("build_info{service=\"server\",version=\""),
            "{shown}"
        );
        assert!(
            shown.contains("\nready 0\n")
                && shown.contains("ready_condition{condition=\"redis\"} 0\n"),
            "{shown}"
        );
        check.set(true);
        assert!(text().contains("\nready 1\n"), "{}", text());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_says_all_of_it() {
        let mut shown = String::new();
        encode(&mut shown, &registry("server", &Readiness::new())).unwrap();
        for name in [
            "start_time_seconds",
            "cpu_seconds_total",
            "resident_memory_bytes",
            "open_fds",
            "max_fds",
        ] {
            assert!(shown.contains(&format!("\nprocess_{name} ")), "{shown}");
        }
    }
}
