//! What kustomize makes of a folder of docs/deploy/kubernetes, and how its parts are found.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// Each folder that is applied by itself.
pub const FOLDERS: [&str; 4] = ["single", "production", "production-keda", "monitoring"];
/// Those that run the three processes.
pub const WHOLE: [&str; 3] = ["single", "production", "production-keda"];
/// The three.
pub const PROCESSES: [&str; 3] = ["server", "worker", "queue"];

/// The objects of one folder.
pub struct Objects(pub Vec<Value>);

pub fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deploy")
}

/// What a variable of `cargo xtask test` names. Without one, on a developer's machine, the test says that it is skipped; in CI
/// that would look like success.
pub fn tool(variable: &str) -> Option<OsString> {
    let named = std::env::var_os(variable).filter(|value| !value.is_empty());
    if named.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{variable} is not set: `cargo xtask test` brings what it names"
        );
        eprintln!("skipped: {variable} is not set; `cargo xtask test` sets it");
    }
    named
}

/// Every document of a YAML text.
pub fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

impl Objects {
    /// Renders a folder; nothing where there is no kubectl.
    pub fn of(folder: &str) -> Option<Self> {
        let output = Command::new(tool("KUBECTL")?)
            .arg("kustomize")
            .arg(deploy().join("kubernetes").join(folder))
            .stdin(Stdio::null())
            .output()
            .expect("kubectl can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        // A warning says what will not be understood any more.
        assert!(
            output.status.success() && said.is_empty(),
            "{folder}: {said}"
        );
        let objects = documents(&String::from_utf8(output.stdout).unwrap());
        assert!(!objects.is_empty(), "{folder}");
        Some(Self(objects))
    }

    pub fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    pub fn get(&self, kind: &str, name: &str) -> &Value {
        self.all(kind)
            .find(|object| object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// Whatever has pods.
    pub fn workloads(&self) -> impl Iterator<Item = &Value> {
        self.all("Deployment").chain(self.all("StatefulSet"))
    }
}

pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("it has a name")
}

/// The pods of a workload.
pub fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]
}

/// The only container of its pods.
pub fn container(workload: &Value) -> &Value {
    let containers = list(&pod(workload)["containers"]);
    assert_eq!(containers.len(), 1, "{}", name(workload));
    &containers[0]
}

/// The values of a list; none where there is no list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether a selector takes these labels.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let labels_fit = selector["matchLabels"]
        .as_object()
        .is_none_or(|wanted| wanted.iter().all(|(name, value)| &labels[name] == value));
    let expressions = list(&selector["matchExpressions"]);
    labels_fit
        && expressions.iter().all(|expression| {
            assert_eq!(expression["operator"], "In");
            list(&expression["values"]).contains(&labels[expression["key"].as_str().unwrap()])
        })
}
