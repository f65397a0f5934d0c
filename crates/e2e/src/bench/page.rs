//! The page that shows the figures to people: `docs/benchmarks.md`, made from a [`Report`] and never by hand.

pub mod figure;
mod text;
pub mod verdict;

use std::{fs, path::Path};

use anyhow::Context as _;

use super::{picture, report::Report};

/// Writes `benchmarks.md` and the pictures in `benchmarks/` beside it. Pictures of an earlier page are removed.
pub fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    let pictures = folder.join("benchmarks");
    fs::create_dir_all(&pictures).with_context(|| format!("can't make {}", pictures.display()))?;
    for entry in fs::read_dir(&pictures)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display()))?;
        }
    }
    let rows = report.rows.iter().map(|row| (&row.name, picture::row(row)));
    let curves = report.curves.iter();
    let curves = curves.map(|curve| (&curve.name, picture::curve(curve)));
    for (name, picture) in rows.chain(curves) {
        put(&pictures.join(format!("{name}.svg")), &picture)?;
    }
    put(&folder.join("benchmarks.md"), &text::page(report))
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
pub(in crate::bench) mod tests;
