//! The manifests for Kubernetes and the compose files, held against what they run: kustomize renders them, the schemas of the
//! API judge them, and the real binaries start with their settings.
//!
//! No cluster is needed, and none is asked. `cargo xtask test` brings the tools.

mod compose;
mod names;
mod objects;
mod pods;
mod scaling;
mod schemas;
mod settings;
mod start;
