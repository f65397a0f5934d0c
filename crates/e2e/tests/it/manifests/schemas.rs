//! The schemas of the Kubernetes API, strict ones, of the oldest version that is promised and of the newest.

use std::{collections::BTreeSet, fs, path::Path};

use jsonschema::Validator;
use serde_json::Value;

use super::objects::{FOLDERS, Objects, documents, name, tool};

/// Kinds of others, whose schemas are not part of Kubernetes: the tests beside this one look at what is used of them.
const OF_OTHERS: [&str; 2] = [
    "keda.sh/v1alpha1 ScaledObject",
    "monitoring.coreos.com/v1 PodMonitor",
];
/// How a schema names the file with what all have in common.
const COMMON: &str = "/api/_definitions.json#/$defs/";

fn kind(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().expect("it says what it is");
    format!("{} {}", text("apiVersion"), text("kind"))
}

/// The schema of one kind, with all that it refers to in it.
fn validator(folder: &Path, object: &Value) -> Validator {
    let read = |file: &str| -> Value {
        let path = folder.join(file);
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: {object}", path.display()));
        serde_json::from_str(&text.replace(COMMON, "#/$defs/")).unwrap()
    };
    // `apps/v1` is `apps-v1`, `networking.k8s.io/v1` is `networking-v1`.
    let version = object["apiVersion"].as_str().unwrap();
    let version = version
        .split_once('/')
        .map_or(version.to_owned(), |(group, version)| {
            format!("{}-{version}", group.split('.').next().unwrap())
        });
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let mut schema = read(&format!("{kind}-{version}.json"));
    schema["$defs"] = read("_definitions.json")["$defs"].take();
    jsonschema::draft202012::new(&schema).unwrap()
}

fn complaints(folder: &Path, object: &Value) -> Vec<String> {
    let errors = validator(folder, object);
    let errors = errors.iter_errors(object);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn versions() -> Option<Vec<std::path::PathBuf>> {
    let folders = fs::read_dir(tool("KUBERNETES_SCHEMAS")?).unwrap();
    let folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    Some(folders)
}

#[test]
fn every_object_is_one_of_kubernetes() {
    let Some(versions) = versions() else { return };
    let mut others = BTreeSet::new();
    for folder in FOLDERS {
        let Some(objects) = Objects::of(folder) else {
            return;
        };
        for object in &objects.0 {
            let kind = kind(object);
            if OF_OTHERS.contains(&&*kind) {
                others.insert(kind);
                continue;
            }
            for version in &versions {
                let complaints = complaints(version, object);
                let version = version.display();
                let name = name(object);
                assert!(
                    complaints.is_empty(),
                    "{folder}, {kind} {name}, {version}: {complaints:?}"
                );
            }
        }
    }
    assert_eq!(others, OF_OTHERS.map(str::to_owned).into());
}

#[test]
fn what_is_unknown_missing_or_of_another_type_is_refused() {
    let Some(versions) = versions() else { return };
    let good = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1}]}}";
    let bad = [
        ("{port: 1}", "{port: 1, prot: TCP}"),
        ("{port: 1}", "{port: one}"),
        ("{port: 1}", "{name: a}"),
        ("{name: a}", "{nam: a}"),
    ];
    for version in versions {
        let check = |text: &str| complaints(&version, &documents(text)[0]);
        assert_eq!(check(good), Vec::<String>::new());
        for (part, other) in bad {
            assert!(!check(&good.replace(part, other)).is_empty(), "{other}");
        }
    }
}
