//! What a benchmark of ours is made of, in every crate: cases, each with a name and something that is done over and over.
//!
//! `cargo bench` has divan time them. `PROGRAM list` and `PROGRAM count CASE TIMES` are for `cargo xtask instructions`, which
//! counts instead. Measures nothing by itself.

use std::fmt;
use std::hint::black_box;
use std::process::ExitCode;

/// Something that is measured.
pub(crate) struct Case {
    /// What it is called, in timings and in `xtask/instructions.json`.
    pub(crate) name: &'static str,
    /// How often it is done at least when it is counted: less of what takes long.
    pub(crate) times: u32,
    /// Prepares it. What is prepared is not measured.
    pub(crate) prepare: fn() -> Box<dyn FnMut()>,
}

impl Case {
    /// A case; see its fields.
    pub(crate) const fn new(
        name: &'static str,
        times: u32,
        prepare: fn() -> Box<dyn FnMut()>,
    ) -> Self {
        Self {
            name,
            times,
            prepare,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What makes a value: it is made as if somebody used it.
pub(crate) fn made<T>(make: impl Fn() -> T + 'static) -> Box<dyn FnMut()> {
    Box::new(move || drop(black_box(make())))
}

/// What a benchmark's `main` does.
pub(crate) fn main(cases: &[Case]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["list"] => list(cases),
        ["count", name, times] => match (find(cases, name), times.parse()) {
            (Some(case), Ok(times)) => repeat(case, times),
            _ => return ExitCode::FAILURE,
        },
        _ => divan::main(),
    }
    ExitCode::SUCCESS
}

#[allow(clippy::print_stdout, reason = "what this command is for")]
fn list(cases: &[Case]) {
    for case in cases {
        println!("{} {}", case.name, case.times);
    }
}

fn find<'a>(cases: &'a [Case], name: &str) -> Option<&'a Case> {
    cases.iter().find(|case| case.name == name)
}

fn repeat(case: &Case, times: u32) {
    let mut act = (case.prepare)();
    for _ in 0..times {
        act();
    }
}
