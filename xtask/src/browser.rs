//! The browser that tests look at the page with: where it is found.
//!
//! Only looks: `install` installs what is missing. Which version it is does not matter.

use std::path::PathBuf;

use crate::workspace::find_program;

/// Names the browser to use, for those who have several; the tests read it too.
pub(crate) const VARIABLE: &str = "BROWSER_BINARY";
const PROGRAMS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
];
/// Where macOS keeps them, which is not on PATH.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The browser that is named by the variable, or is there.
pub(crate) fn find() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let application = || {
        let paths = APPLICATIONS.into_iter().map(PathBuf::from);
        paths.into_iter().find(|path| path.is_file())
    };
    named
        .map(PathBuf::from)
        .or_else(|| PROGRAMS.into_iter().find_map(find_program))
        .or_else(application)
}
