//! One trace from a frame to its result, in real processes; and that nobody pays for traces who wants none.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use broker::{
    Producer, ProducerConfig, QueueArgs,
    testing::{free_port, until},
};
use e2e::{Process, Settings, System};
use protocol::{Job, JobId, JobOptions, JobRecord, JobState, Kind, RetryPolicy, TraceContext};
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::{
    collector::{Collected, Collector},
    traffic::{settle, stream},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
/// How long the end of a process takes at most: two seconds for traces, and time for a busy machine.
const END: Duration = Duration::from_secs(5);

fn exporting(url: &str) -> Settings {
    let endpoint: Vec<String> = ["--otlp-endpoint", url].map(str::to_owned).into();
    let mut server = endpoint.clone();
    server.extend(["--drain-window-ms", "100"].map(str::to_owned));
    Settings {
        managers: 0,
        server,
        worker: endpoint,
        ..Settings::default()
    }
}

/// Hands in a job that fails twice and came with a trace that has these flags.
async fn submit_failing(system: &System, flags: &str) -> JobId {
    let producer = Producer::spawn(
        system.connect(),
        System::chat(),
        QueueArgs::default(),
        ProducerConfig::default(),
        &TaskTracker::new(),
    );
    let options = JobOptions {
        max_attempts: 2,
        retry: Some(RetryPolicy::Fixed { delay_ms: 1 }),
        trace: Some(TraceContext {
            traceparent: format!("00-{TRACE}-{SPAN}-{flags}"),
            tracestate: None,
        }),
        ..JobOptions::default()
    };
    let job = Job {
        kind: Kind::new("panic").unwrap(),
        payload: RawValue::from_string("\"on purpose\"".to_owned()).unwrap(),
        options,
    };
    let id = Producer::new_id();
    producer.submit(id, job).await.unwrap();
    until("the job failed", async || {
        let record = system.inspector().get(&System::chat(), id).await.ok()??;
        (record.state == JobState::Failed).then_some(())
    })
    .await;
    id
}

async fn only_completed(system: &System) -> JobRecord {
    let inspector = system.inspector();
    let jobs = inspector
        .list(&System::chat(), JobState::Completed, 2)
        .await
        .unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.into_iter().next().unwrap()
}

/// The lines of a log that have a field of this name, with its value.
fn logged(process: &Process, field: &str) -> Vec<(String, String)> {
    let log = process.log();
    let lines = log.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        Some((
            line["message"].as_str()?.to_owned(),
            line[field].as_str()?.to_owned(),
        ))
    });
    lines.flatten().collect()
}

fn has(span: &Collected, wanted: &[(&str, &str)]) {
    for (key, value) in wanted {
        let found = span.attributes.get(*key).map(String::as_str);
        assert_eq!(found, Some(*value), "{key} of {span:?}");
    }
}

/// The spans of a job's trace, and whose child each is.
const TREE: [(&str, &str); 6] = [
    ("frame", ""),
    ("enqueue", "frame"),
    ("wait", "frame"),
    ("attempt", "frame"),
    ("publish", "attempt"),
    ("delivery", "frame"),
];

#[tokio::test]
async fn a_message_and_its_result_are_one_trace() {
    let collector = Collector::start().await;
    let mut settings = exporting(&collector.url);
    // The one whose client did not send it makes no span.
    settings.servers = 2;
    let mut system = System::start(settings).await;
    let mut client = system.client(0).await;
    let other = system.client(1).await;
    assert!(client.send("hi").await);
    settle(&[&client, &other], 1).await;
    let record = only_completed(&system).await;
    let processes = system.servers.iter_mut().chain(&mut system.workers);
    for process in processes {
        process.terminate().await;
    }
    let id = record.id.to_string();

    let all: BTreeMap<_, _> = TREE.map(|(name, _)| (name, collector.only(name))).into();
    assert_eq!(collector.count(), TREE.len());
    for (name, parent) in TREE {
        let span = &all[name];
        let parent = all.get(parent).map_or("", |parent| &parent.id);
        assert_eq!(span.parent, parent, "{span:?}");
        assert_eq!(span.trace, all["frame"].trace, "{span:?}");
        assert_eq!(span.status, 0, "{span:?}");
        assert!(span.from <= span.to, "{span:?}");
        if name != "publish" {
            has(span, &[("job.id", &id)]);
        }
    }
    let of = |name: &str| (all[name].service.as_str(), all[name].kind);
    assert_eq!(of("frame"), ("server", 4));
    assert_eq!(of("enqueue"), ("server", 3));
    assert_eq!(of("wait"), ("worker", 1));
    assert_eq!(of("attempt"), ("worker", 5));
    assert_eq!(of("publish"), ("worker", 3));
    assert_eq!(of("delivery"), ("server", 5));
    // One clock: each begins after what it needs.
    assert!(all["frame"].from <= all["enqueue"].from);
    assert!(all["enqueue"].from <= all["attempt"].from);
    assert!(all["attempt"].from <= all["publish"].from);
    assert!(all["publish"].from <= all["delivery"].from);

    has(
        &all["frame"],
        &[
            ("queue", "chat"),
            ("job.kind", "chat"),
            ("bytes", "2"),
            ("outcome", "accepted"),
        ],
    );
    let trace = record.trace.unwrap();
    let parent = format!("00-{}-{}-01", all["frame"].trace, all["frame"].id);
    assert_eq!((trace.traceparent, trace.tracestate), (parent, None));
    has(&all["enqueue"], &[("batch", "1")]);
    has(
        &all["attempt"],
        &[
            ("job.kind", "chat"),
            ("job.attempt", "1"),
            ("job.tenant", "public"),
            ("outcome", "completed"),
        ],
    );
    has(&all["publish"], &[("written", "true")]);
    has(
        &all["delivery"],
        &[("channel", "chat:lobby"), ("outboxes", "1")],
    );
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_is_not_exported() {
    let collector = Collector::start().await;
    let mut system = System::start(Settings {
        servers: 0,
        worker_binary: "test-worker",
        ..exporting(&collector.url)
    })
    .await;
    submit_failing(&system, "00").await;
    system.workers[0].terminate().await;
    assert_eq!(collector.count(), 0);
}

#[tokio::test]
async fn a_process_that_stops_delivers_its_last_spans() {
    let collector = Collector::start().await;
    let mut system = System::start(exporting(&collector.url)).await;
    let mut client = system.client(0).await;
    stream(&mut client, "message", 20).await;
    settle(&[&client], 20).await;
    system.workers[0].terminate().await;
    assert_eq!(collector.spans("attempt").len(), 20);
    assert_eq!(collector.spans("publish").len(), 20);
    assert_eq!(collector.spans("wait").len(), 20);
    system.servers[0].terminate().await;
    for name in ["frame", "enqueue", "delivery"] {
        assert_eq!(collector.spans(name).len(), 20, "{name}");
    }
}

#[tokio::test]
async fn every_attempt_is_a_child_of_the_trace_that_its_job_came_with() {
    let collector = Collector::start().await;
    let mut system = System::start(Settings {
        servers: 0,
        worker_binary: "test-worker",
        ..exporting(&collector.url)
    })
    .await;
    let id = submit_failing(&system, "01").await.to_string();
    system.workers[0].terminate().await;
    let attempts = collector.spans("attempt");
    assert_eq!(attempts.len(), 2);
    for (attempt, (number, outcome)) in attempts.iter().zip([("1", "retry"), ("2", "failed")]) {
        assert_eq!(
            (attempt.trace.as_str(), attempt.parent.as_str()),
            (TRACE, SPAN)
        );
        assert_eq!(attempt.status, 2);
        assert!(attempt.why.contains("on purpose"), "{attempt:?}");
        has(
            attempt,
            &[
                ("job.id", &id),
                ("job.attempt", number),
                ("outcome", outcome),
            ],
        );
    }
}

#[tokio::test]
async fn a_collector_that_can_not_be_reached_disturbs_nobody() {
    let url = format!("http://127.0.0.1:{}", free_port());
    // Connections to it are made, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    for (url, is_refused) in [(url, true), (silent_url, false)] {
        let mut system = System::start(exporting(&url)).await;
        let mut client = system.client(0).await;
        stream(&mut client, "message", 3_000).await;
        settle(&[&client], 3_000).await;
        drop(client);
        for process in [&mut system.workers[0], &mut system.servers[0]] {
            let start = Instant::now();
            process.terminate().await;
            assert!(start.elapsed() < END, "{:?}", start.elapsed());
            let told = logged(process, "why");
            assert!(told.len() <= 1, "{told:?}");
            assert!(!is_refused || told.len() == 1, "{}", process.log());
            assert!(!process.log().contains("panicked"), "{}", process.log());
        }
    }
}

#[tokio::test]
async fn without_an_endpoint_a_trace_is_only_passed_on() {
    let mut system = System::start(Settings {
        managers: 0,
        worker_binary: "test-worker",
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    assert!(client.send("hi").await);
    settle(&[&client], 1).await;
    assert_eq!(only_completed(&system).await.trace, None);
    assert_eq!(logged(&system.workers[0], "trace_id"), []);

    submit_failing(&system, "01").await;
    let panicked = ("panicked: on purpose".to_owned(), TRACE.to_owned());
    assert_eq!(
        logged(&system.workers[0], "trace_id"),
        [panicked.clone(), panicked]
    );
    // What would export is not even there.
    for process in [&mut system.servers[0], &mut system.workers[0]] {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", process.pid())) else {
            continue;
        };
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        let names: Vec<String> = names.map(Result::unwrap_or_default).collect();
        assert!(
            !names.iter().any(|name| name.starts_with("OpenTel")),
            "{names:?}"
        );
    }
}
