//! A file of schedules, in JSON or TOML: read and checked as a whole, and what has to change so that all is as it says.
//!
//! A file owns the schedules that came from it: what vanished from it is removed. It leaves all others alone, and what an
//! operator paused stays paused.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
};

use protocol::{QueueName, Schedule, ScheduleName, ScheduleRecord, SourceName};
use serde::{Deserialize, Serialize};

use super::{ScheduleBook, ScheduleError};

const UNCHANGED: &str = "unchanged";

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It can't be read.
    #[error("{0} can't be read: {1}")]
    Read(String, std::io::Error),
    /// It is neither JSON nor TOML of the right form.
    #[error("{0}: {1}")]
    Form(String, String),
    /// Its name can't be that of a source.
    #[error("{0}: its name can't stand for its schedules ({1}): say `source` in it")]
    Source(String, protocol::NameError),
    /// A schedule in it can't be taken.
    #[error("schedule `{0}` of queue {1}: {2}")]
    Schedule(ScheduleName, QueueName, ScheduleError),
    /// A schedule is in it twice.
    #[error("schedule `{0}` of queue {1} is there twice")]
    Twice(ScheduleName, QueueName),
}

/// The schedules of a file, all of which can be put.
#[derive(Clone, Debug)]
pub struct ScheduleFile {
    source: SourceName,
    schedules: Vec<Schedule>,
}

/// What a file makes of a schedule.
#[derive(Clone, Debug, Serialize)]
pub struct FileChange {
    /// The schedule's queue.
    pub queue: QueueName,
    /// Its name.
    pub name: ScheduleName,
    /// `added`, `updated`, `removed` or `unchanged`.
    pub change: &'static str,
}

impl FileChange {
    /// Whether all was as the file says.
    pub fn is_none(&self) -> bool {
        self.change == UNCHANGED
    }
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queue,
            name,
            change,
        } = self;
        write!(f, "{change} {name} of queue {queue}")
    }
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    source: Option<SourceName>,
    #[serde(default)]
    schedules: Vec<Schedule>,
}

impl ScheduleFile {
    /// Reads a file: TOML if its name ends so, else JSON.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let shown = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| FileError::Read(shown.clone(), error))?;
        let is_toml = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("toml"));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::parse(&text, is_toml, &name)
    }

    /// Reads the text of a file of this name.
    pub fn parse(text: &str, is_toml: bool, name: &str) -> Result<Self, FileError> {
        let form = |error: String| FileError::Form(name.to_owned(), error);
        let json = if is_toml {
            let table: toml::Table =
                toml::from_str(text).map_err(|error| form(error.to_string().replace('\n', " ")))?;
            serde_json::to_string(&table).map_err(|error| form(error.to_string()))?
        } else {
            text.to_owned()
        };
        // Through text, since payloads are kept as they stand in it.
        let Written { source, schedules } =
            serde_json::from_str(&json).map_err(|error| form(error.to_string()))?;
        let source = match source {
            Some(source) => source,
            None => {
                SourceName::new(name).map_err(|error| FileError::Source(name.to_owned(), error))?
            }
        };
        let mut seen = HashSet::new();
        let mut owned = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            let schedule = Schedule {
                source: Some(source.clone()),
                ..schedule
            };
            let (name, queue) = (schedule.name.clone(), schedule.queue.clone());
            if let Err(error) = ScheduleBook::check(&schedule) {
                return Err(FileError::Schedule(name, queue, error));
            }
            if !seen.insert((queue.clone(), name.clone())) {
                return Err(FileError::Twice(name, queue));
            }
            owned.push(schedule);
        }
        Ok(Self {
            source,
            schedules: owned,
        })
    }

    /// What its schedules are known by.
    pub const fn source(&self) -> &SourceName {
        &self.source
    }

    /// How many schedules it has.
    pub const fn len(&self) -> usize {
        self.schedules.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.schedules.is_empty()
    }

    /// Makes all be as it says, or with `dry_run` only says what that would change.
    pub async fn apply(
        &self,
        book: &ScheduleBook,
        dry_run: bool,
    ) -> Result<Vec<FileChange>, ScheduleError> {
        let mut there: HashMap<_, _> = book
            .list(None)
            .await?
            .into_iter()
            .map(|record| {
                let Schedule { queue, name, .. } = &record.schedule;
                ((queue.clone(), name.clone()), record)
            })
            .collect();
        let mut changes = Vec::new();
        for schedule in &self.schedules {
            let (queue, name) = (schedule.queue.clone(), schedule.name.clone());
            let change = match there.remove(&(queue.clone(), name.clone())) {
                Some(record) if is_as(&record, schedule) => UNCHANGED,
                Some(_) => "updated",
                None => "added",
            };
            if change != UNCHANGED && !dry_run {
                book.put_as(schedule.clone()).await?;
            }
            changes.push(FileChange {
                queue,
                name,
                change,
            });
        }
        let mut gone: Vec<_> = there
            .into_values()
            .map(|record| record.schedule)
            .filter(|schedule| schedule.source.as_ref() == Some(&self.source))
            .map(|schedule| (schedule.queue, schedule.name))
            .collect();
        gone.sort_unstable();
        for (queue, name) in gone {
            if !dry_run {
                match book.remove(&queue, &name).await {
                    // Another manager with the same file was first.
                    Ok(()) | Err(ScheduleError::NotFound(..)) => {}
                    Err(error) => return Err(error),
                }
            }
            changes.push(FileChange {
                queue,
                name,
                change: "removed",
            });
        }
        Ok(changes)
    }
}

/// Whether a schedule stands as it is said to.
fn is_as(record: &ScheduleRecord, said: &Schedule) -> bool {
    let standing = Schedule {
        paused: said.paused.and(record.schedule.paused),
        ..record.schedule.clone()
    };
    standing.stored() == said.stored()
}

#[cfg(test)]
mod tests {
    use super::{FileError, ScheduleFile};

    const JSON: &str = r#"{"schedules":[
        {"name":"a","queue":"chat","when":{"cron":"0 0 9 * * MON-FRI","zone":"Europe/Berlin"},
         "job":{"kind":"chat","payload":{"msg":"good morning"}}},
        {"name":"b","queue":"chat","when":{"every_ms":60000},"job":{"kind":"chat","payload":null}}
    ]}"#;

    const TOML: &str = r#"
        source = "house"
        [[schedules]]
        name = "a"
        queue = "chat"
        missed = "catch_up"
        when = { cron = "0 0 9 * * MON-FRI", zone = "Europe/Berlin" }
        job = { kind = "chat", payload = { msg = "good morning" } }
    "#;

    fn refused(text: &str, is_toml: bool) -> String {
        ScheduleFile::parse(text, is_toml, "f.json")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_file_is_json_or_toml() {
        let json = ScheduleFile::parse(JSON, false, "f.json").unwrap();
        assert_eq!((json.len(), json.source().as_str()), (2, "f.json"));
        let toml = ScheduleFile::parse(TOML, true, "f.toml").unwrap();
        assert_eq!((toml.len(), toml.source().as_str()), (1, "house"));
        let (one, other) = (&json.schedules[0], &toml.schedules[0]);
        assert_eq!(one.when, other.when);
        assert_eq!(one.job.payload.get(), other.job.payload.get());
        assert!(ScheduleFile::parse("{}", false, "f").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("{", false).starts_with("f.json: EOF"));
        assert!(refused("[[schedules", true).starts_with("f.json: TOML parse error"));
        let unknown = JSON.replace("\"when\"", "\"wen\"");
        assert!(refused(&unknown, false).contains("unknown field `wen`"));
        let zone = JSON.replace("Berlin", "Atlantis");
        let error = refused(&zone, false);
        assert!(error.starts_with("schedule `a` of queue chat: when: no time zone"));
        let twice = JSON.replace("\"b\"", "\"a\"");
        assert!(refused(&twice, false).ends_with("`a` of queue chat is there twice"));
        let unnamed = ScheduleFile::parse("{}", false, "my file.json");
        assert!(matches!(unnamed, Err(FileError::Source(..))));
    }
}
