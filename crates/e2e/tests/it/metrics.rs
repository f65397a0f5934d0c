//! What the processes measure, as Prometheus reads it: what docs/operations.md lists is there, and so is what the alerts and
//! the dashboard ask for. Names that nothing has any more would be alerts that are never raised.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use broker::testing::until;
use e2e::{Process, Settings, System};

use crate::traffic::settle;

const OPERATIONS: &str = include_str!("../../../../docs/operations.md");
const ALERTS: &str = include_str!("../../../../docs/observe/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../docs/observe/grafana/dashboards/overview.json");
const SETTINGS: &str = include_str!("../../../../docs/observe/prometheus/prometheus.yml");
const COMPOSE: &str = include_str!("../../../../docker-compose.yml");
/// What Prometheus adds by itself.
const ITS_OWN: [&str; 2] = ["up", "ALERTS"];
/// Words of its language that stand where a metric may.
const WORDS: [&str; 9] = [
    "and", "or", "unless", "by", "on", "bool", "sum", "max", "count",
];

/// What is known of a metric: its type, and its labels.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
}

type Metrics = BTreeMap<String, Metric>;

fn observe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/observe/prometheus")
}

/// A system in which everything that is measured has happened.
async fn busy() -> System {
    let system = System::start(Settings::default()).await;
    let mut client = system.client(0).await;
    let refused = system.servers[0].get("/ws").await.unwrap();
    assert_eq!(refused.0 / 100, 4, "{refused:?}");
    assert!(client.send("hi").await);
    settle(&[&client], 1).await;
    assert!(client.send("").await);
    // Longer than a message may be.
    assert!(client.send(&"x".repeat(100_000)).await);
    assert_eq!(client.until_closed().await, 1009);
    until("all is measured", async || {
        let server = text(&system.servers[0]).await;
        let manager = text(&system.managers[0]).await;
        let is_there = server.contains("\nws_closes_total{")
            && server.contains("\nmessages_refused_total{")
            && manager.contains("\nqueue_workers{")
            && manager.contains("\nredis_memory_used_bytes ");
        is_there.then_some(())
    })
    .await;
    system
}

fn processes(system: &System) -> [(&'static str, &Process); 3] {
    [
        ("server", &system.servers[0]),
        ("queue", &system.managers[0]),
        ("worker", &system.workers[0]),
    ]
}

async fn text(process: &Process) -> String {
    let (status, text) = process.get("/metrics").await.unwrap();
    assert_eq!(status, 200);
    text
}

/// Reads what a process writes.
fn read(text: &str, into: &mut Metrics) {
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            name.clone_into(&mut current);
            let known = into.entry(current.clone()).or_default();
            kind.clone_into(&mut known.kind);
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&current), "{line} is no {current}");
            let metric = into.get_mut(&current).unwrap();
            let labels = line.split_once('{').map_or("", |(_, rest)| rest);
            let labels = labels.split('}').next().unwrap_or_default();
            let names = labels
                .split("\",")
                .filter_map(|label| label.split_once('='));
            let names = names.map(|(name, _)| name.to_owned());
            metric.labels.extend(names.filter(|name| name != "le"));
        }
    }
}

/// The table in docs/operations.md: who has a metric, and what it is.
fn documented() -> BTreeMap<String, (BTreeSet<String>, Metric)> {
    let rows = OPERATIONS.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, who, kind, _unit, labels, _meaning] = *cells else {
            return None;
        };
        let list = |text: &str| -> BTreeSet<String> {
            let words = text.split(',').map(|word| word.trim().trim_matches('`'));
            words
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        let who = if who == "all" {
            list("server, queue, worker")
        } else {
            list(who)
        };
        let metric = Metric {
            kind: kind.to_owned(),
            labels: list(labels),
        };
        Some((name.to_owned(), (who, metric)))
    });
    rows.collect()
}

/// The metrics that an expression asks for.
fn asked(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // What stands in braces, quotes and brackets are labels, values and times.
    let mut bare = String::new();
    let mut depth = 0;
    for letter in expression.chars() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => bare.push(letter),
            _ => {}
        }
    }
    let mut rest = bare.as_str();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    while let Some(start) = rest.find(is_part) {
        rest = &rest[start..];
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        let follows = after.trim_start();
        if matches!(word, "by" | "on" | "ignoring" | "without") {
            rest = follows.split_once(')').map_or("", |(_, after)| after);
        } else if !follows.starts_with('(')
            && !WORDS.contains(&word)
            && !word.starts_with(|letter: char| letter.is_ascii_digit())
        {
            names.insert(word.to_owned());
        }
    }
    names
}

/// Every `expr` in a JSON value.
fn expressions(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "expr" => into.push(text.to_owned()),
                    _ => expressions(value, into),
                }
            }
        }
        serde_json::Value::Array(values) => {
            for value in values {
                expressions(value, into);
            }
        }
        _ => {}
    }
}

/// Runs promtool; says that it was skipped where there is none.
pub fn promtool(arguments: &[&str], input: &str) {
    let named = std::env::var_os("PROMTOOL").filter(|path| !path.is_empty());
    let mut command = Command::new(named.unwrap_or_else(|| "promtool".into()));
    command
        .args(arguments)
        .current_dir(observe())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped: promtool {arguments:?}: {error}");
            return;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}\n{input}",
        String::from_utf8_lossy(&said)
    );
}

#[tokio::test]
async fn metrics_are_what_the_documents_and_the_dashboard_say() {
    let system = busy().await;
    let documented = documented();
    let mut all = BTreeSet::new();
    for (who, process) in processes(&system) {
        let text = text(process).await;
        promtool(&["check", "metrics"], &text);
        let mut metrics = Metrics::new();
        read(&text, &mut metrics);
        let told = documented
            .iter()
            .filter(|(_, (whose, _))| whose.contains(who));
        let told: BTreeMap<_, _> = told.map(|(name, (_, metric))| (name, metric)).collect();
        let missing: Vec<_> = told
            .keys()
            .filter(|name| !metrics.contains_key(**name))
            .collect();
        assert!(missing.is_empty(), "{who} does not have {missing:?}");
        for (name, metric) in &metrics {
            let Some(told) = told.get(name) else {
                panic!("{name} of {who} is not in docs/operations.md");
            };
            assert_eq!(metric, *told, "{name} of {who}");
            all.insert(name.clone());
            if metric.kind == "histogram" {
                all.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
            }
        }
    }

    let mut wanted: Vec<_> = ALERTS
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("expr: ")?.to_owned()))
        .collect();
    assert_eq!(wanted.len(), ALERTS.matches("alert: ").count());
    let before = wanted.len();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut wanted);
    assert!(wanted.len() > before + 20);
    for expression in wanted {
        let names = asked(&expression);
        assert!(!names.is_empty(), "{expression}");
        for name in names {
            assert!(
                all.contains(&name) || ITS_OWN.contains(&&*name),
                "nothing has {name}, which is asked for by {expression}"
            );
        }
    }
}

#[test]
fn alerts_are_valid_raised_and_explained() {
    promtool(&["check", "config", "prometheus.yml"], "");
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts_test.yml"], "");
    let alerts = ALERTS.lines();
    let alerts: BTreeSet<_> = alerts
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let (_, chapter) = OPERATIONS.split_once("\n## Alerts\n").unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let explained: BTreeSet<_> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    assert_eq!(explained, alerts);
}

#[test]
fn compose_has_what_prometheus_and_grafana_are_given() {
    let names = SETTINGS.lines().filter_map(|line| {
        let names = line.trim().strip_prefix("- names: [")?;
        names.strip_suffix(']')
    });
    let names: Vec<_> = names.flat_map(|names| names.split(", ")).collect();
    assert_eq!(names, ["front", "server", "queue", "worker"]);
    for service in names.iter().chain(&["prometheus", "grafana"]) {
        assert!(COMPOSE.contains(&format!("\n  {service}:\n")), "{service}");
    }
    let mounts = COMPOSE.lines().filter_map(|line| {
        let mount = line.trim().strip_prefix("- ./")?;
        mount.split(':').next()
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mounts: Vec<_> = mounts.collect();
    assert!(mounts.len() > 2);
    for mount in mounts {
        assert!(root.join(mount).is_dir(), "{mount}");
    }
}

#[test]
fn expressions_are_read() {
    let expression = r#"histogram_quantile(0.99, sum by (le, job) (rate(a_bucket{x="y"}[5m]))) > 3 * b and max(c) > 0"#;
    assert_eq!(
        asked(expression),
        ["a_bucket", "b", "c"].map(str::to_owned).into()
    );
}
