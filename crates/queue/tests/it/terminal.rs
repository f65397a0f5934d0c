//! A terminal of the test's own, with the binary on it: a pseudo-terminal, and a screen that reads what is drawn.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZero,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use broker::testing::until;
use nix::{
    pty::{OpenptyResult, Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{Termios, tcgetattr},
    },
    unistd::Pid,
};
use vt100::Parser;

fn length(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).unwrap()
}

pub(crate) struct Terminal {
    child: Child,
    keys: File,
    /// Our own end of what the child sees, to know how it was left.
    slave: Option<OwnedFd>,
    before: Termios,
    parser: Arc<Mutex<Parser>>,
    /// All that was ever drawn.
    drawn: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Runs a command on a terminal of so many columns and rows.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        // Other than these, copies are not inherited: a Redis that is started later would keep the terminal open.
        let [master, slave] = [master, slave].map(|end| end.try_clone().unwrap());
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        // It holds ends of its own.
        drop(command);
        let parser = Arc::new(Mutex::new(Parser::new(length(rows), length(columns), 0)));
        let keys = File::from(master);
        let mut output = keys.try_clone().unwrap();
        let shown = Arc::clone(&parser);
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&drawn);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // An error is the end: nobody holds the other end any more.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                all.lock().unwrap().extend(&bytes[..count]);
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self {
            child,
            keys,
            slave: Some(slave),
            before,
            parser,
            drawn,
            reader: Some(reader),
        }
    }

    /// Types something.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Makes the terminal another size, as a person does who pulls at its corner.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let stdin = self.slave.as_ref().unwrap().try_clone().unwrap();
        let done = Command::new("stty")
            .args(["rows", &rows.to_string(), "cols", &columns.to_string()])
            .stdin(stdin)
            .status()
            .unwrap();
        assert!(done.success());
        let mut parser = self.parser.lock().unwrap();
        parser.screen_mut().set_size(length(rows), length(columns));
    }

    /// What can be read on it now.
    pub(crate) fn screen(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// All that was ever drawn, with what it was drawn over.
    pub(crate) fn drawn(&self) -> String {
        String::from_utf8_lossy(&self.drawn.lock().unwrap()).into_owned()
    }

    /// Whether anything on it has a colour.
    pub(crate) fn has_colour(&self) -> bool {
        let parser = self.parser.lock().unwrap();
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        cells
            .filter_map(|(row, column)| screen.cell(row, column))
            .any(|cell| cell.fgcolor() != vt100::Color::Default)
    }

    /// Waits until a text can be read.
    pub(crate) async fn shows(&self, text: &str) {
        let what = format!("the terminal shows {text:?}");
        until(&what, async || self.screen().contains(text).then_some(())).await;
    }

    /// Waits until the process has ended, and checks that the terminal is as it was.
    pub(crate) async fn left(&mut self) -> ExitStatus {
        let status = until("the process ends", async || self.child.try_wait().unwrap()).await;
        let slave = self.slave.take().unwrap();
        let after = tcgetattr(&slave).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
        drop(slave);
        // All that was drawn has been read.
        self.reader.take().unwrap().join().unwrap();
        let parser = self.parser.lock().unwrap();
        assert!(
            !parser.screen().alternate_screen(),
            "the screen is given back"
        );
        assert!(!parser.screen().hide_cursor(), "and the cursor");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
