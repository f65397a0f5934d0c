//! The file into which handlers write when they begin and end: what really ran, whatever Redis says.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use protocol::JobId;

use super::history::{Mark, Run, now_ms};

/// The run log of one worker. All workers append to one file.
#[derive(Debug)]
pub struct RunLog(Option<File>);

impl RunLog {
    /// Opens the file, or none.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path
            .map(|path| OpenOptions::new().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self(file))
    }

    /// Appends a line, as one write, so that lines of several processes don't mix.
    pub fn write(&self, mark: Mark, job: JobId, attempt: u32) {
        let Some(mut file) = self.0.as_ref() else {
            return;
        };
        let mark = match mark {
            Mark::Begin => "begin",
            Mark::End => "end",
        };
        let line = format!(
            "{mark} {job} {attempt} {} {}\n",
            std::process::id(),
            now_ms()
        );
        file.write_all(line.as_bytes())
            .expect("the run log can be written");
    }
}

/// Reads a run log; a line that a killed process did not finish is left out.
pub fn read(path: &Path) -> io::Result<Vec<Run>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(parse).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(line: &str) -> Option<Run> {
    let mut words = line.split(' ');
    let mark = match words.next()? {
        "begin" => Mark::Begin,
        "end" => Mark::End,
        _ => return None,
    };
    Some(Run {
        mark,
        job: words.next()?.parse().ok()?,
        attempt: words.next()?.parse().ok()?,
        pid: words.next()?.parse().ok()?,
        at: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use protocol::JobId;

    use super::{Mark, RunLog, parse, read};

    #[test]
    fn lines_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs");
        assert!(read(&path).unwrap().is_empty());
        let log = RunLog::open(Some(&path)).unwrap();
        let job = JobId::from_parts(1, 2);
        log.write(Mark::Begin, job, 1);
        log.write(Mark::End, job, 1);
        let runs = read(&path).unwrap();
        assert_eq!((runs.len(), runs[1].mark), (2, Mark::End));
        assert_eq!((runs[0].job, runs[0].pid), (job, std::process::id()));
        RunLog::open(None).unwrap().write(Mark::Begin, job, 1);
    }

    #[test]
    fn an_unfinished_line_is_left_out() {
        assert!(parse("begin 01ARZ3NDEKTSV4RRFFQ69G5FAV 1").is_none());
        assert!(parse("").is_none());
    }
}
