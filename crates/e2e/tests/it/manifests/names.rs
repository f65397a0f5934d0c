//! Whether what an object names is there: settings, secrets, accounts, volumes, ports, and pods that a selector takes. A name
//! that fits nothing is no error to Kubernetes.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::objects::{
    FOLDERS, Objects, PROCESSES, WHOLE, container, deploy, list, name, pod, selects,
};

/// The secrets that a folder's pods can't start without.
fn secrets(objects: &Objects) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |reference: &Value, name: &str| {
        assert!(reference["optional"].is_null(), "{reference}");
        all.insert(reference[name].as_str().unwrap().to_owned());
    };
    for workload in objects.workloads() {
        for variable in list(&container(workload)["env"]) {
            let reference = &variable["valueFrom"]["secretKeyRef"];
            if !reference.is_null() {
                add(reference, "name");
            }
        }
        for volume in list(&pod(workload)["volumes"]) {
            add(&volume["secret"], "secretName");
        }
    }
    all
}

#[test]
fn no_secret_comes_with_them_and_each_is_said_how_to_make() {
    for folder in FOLDERS {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        assert_eq!(objects.all("Secret").count(), 0, "{folder}");
        // This one is the other with another autoscaler.
        let said = if folder == "production-keda" {
            "production"
        } else {
            folder
        };
        let path = deploy()
            .join("kubernetes")
            .join(said)
            .join("kustomization.yaml");
        let text = fs::read_to_string(path).unwrap();
        for secret in secrets(&objects) {
            let how = format!("create secret generic {secret} ");
            assert!(text.contains(&how), "{folder}: {secret}");
        }
    }
}

#[test]
fn pods_name_what_is_there() {
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        let namespaces: BTreeSet<_> = objects
            .0
            .iter()
            .filter(|object| object["kind"] != "Namespace")
            .map(|object| object["metadata"]["namespace"].as_str())
            .collect();
        let own = objects.all("Namespace").map(|own| Some(name(own)));
        assert_eq!(namespaces, own.collect(), "{folder}");
        for workload in objects.workloads() {
            let who = name(workload);
            let labels = &workload["spec"]["template"]["metadata"]["labels"];
            assert!(selects(&workload["spec"]["selector"], labels), "{who}");
            assert_eq!(labels["app.kubernetes.io/name"], who);
            objects.get(
                "ServiceAccount",
                pod(workload)["serviceAccountName"].as_str().unwrap(),
            );
            for constraint in list(&pod(workload)["topologySpreadConstraints"]) {
                assert!(selects(&constraint["labelSelector"], labels), "{who}");
            }
            let mounts = list(&container(workload)["volumeMounts"]).iter();
            let mounts: BTreeSet<_> = mounts
                .map(|mount| &mount["name"])
                .map(Value::to_string)
                .collect();
            let volumes = list(&pod(workload)["volumes"])
                .iter()
                .map(|volume| &volume["name"]);
            let claims = list(&workload["spec"]["volumeClaimTemplates"]).iter();
            let claims = claims.map(|claim| &claim["metadata"]["name"]);
            let there: BTreeSet<_> = volumes.chain(claims).map(Value::to_string).collect();
            assert_eq!(mounts, there, "{who}");
        }
    }
}

/// The names of the workloads that a selector takes.
fn taken<'a>(objects: &'a Objects, selector: &Value) -> BTreeSet<&'a str> {
    let workloads = objects.workloads().filter(|workload| {
        selects(
            selector,
            &workload["spec"]["template"]["metadata"]["labels"],
        )
    });
    workloads.map(name).collect()
}

fn has_port(workload: &Value, port: &Value) -> bool {
    list(&container(workload)["ports"])
        .iter()
        .any(|own| &own["name"] == port || &own["containerPort"] == port)
}

#[test]
fn services_budgets_and_policies_take_the_pods_that_they_mean() {
    for folder in WHOLE {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        for service in objects.all("Service") {
            let selector = serde_json::json!({ "matchLabels": service["spec"]["selector"] });
            assert_eq!(taken(&objects, &selector), [name(service)].into());
            let workload = objects.workloads().find(|own| name(own) == name(service));
            for port in list(&service["spec"]["ports"]) {
                assert!(has_port(workload.unwrap(), &port["targetPort"]), "{port}");
            }
        }
        let budgets: BTreeSet<_> = objects.all("PodDisruptionBudget").map(name).collect();
        assert_eq!(budgets, PROCESSES.into());
        for budget in objects.all("PodDisruptionBudget") {
            assert_eq!(
                taken(&objects, &budget["spec"]["selector"]),
                [name(budget)].into()
            );
            // In replicas that are there, so that it never stops a drain for good.
            assert!(!budget["spec"]["maxUnavailable"].is_null());
        }
        for policy in objects.all("NetworkPolicy") {
            let selector = &policy["spec"]["podSelector"];
            let pods = taken(&objects, selector);
            assert!(!pods.is_empty(), "{}", name(policy));
            for port in list(&policy["spec"]["ingress"])
                .iter()
                .flat_map(|rule| list(&rule["ports"]))
            {
                for who in &pods {
                    let workload = objects.workloads().find(|own| &name(own) == who);
                    assert!(has_port(workload.unwrap(), &port["port"]), "{port}");
                }
            }
        }
        let nothing = objects.get("NetworkPolicy", "nothing");
        let all: BTreeSet<_> = objects.workloads().map(name).collect();
        assert_eq!(taken(&objects, &nothing["spec"]["podSelector"]), all);
        assert_eq!(
            nothing["spec"]["policyTypes"],
            serde_json::json!(["Ingress", "Egress"])
        );
        assert!(nothing["spec"]["ingress"].is_null() && nothing["spec"]["egress"].is_null());
    }
}

#[test]
fn strangers_reach_the_paths_of_clients_alone() {
    let Some(objects) = Objects::of("production") else {
        return;
    };
    let ingress = objects.get("Ingress", "server");
    let [rule] = list(&ingress["spec"]["rules"]) else {
        panic!("one host");
    };
    for path in list(&rule["http"]["paths"]) {
        let backend = &path["backend"]["service"];
        let service = objects.get("Service", backend["name"].as_str().unwrap());
        assert_eq!(name(service), "server");
        let port = &list(&service["spec"]["ports"])[0];
        assert_eq!(port["name"], backend["port"]["name"]);
        let path = path["path"].as_str().unwrap();
        for own in ["/metrics", "/livez", "/readyz", "/api"] {
            assert!(!own.starts_with(path), "{path}");
        }
    }
    // The managers' dashboard is for those who forward a port.
    let from: BTreeSet<_> = objects
        .all("NetworkPolicy")
        .filter(|policy| policy["spec"]["policyTypes"] == serde_json::json!(["Ingress"]))
        .filter(|policy| taken(&objects, &policy["spec"]["podSelector"]).contains("queue"))
        .map(name)
        .collect();
    assert_eq!(from, ["from-monitoring"].into());
}
