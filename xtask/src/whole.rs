//! A folder that is there as a whole, or not at all: it is made beside its place and moved there in one step.

use std::path::Path;

use anyhow::Context;

/// Has `make` fill an empty folder, and moves that into place. Where another run was faster, its folder stays.
pub(crate) fn folder(
    folder: &Path,
    make: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = folder.file_name().context("a folder has a name")?;
    let partial = folder.with_file_name(format!(
        ".partial-{}-{}",
        name.display(),
        std::process::id()
    ));
    std::fs::create_dir_all(&partial)
        .with_context(|| format!("could not make {}", partial.display()))?;
    let outcome = make(&partial).and_then(|()| {
        let renamed = std::fs::rename(&partial, folder);
        if !folder.is_dir() {
            renamed.with_context(|| format!("could not make {}", folder.display()))?;
        }
        Ok(())
    });
    // There is nothing left of it when all went well.
    let _ = std::fs::remove_dir_all(&partial);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_made_leaves_nothing() {
        let parent = std::env::temp_dir().join(format!("xtask-whole-{}", std::process::id()));
        let wanted = parent.join("wanted");
        let write = |text: &'static str| {
            move |folder: &Path| Ok(std::fs::write(folder.join("file"), text)?)
        };
        folder(&wanted, |partial| {
            write("half")(partial)?;
            anyhow::bail!("no more")
        })
        .unwrap_err();
        assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 0);
        folder(&wanted, write("first")).unwrap();
        folder(&wanted, write("second")).unwrap();
        assert_eq!(
            std::fs::read_to_string(wanted.join("file")).unwrap(),
            "first"
        );
        assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 1);
        std::fs::remove_dir_all(&parent).unwrap();
    }
}
