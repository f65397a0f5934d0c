//! `queue schedules apply` and `validate`: a file of schedules, and what it changes.

use serde_json::json;

use super::{ApplyArgs, FileArgs, book, fault};
use crate::{FileError, ScheduleFile, console::Console, fault::Fault};

pub(super) async fn apply(console: &Console, args: &ApplyArgs) -> Result<(), Fault> {
    let file = read(&args.file)?;
    let changes = file
        .apply(&book(console), args.dry_run)
        .await
        .map_err(|error| fault(console, error))?;
    if args.file.json {
        return console.out.json(&json!({
            "source": file.source(), "dry_run": args.dry_run, "changes": changes,
        }));
    }
    let mut count = 0;
    for change in changes.iter().filter(|change| !change.is_none()) {
        console.out.print(&format!("{change}\n"))?;
        count += 1;
    }
    console.out.print(&match (count, args.dry_run) {
        (0, _) => "Nothing is to be changed.\n".to_owned(),
        (count, true) => format!("{count} would change.\n"),
        (count, false) => format!("{count} changed.\n"),
    })
}

pub(super) fn validate(console: &Console, args: &FileArgs) -> Result<(), Fault> {
    let file = read(args)?;
    let (source, count) = (file.source(), file.len());
    if args.json {
        return console
            .out
            .json(&json!({ "source": source, "schedules": count }));
    }
    console
        .out
        .print(&format!("{source}: {count} schedules, nothing wrong\n"))
}

fn read(args: &FileArgs) -> Result<ScheduleFile, Fault> {
    ScheduleFile::read(&args.file).map_err(|error: FileError| Fault::Usage(error.to_string()))
}
