//! The schemas of the Kubernetes API, strict ones, of the oldest version that is promised and of the newest.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

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
const HERE: &str = "#/$defs/";

fn kind(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().expect("it says what it is");
    format!("{} {}", text("apiVersion"), text("kind"))
}

/// The schemas of one version.
struct Version {
    folder: PathBuf,
    /// What all have in common, by name.
    common: Value,
    /// What was put together so far, by kind.
    validators: BTreeMap<String, Validator>,
}

impl Version {
    /// Both; nothing where there are none.
    fn all() -> Option<Vec<Self>> {
        let folders = fs::read_dir(tool("KUBERNETES_SCHEMAS")?).unwrap();
        let all: Vec<_> = folders
            .map(|entry| Self::of(entry.unwrap().path()))
            .collect();
        assert_eq!(all.len(), 2);
        Some(all)
    }

    fn of(folder: PathBuf) -> Self {
        let common = read(&folder.join("_definitions.json"))["$defs"].take();
        Self {
            folder,
            common,
            validators: BTreeMap::new(),
        }
    }

    /// What is wrong with an object.
    fn complaints(&mut self, object: &Value) -> Vec<String> {
        let kind = kind(object);
        if !self.validators.contains_key(&kind) {
            let validator = self.validator(object);
            self.validators.insert(kind.clone(), validator);
        }
        let errors = self.validators[&kind].iter_errors(object);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// The schema of one kind, with what it refers to in it, and nothing else of the thousands.
    fn validator(&self, object: &Value) -> Validator {
        // `apps/v1` is `apps-v1`, `networking.k8s.io/v1` is `networking-v1`.
        let version = object["apiVersion"].as_str().unwrap();
        let version = match version.split_once('/') {
            Some((group, version)) => format!("{}-{version}", group.split('.').next().unwrap()),
            None => version.to_owned(),
        };
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let mut schema = read(&self.folder.join(format!("{kind}-{version}.json")));
        let mut used = BTreeMap::new();
        let mut open = references(&schema);
        while let Some(name) = open.pop() {
            let part = &self.common[&name];
            assert!(part.is_object(), "{name}");
            if used.insert(name, part.clone()).is_none() {
                open.extend(references(part));
            }
        }
        schema["$defs"] = used.into_iter().collect();
        jsonschema::draft202012::new(&schema).unwrap()
    }
}

fn read(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text.replace(COMMON, HERE)).unwrap()
}

/// The names of the common parts that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == "$ref" => {
                    let part = text.strip_prefix(HERE);
                    vec![part.unwrap_or_else(|| panic!("{text}")).to_owned()]
                }
                _ => references(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_object_is_one_of_kubernetes() {
    let Some(mut versions) = Version::all() else {
        return;
    };
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
            for version in &mut versions {
                let complaints = version.complaints(object);
                let version = version.folder.display();
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
    let Some(versions) = Version::all() else {
        return;
    };
    let good = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1}]}}";
    let bad = [
        ("{port: 1}", "{port: 1, prot: TCP}"),
        ("{port: 1}", "{port: one}"),
        ("{port: 1}", "{name: a}"),
        ("{name: a}", "{nam: a}"),
    ];
    for mut version in versions {
        let mut check = |text: &str| version.complaints(&documents(text)[0]);
        assert_eq!(check(good), Vec::<String>::new());
        for (part, other) in bad {
            assert!(!check(&good.replace(part, other)).is_empty(), "{other}");
        }
    }
}
