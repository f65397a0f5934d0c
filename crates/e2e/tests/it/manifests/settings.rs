//! What the environment of a container means to the binary in it: every name is one of its settings, and the values are taken
//! together.

use std::{collections::BTreeMap, net::SocketAddr};

use clap::{ArgAction, Command, CommandFactory as _, Parser as _};
use serde_json::Value;
use server::ServerArgs;
use worker::WorkerArgs;

use super::objects::{Objects, PROCESSES, WHOLE, container, list, name, pod};

/// Names that are no settings of ours: what is logged, and what another value is put together from.
const OTHERS: [&str; 2] = ["RUST_LOG", "REDIS_PASSWORD"];
/// A binary kills itself after its grace, 5 s for what does not end by itself, and 2 s for its last traces.
const AFTER_GRACE_MS: u64 = 7_000;

pub type Environment = BTreeMap<String, String>;

/// The environment of a workload's container, put together as a node does it. A secret is a made-up text.
pub fn environment(objects: &Objects, workload: &Value) -> Environment {
    let container = container(workload);
    let mut all = Environment::new();
    for source in list(&container["envFrom"]) {
        let map = source["configMapRef"]["name"]
            .as_str()
            .expect("a config map");
        for (name, value) in objects.get("ConfigMap", map)["data"].as_object().unwrap() {
            let twice = all.insert(name.clone(), value.as_str().unwrap().to_owned());
            assert_eq!(twice, None, "{name} is in two maps");
        }
    }
    for variable in list(&container["env"]) {
        let value = variable["value"].as_str().map_or_else(
            || {
                let key = variable["valueFrom"]["secretKeyRef"]["key"].as_str();
                key.expect("a value, or a key of a secret").to_lowercase()
            },
            |text| {
                let before = all.iter();
                before.fold(text.to_owned(), |text, (name, value)| {
                    text.replace(&format!("$({name})"), value)
                })
            },
        );
        assert!(!value.contains("$("), "{value}");
        all.insert(name_of(variable), value);
    }
    all
}

fn name_of(variable: &Value) -> String {
    variable["name"].as_str().unwrap().to_owned()
}

fn command(process: &str) -> Command {
    match process {
        "server" => ServerArgs::command(),
        "worker" => WorkerArgs::command(),
        "queue" => queue::Cli::command(),
        other => panic!("{other} is no process of ours"),
    }
}

/// The same settings as options. Fails for what the binary does not know.
pub fn options(process: &str, environment: &Environment) -> Vec<String> {
    let command = command(process);
    let mut options = Vec::new();
    for (name, value) in environment {
        if OTHERS.contains(&&**name) {
            continue;
        }
        let known = command
            .get_arguments()
            .find(|argument| argument.get_env().is_some_and(|env| env == &**name));
        let argument = known.unwrap_or_else(|| panic!("{process} has no setting {name}"));
        let option = format!("--{}", argument.get_long().expect("it has a name"));
        if matches!(argument.get_action(), ArgAction::SetTrue) {
            assert_eq!(value, "true", "{name}");
            options.push(option);
        } else {
            options.push(format!("{option}={value}"));
        }
    }
    options
}

/// What matters of a binary's settings to whoever runs it.
pub struct Settings {
    pub listen: SocketAddr,
    pub grace_ms: u64,
    pub concurrency: Option<u32>,
    pub max_connections: Option<u32>,
    pub queue: Option<String>,
}

/// Has the binary's own code read and judge its settings.
pub fn read(process: &str, environment: &Environment) -> Settings {
    let line = options(process, environment);
    let line = [process.to_owned()].into_iter().chain(line);
    let read = match process {
        "server" => {
            let args = ServerArgs::try_parse_from(line).unwrap();
            args.validate().unwrap();
            let (listen, is_told) = args.address();
            assert!(is_told, "{process}");
            assert!(args.auth.has_keys() || args.exposure.insecure);
            Settings {
                listen,
                grace_ms: args.shutdown.shutdown_grace_ms,
                concurrency: None,
                max_connections: Some(args.max_connections),
                queue: None,
            }
        }
        "worker" => {
            let args = WorkerArgs::try_parse_from(line).unwrap();
            args.validate().unwrap();
            assert!(args.exposure.insecure);
            Settings {
                listen: args.health_listen.expect("it is told where to listen"),
                grace_ms: args.shutdown.shutdown_grace_ms,
                concurrency: Some(args.concurrency),
                max_connections: None,
                queue: Some(args.queue.to_string()),
            }
        }
        _ => {
            let args = queue::Cli::try_parse_from(line).unwrap().manager;
            let has_token = args.admin.admin_token_file.is_some();
            assert!(has_token || args.exposure.insecure);
            Settings {
                listen: args.listen.expect("it is told where to listen"),
                grace_ms: args.shutdown.shutdown_grace_ms,
                concurrency: None,
                max_connections: None,
                queue: None,
            }
        }
    };
    assert!(read.listen.ip().is_unspecified(), "{process}");
    read
}

#[test]
fn settings_are_those_of_the_binaries() {
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        for process in PROCESSES {
            let deployment = objects.get("Deployment", process);
            let environment = environment(&objects, deployment);
            let settings = read(process, &environment);
            let [port] = list(&container(deployment)["ports"]) else {
                panic!("{process} has one port");
            };
            assert_eq!(port["containerPort"], settings.listen.port(), "{process}");
            let end = pod(deployment)["terminationGracePeriodSeconds"].as_u64();
            let end_ms = end.unwrap() * 1000;
            assert!(
                end_ms > settings.grace_ms + AFTER_GRACE_MS,
                "{folder}: {process} would be killed after {end_ms} ms"
            );
            assert!(
                container(deployment)["lifecycle"].is_null(),
                "time for a hook would have to be counted"
            );
            // It names the admin API's token in an environment that all can see.
            assert!(
                !environment.contains_key("ADMIN_TOKEN"),
                "{}",
                name(deployment)
            );
        }
    }
}

#[test]
#[should_panic(expected = "worker has no setting CONCURENCY")]
fn a_name_that_means_nothing_is_found() {
    let environment = Environment::from([("CONCURENCY".to_owned(), "1".to_owned())]);
    options("worker", &environment);
}
