//! Autoscaling: both ways ask the same of the same metrics, aim below what a process takes, and own the number of replicas.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::{
    objects::{Objects, deploy, documents, list, name},
    settings::{Settings, environment, read},
};
use crate::metrics::promtool;

/// What is asked of Prometheus, `…` being what picks a namespace and a queue.
const FORMULA: &str = r#"max by (queue) (queue_jobs{state="active",…}) + max by (queue) (queue_jobs{state="waiting",…}) * (1 - max by (queue) (queue_paused{…}))"#;

/// The rule of prometheus-adapter that has this name.
fn rule(list_of: &str, wanted: &str) -> Value {
    let text = fs::read_to_string(deploy().join("kubernetes/prometheus-adapter.yaml")).unwrap();
    let values = documents(&text).remove(0);
    let mut rules = list(&values["rules"][list_of]).iter();
    let found = rules.find(|rule| rule["name"]["as"] == wanted);
    found.unwrap_or_else(|| panic!("no rule {wanted}")).clone()
}

fn settings(objects: &Objects, process: &str) -> Settings {
    let workload = objects.get("Deployment", process);
    read(process, &environment(objects, workload))
}

/// `80` or `5k`.
fn number(quantity: &Value) -> u32 {
    let text = quantity.as_str().expect("a quantity is a text");
    match text.strip_suffix('k') {
        Some(thousands) => thousands.parse::<u32>().unwrap() * 1000,
        None => text.parse().unwrap(),
    }
}

#[test]
fn the_autoscalers_own_their_replicas() {
    for folder in ["production", "production-keda"] {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        let all = objects.all("HorizontalPodAutoscaler");
        let all: Vec<_> = all.chain(objects.all("ScaledObject")).collect();
        let names: BTreeSet<_> = all.iter().map(|scaler| name(scaler)).collect();
        assert_eq!(names, ["server", "worker"].into(), "{folder}");
        assert_eq!(all.len(), 2, "{folder}");
        for scaler in all {
            let target = &scaler["spec"]["scaleTargetRef"];
            let kind = target["kind"].as_str().unwrap();
            let target = objects.get(kind, target["name"].as_str().unwrap());
            // Else each `kubectl apply` would set it back.
            assert!(target["spec"]["replicas"].is_null(), "{folder}");
            let spec = &scaler["spec"];
            let [least, most] = ["minReplicas", "maxReplicas"].map(|field| {
                let keda = field.replace("Replicas", "ReplicaCount");
                spec[field].as_u64().or(spec[keda].as_u64()).unwrap()
            });
            assert!(2 <= least && least < most, "{folder}");
        }
        assert_eq!(objects.get("Deployment", "queue")["spec"]["replicas"], 2);
    }
}

#[test]
fn the_aim_is_below_what_a_process_takes() {
    let Some(objects) = Objects::of("production") else {
        return;
    };
    let server = objects.get("HorizontalPodAutoscaler", "server");
    let connections = &list(&server["spec"]["metrics"])[1]["pods"];
    let metric = connections["metric"]["name"].as_str().unwrap();
    rule("custom", metric);
    let most = settings(&objects, "server").max_connections.unwrap();
    assert_eq!(number(&connections["target"]["averageValue"]), most / 2);

    let worker = objects.get("HorizontalPodAutoscaler", "worker");
    let work = &list(&worker["spec"]["metrics"])[0]["external"];
    rule("external", work["metric"]["name"].as_str().unwrap());
    let settings = settings(&objects, "worker");
    let queue = settings.queue.unwrap();
    assert_eq!(work["metric"]["selector"]["matchLabels"]["queue"], *queue);
    let aim = number(&work["target"]["averageValue"]);
    assert_eq!(aim, settings.concurrency.unwrap() * 4 / 5);

    let Some(keda) = Objects::of("production-keda") else {
        return;
    };
    let keda = keda.get("ScaledObject", "worker");
    let [trigger] = list(&keda["spec"]["triggers"]) else {
        panic!("one trigger");
    };
    assert_eq!(trigger["type"], "prometheus");
    assert_eq!(trigger["metricType"], work["target"]["type"]);
    assert_eq!(number(&trigger["metadata"]["threshold"]), aim);
    let behaviour = &keda["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"];
    assert_eq!(behaviour, &worker["spec"]["behavior"]);
}

#[test]
fn both_ask_the_same() {
    let rule = rule("external", "queue_work");
    let query = rule["metricsQuery"].as_str().unwrap();
    assert_eq!(query.replace("<<.LabelMatchers>>", "…"), FORMULA);
    let Some(objects) = Objects::of("production-keda") else {
        return;
    };
    let keda = objects.get("ScaledObject", "worker");
    let trigger = &list(&keda["spec"]["triggers"])[0]["metadata"];
    let query = trigger["query"].as_str().unwrap();
    assert_eq!(
        query.replace(r#"namespace="dwb",queue="chat""#, "…"),
        FORMULA
    );
}

#[test]
fn the_formula_counts_each_job_once() {
    let folder = tempfile::tempdir().unwrap();
    let rules = serde_json::json!({"groups": [{"name": "scaling", "rules": [
        {"record": "queue_work", "expr": FORMULA.replace(",…", "").replace("{…}", "")},
    ]}]});
    let series = |manager: &str, queue: &str, waiting: u32, active: u32, paused: u32| {
        let labels = format!(r#"queue="{queue}",pod="{manager}""#);
        [
            (
                format!(r#"queue_jobs{{{labels},state="waiting"}}"#),
                waiting,
            ),
            (format!(r#"queue_jobs{{{labels},state="active"}}"#), active),
            (
                format!(r#"queue_jobs{{{labels},state="completed"}}"#),
                5_000,
            ),
            (format!("queue_paused{{{labels}}}"), paused),
        ]
    };
    // Two managers see the same; one looked a moment earlier.
    let all = [
        series("a", "chat", 300, 100, 0),
        series("b", "chat", 290, 95, 0),
        series("a", "held", 300, 7, 1),
        series("a", "idle", 0, 0, 0),
    ];
    let inputs: Vec<_> = all
        .concat()
        .into_iter()
        .map(|(series, value)| serde_json::json!({"series": series, "values": value.to_string()}))
        .collect();
    let expected = [("chat", 400), ("held", 7), ("idle", 0)].map(|(queue, value)| {
        serde_json::json!({"labels": format!(r#"queue_work{{queue="{queue}"}}"#), "value": value})
    });
    let tests = serde_json::json!({
        "rule_files": ["rules.yml"],
        "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": [
            {"expr": "queue_work", "eval_time": "0m", "exp_samples": expected},
        ]}],
    });
    // JSON is YAML.
    fs::write(folder.path().join("rules.yml"), rules.to_string()).unwrap();
    let path = folder.path().join("tests.yml");
    fs::write(&path, tests.to_string()).unwrap();
    promtool(&["test", "rules", path.to_str().unwrap()], "");
}

#[test]
fn prometheus_knows_the_pods_by_the_jobs_of_the_alerts() {
    let Some(monitoring) = Objects::of("monitoring") else {
        return;
    };
    let monitor = monitoring.get("PodMonitor", "dwb");
    // A test beside this one: each pod's label is the name of its workload.
    assert_eq!(monitor["spec"]["jobLabel"], "app.kubernetes.io/name");
    let wanted = &monitor["spec"]["selector"]["matchExpressions"][0];
    assert_eq!(wanted["key"], "app.kubernetes.io/name");
    let mut jobs: Vec<_> = list(&wanted["values"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    jobs.sort_unstable();
    assert_eq!(jobs, ["queue", "server", "worker"]);
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(
        (&endpoint["port"], &endpoint["path"]),
        (&"http".into(), &"/metrics".into())
    );
    let Some(objects) = Objects::of("production") else {
        return;
    };
    let namespace = &objects.get("Deployment", "server")["metadata"]["namespace"];
    assert_eq!(&monitor["metadata"]["namespace"], namespace);
}
