//! What every pod is held to: it may do little, it is asked whether it lives, and it runs an image that is named.

use serde_json::{Value, json};

use super::objects::{Objects, PROCESSES, WHOLE, container, list, name, pod};

#[test]
fn a_pod_may_do_nothing_that_it_does_not_need() {
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        assert_eq!(
            objects.workloads().count(),
            if folder == "single" { 4 } else { 3 }
        );
        for workload in objects.workloads() {
            let who = name(workload);
            let pod = pod(workload);
            assert_eq!(pod["automountServiceAccountToken"], false, "{who}");
            // Else QUEUE_PORT and the like are in the environment.
            assert_eq!(pod["enableServiceLinks"], false, "{who}");
            let context = &pod["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{who}");
            assert!(context["runAsUser"].as_u64() > Some(0), "{who}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{who}");
            let container = container(workload);
            assert_eq!(
                container["securityContext"],
                json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                }),
                "{who}"
            );
            let resources = &container["resources"];
            assert!(resources["requests"]["cpu"].is_string(), "{who}");
            assert!(resources["requests"]["memory"].is_string(), "{who}");
            assert!(resources["limits"]["memory"].is_string(), "{who}");
        }
        let namespace = objects.all("Namespace").next().unwrap();
        let level = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
        assert_eq!(level, "restricted");
    }
}

#[test]
fn probes_ask_what_the_processes_answer() {
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        for process in PROCESSES {
            let container = container(objects.get("Deployment", process));
            // With Redis away a process is not ready; to restart it for that would end what it holds.
            for (probe, path) in [
                ("startupProbe", "/livez"),
                ("livenessProbe", "/livez"),
                ("readinessProbe", "/readyz"),
            ] {
                let asked = &container[probe]["httpGet"];
                assert_eq!(asked["path"], path, "{process}: {probe}");
                assert_eq!(asked["port"], list(&container["ports"])[0]["name"]);
            }
        }
    }
}

#[test]
fn a_rollout_takes_nothing_away_first() {
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        for process in PROCESSES {
            let strategy = &objects.get("Deployment", process)["spec"]["strategy"];
            assert_eq!(strategy["rollingUpdate"]["maxUnavailable"], 0, "{process}");
        }
    }
}

/// The tag of an image, which may have a registry with a port before it.
fn tag(image: &str) -> Option<&str> {
    let (_, last) = image.rsplit_once('/').unwrap_or(("", image));
    last.split_once(':').map(|(_, tag)| tag)
}

#[test]
fn images_are_of_this_version() {
    assert_eq!(tag("localhost:5000/server"), None);
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        for workload in objects.workloads() {
            let image: &Value = &container(workload)["image"];
            let tag = tag(image.as_str().unwrap()).expect("a tag");
            if PROCESSES.contains(&name(workload)) {
                assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{folder}");
            } else {
                assert!(
                    tag.starts_with(|digit: char| digit.is_ascii_digit()),
                    "{image}"
                );
            }
        }
    }
}
