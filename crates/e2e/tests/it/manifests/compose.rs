//! The compose file of a Redis Cluster: its settings are those of the binaries, and it names nodes that it has.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::{
    objects::{deploy, documents, list},
    settings::{Environment, read},
};

/// `${NAME:-default}` as it is where nothing is set; `$$` is a dollar.
fn expanded(text: &str) -> String {
    let mut parts = text.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let (variable, rest) = part.split_once('}').expect("it ends");
        let (_, default) = variable.split_once(":-").expect("it has a default");
        all + default + rest
    })
}

fn compose() -> Value {
    let text = fs::read_to_string(deploy().join("cluster/docker-compose.yml")).unwrap();
    documents(&text).remove(0)
}

fn environment(service: &Value) -> Environment {
    let all = service["environment"].as_object().expect("it has one");
    all.iter()
        .map(|(name, value)| (name.clone(), expanded(value.as_str().unwrap())))
        .collect()
}

/// What the image says, which Compose does not repeat.
fn with_image(mut environment: Environment, process: &str) -> Environment {
    let dockerfile = include_str!("../../../../../Dockerfile");
    let stage = format!("FROM runtime AS {process}\n");
    let (_, stage) = dockerfile.split_once(&stage).unwrap();
    let line = stage.lines().find_map(|line| line.strip_prefix("ENV "));
    let (name, value) = line.unwrap().split_once('=').unwrap();
    environment.insert(name.to_owned(), value.to_owned());
    environment
}

#[test]
fn the_cluster_is_run_with_settings_that_there_are() {
    let compose = compose();
    for (service, process) in [
        ("front", "server"),
        ("server", "server"),
        ("worker", "worker"),
        ("queue", "queue"),
    ] {
        let service = &compose["services"][service];
        assert_eq!(service["build"]["target"], process);
        let mut environment = with_image(environment(service), process);
        let url = environment.remove("REDIS_URL").unwrap();
        let nodes = url.strip_prefix("redis-cluster://").unwrap().split(',');
        assert_eq!(nodes.clone().count(), 3);
        for node in nodes {
            let host = node.strip_suffix(":6379").unwrap();
            assert!(compose["services"][host].is_object(), "{host}");
        }
        let settings = read(process, &environment);
        let grace = service["stop_grace_period"].as_str().unwrap();
        let grace: u64 = grace.strip_suffix('s').unwrap().parse().unwrap();
        assert!(grace * 1000 > settings.grace_ms + 7_000);
        // Without authentication, so only for this machine.
        for port in list(&service["ports"]) {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{port}");
        }
    }
}

#[test]
fn the_cluster_has_three_primaries_with_a_replica_each_and_keeps_what_it_is_given() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let nodes: Vec<_> = (1..=6).map(|number| format!("redis-{number}")).collect();
    let mut addresses = BTreeSet::new();
    for node in &nodes {
        let service = &services[node];
        let address = service["networks"]["default"]["ipv4_address"]
            .as_str()
            .unwrap();
        addresses.insert(expanded(address).rsplit_once('.').unwrap().1.to_owned());
        assert!(service["ports"].is_null());
        assert_eq!(list(&service["volumes"]), [format!("{node}:/data")]);
        let command = list(&service["command"]).iter().filter_map(Value::as_str);
        let command: Vec<_> = command.collect();
        for pair in [
            ["--cluster-enabled", "yes"],
            ["--appendonly", "yes"],
            ["--maxmemory-policy", "noeviction"],
        ] {
            assert!(command.windows(2).any(|two| two == pair), "{pair:?}");
        }
    }
    let made = &services["redis-cluster"];
    assert_eq!(list(&made["depends_on"]), nodes);
    let script = made["command"][0].as_str().unwrap();
    let all: Vec<_> = addresses.into_iter().collect();
    assert_eq!(all.len(), 6);
    assert!(
        script.contains(&format!("in {}; do", all.join(" "))),
        "{script}"
    );
    assert!(script.contains("--cluster-replicas 1"));
}
