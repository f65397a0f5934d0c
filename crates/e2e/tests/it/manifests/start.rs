//! The real binaries with the settings of the manifests: they start, and answer at every path that is asked for.

use std::{fs, path::Path};

use broker::testing::{TestRedis, until};
use e2e::{Process, Settings, System};
use protocol::JobOptions;
use serde_json::Value;

use super::{
    objects::{Objects, PROCESSES, container, list, pod},
    settings::{environment, options},
};

/// What a secret holds, as the manifests have it made.
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The options of a process of the manifests, with its secrets in a folder of this test's.
fn line(objects: &Objects, process: &str, folder: &Path) -> Vec<String> {
    let deployment = objects.get("Deployment", process);
    let mut environment = environment(objects, deployment);
    for variable in ["LISTEN", "HEALTH_LISTEN", "REDIS_URL"] {
        // The test's own.
        environment.remove(variable);
    }
    let mut line = options(process, &environment);
    for mount in list(&container(deployment)["volumeMounts"]) {
        let volumes = list(&pod(deployment)["volumes"]);
        let volume = volumes
            .iter()
            .find(|volume| volume["name"] == mount["name"]);
        for item in list(&volume.unwrap()["secret"]["items"]) {
            let [inside, file] = [&mount["mountPath"], &item["path"]].map(Value::as_str);
            let inside = format!("{}/{}", inside.unwrap(), file.unwrap());
            let outside = folder.join(file.unwrap());
            fs::write(&outside, SECRET).unwrap();
            let before = line.clone();
            for option in &mut line {
                *option = option.replace(&inside, outside.to_str().unwrap());
            }
            assert_ne!(line, before, "{process} has no use for {inside}");
        }
    }
    line
}

async fn started(objects: &Objects) -> System {
    let folder = tempfile::tempdir().unwrap();
    let [server, worker, manager] = PROCESSES.map(|process| line(objects, process, folder.path()));
    let settings = Settings {
        server,
        worker,
        manager,
        ..Settings::default()
    };
    let mut system = System::launch(TestRedis::durable().await, settings);
    system.ready().await;
    system
}

async fn answers(process: &Process, path: &str) -> u16 {
    let (status, _) = process.get(path).await.expect("it answers");
    status
}

#[tokio::test]
async fn the_processes_start_and_answer() {
    for folder in ["single", "production"] {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        let system = started(&objects).await;
        let processes = [&system.servers[0], &system.workers[0], &system.managers[0]];
        for (name, process) in PROCESSES.into_iter().zip(processes) {
            let container = container(objects.get("Deployment", name));
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let path = container[probe]["httpGet"]["path"].as_str().unwrap();
                assert_eq!(answers(process, path).await, 200, "{name}: {path}");
            }
            // Prometheus has no token.
            assert_eq!(answers(process, "/metrics").await, 200, "{name}");
        }
        let manager = &system.managers[0];
        assert_eq!(answers(manager, "/api/v1/queues").await, 401, "{folder}");
        // A queue is measured from its first job on.
        let job = r#"{"msg":"hi"}"#;
        crate::jobs::submit(&system, protocol::CHAT_KIND, job, JobOptions::default()).await;
        until("the autoscaler's series are there", async || {
            let (_, text) = manager.get("/metrics").await?;
            let series = [
                r#"queue_jobs{queue="chat",state="waiting"}"#,
                r#"queue_jobs{queue="chat",state="active"}"#,
                r#"queue_paused{queue="chat"}"#,
            ];
            series
                .iter()
                .all(|series| text.contains(series))
                .then_some(())
        })
        .await;
        let (_, text) = system.servers[0].get("/metrics").await.unwrap();
        assert!(text.contains("\nws_connections "), "{folder}");

        let paths = objects
            .all("Ingress")
            .flat_map(|ingress| list(&ingress["spec"]["rules"][0]["http"]["paths"]));
        for path in paths {
            let path = path["path"].as_str().unwrap();
            // Below it, where it is only the beginning.
            let path = match path {
                "/rooms" => "/rooms/lobby",
                "/v1" => "/v1/queues/chat/jobs",
                path => path,
            };
            let status = answers(&system.servers[0], path).await;
            assert!([400, 401, 403, 426].contains(&status), "{path}: {status}");
        }
    }
}
