//! Turns a handler's panic into the failure of its attempt, so that it never stops the worker, with where it happened.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::RefCell,
    fmt::Write as _,
    panic::{self, PanicHookInfo},
    sync::Once,
};

use broker::JobError;
use protocol::FailureCode;

/// What a frame's name begins with that is not the handler's business.
const FOREIGN: [&str; 13] = [
    "std::",
    "core::",
    "alloc::",
    "<core::",
    "<alloc::",
    "<std::",
    "tokio::",
    "apalis",
    "<apalis",
    "tower",
    "<tower",
    "futures_util::",
    "<futures_util::",
];
/// How many frames are kept.
const FRAMES: usize = 24;

thread_local! {
    /// Where the last panic of this thread happened. It is taken on the thread that panicked, before anything else runs there.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics leave behind where they happened. What was done about them before is still done.
pub(crate) fn watch() {
    static WATCHES: Once = Once::new();
    WATCHES.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = place(info, &Backtrace::force_capture().to_string());
            LAST.with_borrow_mut(|last| *last = Some(place));
            before(info);
        }));
    });
}

/// What a panic makes of an attempt: it failed, and may be tried again.
#[allow(
    clippy::borrowed_box,
    reason = "apalis' layer passes a reference to the box"
)]
pub(crate) fn on_panic(panic: &Box<dyn Any + Send>) -> JobError {
    let message = if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "the handler panicked with something that is no text".to_owned()
    };
    let error = JobError::with_code(FailureCode::Panic, message);
    match LAST.take() {
        Some(place) => error.at(place),
        None => error,
    }
}

fn place(info: &PanicHookInfo<'_>, backtrace: &str) -> String {
    let mut text = String::new();
    if let Some(location) = info.location() {
        let _ = writeln!(text, "at {location}");
    }
    text.push_str(&frames(backtrace));
    text
}

/// The frames of the handler and of what it calls, without those of the runtime and the standard library around them.
fn frames(backtrace: &str) -> String {
    let mut frames: Vec<(&str, &str)> = Vec::new();
    for line in backtrace.lines().map(str::trim_start) {
        let frame = line
            .split_once(": ")
            .filter(|(n, _)| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some((_, name)) = frame {
            frames.push((name, ""));
        } else if let Some(last) = frames.last_mut() {
            last.1 = line;
        }
    }
    frames.retain(|(name, place)| {
        !FOREIGN.iter().any(|foreign| name.starts_with(foreign))
            && !name.starts_with("__rust")
            && !name.contains("panic::watch")
            && !place.starts_with("at /rustc/")
    });
    let mut text = String::new();
    for (number, (name, place)) in frames.iter().take(FRAMES).enumerate() {
        let _ = writeln!(text, "{number:>4}: {name}");
        if !place.is_empty() {
            let _ = writeln!(text, "          {place}");
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{frames, on_panic, watch};

    #[test]
    fn only_frames_of_the_handler_are_kept() {
        let backtrace = "\
   0: std::backtrace::Backtrace::force_capture
   1: worker::panic::watch::{{closure}}::{{closure}}
             at ./src/panic.rs:38:50
   2: __rustc::rust_begin_unwind
             at /rustc/x/library/std/src/panicking.rs:689:5
   3: core::panicking::panic_fmt
   4: mail::send
             at ./src/mail.rs:12:9
   5: <mail::Handler as worker::Handler>::call
   6: tokio::runtime::task::harness::poll_future
   7: poll<alloc::boxed::Box<dyn core::future::Future>>
             at /rustc/x/library/core/src/future/future.rs:133:9
";
        let expected = "   0: mail::send
          at ./src/mail.rs:12:9
   1: <mail::Handler as worker::Handler>::call";
        assert_eq!(frames(backtrace), expected);
    }

    #[test]
    fn a_panic_says_where_it_was() {
        watch();
        let panic = catch_unwind(AssertUnwindSafe(|| panic!("boom {}", 1))).unwrap_err();
        let error = on_panic(&panic);
        let failure = error.failure();
        assert_eq!(failure.message, "boom 1");
        let place = failure.backtrace.as_deref().unwrap();
        assert!(
            place.starts_with("at crates/worker/src/panic.rs:"),
            "{place}"
        );
        assert!(place.contains("a_panic_says_where_it_was"), "{place}");
        // It is told once.
        assert!(on_panic(&panic).failure().backtrace.is_none());
    }
}
