//! What a power failure takes from a Redis that syncs every second: the end of its append-only file.
//!
//! SIGKILL alone takes nothing, since the kernel still has what was written.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use broker::testing::TestRedis;

/// How much is lost: what was written in this time.
const LOST: Duration = Duration::from_secs(1);
/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long the append-only file was when.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    sizes: VecDeque<(Instant, PathBuf, u64)>,
}

impl Disk {
    /// The disk of a Redis that runs.
    pub async fn of(redis: &TestRedis) -> Self {
        let (_, folder): (String, String) = redis.command(&["CONFIG", "GET", "dir"]).await;
        Self::new(PathBuf::from(folder).join("appendonlydir"))
    }

    /// The disk of a Redis whose append-only files are in this folder.
    const fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            sizes: VecDeque::new(),
        }
    }

    /// Looks at the file, if that is due.
    pub fn look(&mut self) {
        let now = Instant::now();
        let is_due = |(last, _, _): &(Instant, _, _)| now - *last >= LOOK;
        if self.sizes.back().is_none_or(is_due)
            && let Ok(Some((path, size))) = newest(&self.folder)
        {
            self.sizes.push_back((now, path, size));
        }
        // Only the newest of those that are old enough can still be wanted.
        while self.sizes.get(1).is_some_and(|(at, ..)| now - *at >= LOST) {
            self.sizes.pop_front();
        }
    }

    /// Takes from the file of a killed Redis what was written last; says how many bytes that were.
    pub fn lose(&mut self) -> io::Result<u64> {
        let oldest = self.sizes.pop_front();
        self.sizes.clear();
        match (oldest, newest(&self.folder)?) {
            // Another file has begun meanwhile: all of the old one was synced by then.
            (Some((_, known, size)), Some((path, now))) if known == path && size < now => {
                let file: File = OpenOptions::new().write(true).open(path)?;
                file.set_len(size)?;
                Ok(now - size)
            }
            _ => Ok(0),
        }
    }
}

/// The file that is appended to, and its size.
fn newest(folder: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    let mut newest = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            let meta = entry.metadata()?;
            newest = newest.max(Some((meta.modified()?, path, meta.len())));
        }
    }
    Ok(newest.map(|(_, path, size)| (path, size)))
}

#[cfg(test)]
mod tests {
    use super::Disk;

    #[test]
    fn the_end_of_the_file_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("appendonly.aof.1.incr.aof");
        std::fs::write(&path, "old").unwrap();
        let mut disk = Disk::new(folder.path().to_owned());
        disk.look();
        std::fs::write(&path, "old and new").unwrap();
        assert_eq!(disk.lose().unwrap(), 8);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(disk.lose().unwrap(), 0);
    }
}
