//! Pictures of `queue top` as they were reviewed, and what keys do to them.

use std::time::{Duration, Instant};

use broker::{Counts, Totals, WorkerCard, WorkerStatus};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::{JobRecord, QueueName};
use ratatui::{
    Terminal,
    backend::TestBackend,
    style::{Color, Modifier},
};

use super::{
    deed::Deed,
    draw::draw,
    ink::Ink,
    keys::Wish,
    seen::{Depth, Jobs, Member, Seen},
    view::{Panel, View},
};
use crate::{Millis, QueueStats, snapshot};

const NOW: u64 = 1_714_979_289_123;

fn name(queue: &str) -> QueueName {
    queue.parse().unwrap()
}

fn depth(queue: &str, waiting: u64, failed: u64, completed: u64, paused: bool) -> Depth {
    Depth {
        stats: QueueStats {
            queue: name(queue),
            jobs: Counts {
                waiting,
                delayed: 3,
                active: 2,
                completed: 1_234_567,
                failed,
                cancelled: 0,
            },
            totals: Totals {
                enqueued: completed + waiting,
                completed,
                failed,
                ..Totals::default()
            },
        },
        paused,
    }
}

fn worker(name: &str, active: u32, alive: bool) -> Member {
    Member {
        queue: self::name("chat"),
        status: WorkerStatus {
            name: name.to_owned(),
            card: WorkerCard {
                host: "host\u{1b}1".to_owned(),
                pid: 42,
                version: "0.1.0".to_owned(),
                concurrency: 100,
                active,
                started_at: 0,
            },
            kinds: Vec::new(),
            beat_at: NOW - if alive { 1_000 } else { 185_000 },
            alive,
        },
    }
}

fn job(id: &str, rest: &str) -> JobRecord {
    let text = format!(
        r#"{{"id":"{id}","queue":"chat","kind":"say","tenant":"public","topic":"lobby","priority":"normal",
        "handed_back":0,"max_attempts":5,"created_at":{NOW},"payload":{{"msg":"hi"}},{rest}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn seen(at: Instant, at_ms: u64, completed: u64) -> Seen {
    let started = NOW - 65_000;
    let active = format!(r#""state":"active","attempt":1,"worker":"w-1","started_at":{started}"#);
    let failed = format!(
        r#""state":"failed","attempt":5,"finished_at":{started},"worker":"w-1","error":{{"code":"panic","message":"one\ntwo \u001b[31mthree"}}"#
    );
    Seen {
        at,
        at_ms,
        queues: vec![
            depth("chat", 12, 7, completed, false),
            depth("reports", 1_500, 0, 0, true),
        ],
        workers: vec![worker("w-1", 37, true), worker("w-2", 0, false)],
        jobs: Some(Jobs {
            queue: name("chat"),
            active: vec![job("01ARZ3NDEKTSV4RRFFQ69G5FAV", &active)],
            failed: vec![
                job("01ARZ3NDEKTSV4RRFFQ69G5FAW", &failed),
                job("01ARZ3NDEKTSV4RRFFQ69G5FAX", &failed),
            ],
        }),
    }
}

fn blank() -> View {
    let mut view = View::new(
        "127.0.0.1:6379".to_owned(),
        "dwb".to_owned(),
        None,
        Millis(1_000),
    );
    view.now = NOW;
    view
}

/// A view after looks of half a minute, in which ever more jobs completed.
fn view() -> View {
    let mut view = blank();
    let begin = Instant::now();
    for n in 0..=30_u64 {
        let at = begin + Duration::from_secs(n);
        view.take(Ok(seen(at, NOW - 30_000 + n * 1_000, n * n)));
    }
    view
}

fn press(view: &mut View, keys: &[KeyCode]) -> Vec<Wish> {
    keys.iter()
        .map(|code| view.press(KeyEvent::new(*code, KeyModifiers::NONE)))
        .collect()
}

fn terminal(view: &View, ink: Ink, (columns, rows): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal
        .draw(|frame| draw(view, ink, frame.area(), frame.buffer_mut()))
        .unwrap();
    terminal
}

fn picture(view: &View, size: (u16, u16)) -> String {
    let terminal = terminal(view, Ink::new(false), size);
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    let mut text = String::new();
    for row in buffer.content.chunks(width) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn a_wide_screen_shows_everything() {
    snapshot::check("top-wide", &picture(&view(), (130, 30)));
}

#[test]
fn eighty_columns_show_what_matters() {
    snapshot::check("top-80", &picture(&view(), (80, 24)));
}

#[test]
fn a_small_screen_shows_the_panel_that_has_the_keys() {
    let mut view = view();
    press(&mut view, &[KeyCode::Tab, KeyCode::Tab, KeyCode::Tab]);
    snapshot::check("top-small", &picture(&view, (60, 12)));
    snapshot::check("top-too-small", &picture(&view, (30, 5)));
    // Whatever the size, nothing falls over.
    for columns in (1..200).step_by(29) {
        for rows in (1..40).step_by(5) {
            picture(&view, (columns, rows));
        }
    }
}

#[test]
fn an_outage_is_said_and_what_was_seen_stays() {
    let mut view = blank();
    snapshot::check("top-first", &picture(&view, (80, 10)));
    let why = "Redis at 127.0.0.1:6379 can't be reached: refused";
    view.take(Err(why.to_owned()));
    snapshot::check("top-never", &picture(&view, (110, 10)));
    view.take(Ok(seen(Instant::now(), NOW - 65_000, 1)));
    view.take(Err(why.to_owned()));
    snapshot::check("top-away", &picture(&view, (130, 20)));
    view.take(Ok(seen(Instant::now(), NOW, 2)));
    assert!(view.trouble.is_none());
}

#[test]
fn an_empty_redis_is_no_trouble() {
    let mut view = blank();
    view.take(Ok(Seen {
        at: Instant::now(),
        at_ms: NOW,
        queues: Vec::new(),
        workers: Vec::new(),
        jobs: None,
    }));
    press(
        &mut view,
        &[KeyCode::Down, KeyCode::Char('p'), KeyCode::Enter],
    );
    press(&mut view, &[KeyCode::Enter, KeyCode::Char('r')]);
    snapshot::check("top-empty", &picture(&view, (80, 20)));
}

#[test]
fn a_job_is_shown_scrolled_and_left() {
    let mut view = view();
    let wishes = press(&mut view, &[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    let jobs = view.jobs().unwrap();
    let job = jobs.failed[1].clone();
    assert_eq!(wishes[2], Wish::Open(name("chat"), job.id));
    view.show(Ok(Some(job)));
    press(&mut view, &[KeyCode::Down, KeyCode::Down]);
    snapshot::check("top-job", &picture(&view, (80, 20)));
    press(&mut view, &[KeyCode::End]);
    let shown = picture(&view, (80, 20));
    assert!(shown.contains("\"msg\"") || shown.contains('}'), "{shown}");
    press(&mut view, &[KeyCode::Home]);
    assert!(picture(&view, (80, 20)).contains("Job       01ARZ"));
    assert_eq!(press(&mut view, &[KeyCode::Esc]), [Wish::Nothing]);
    assert!(view.cover.is_none());
    view.show(Ok(None));
    assert!(picture(&view, (80, 20)).contains("forgotten"));
}

#[test]
fn a_look_too_soon_makes_no_rates() {
    let mut view = blank();
    let begin = Instant::now();
    let completed = |view: &View| view.rates.get(&name("chat")).map(|rates| rates.completed);
    view.take(Ok(seen(begin, NOW, 0)));
    assert_eq!(completed(&view), None);
    view.take(Ok(seen(begin + Duration::from_millis(20), NOW, 9)));
    assert_eq!(completed(&view), None);
    view.take(Ok(seen(begin + Duration::from_secs(1), NOW, 10)));
    assert_eq!(completed(&view), Some(10.0));
    view.take(Ok(seen(begin + Duration::from_millis(1_020), NOW, 30)));
    assert_eq!(completed(&view), Some(10.0));
    view.take(Ok(seen(begin + Duration::from_secs(2), NOW, 30)));
    assert_eq!(completed(&view), Some(20.0));
}

#[test]
fn help_lists_the_keys() {
    let mut view = view();
    press(&mut view, &[KeyCode::Char('?')]);
    snapshot::check("top-help", &picture(&view, (80, 20)));
    assert_eq!(press(&mut view, &[KeyCode::Char('q')]), [Wish::Nothing]);
    assert_eq!(press(&mut view, &[KeyCode::Char('q')]), [Wish::Leave]);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    press(&mut view, &[KeyCode::Char('?')]);
    assert_eq!(view.press(interrupt), Wish::Leave);
}

#[test]
fn nothing_is_changed_before_a_yes() {
    let mut view = view();
    let pause = Wish::Do(Deed::Pause(name("chat")));
    let keys = [KeyCode::Char('p'), KeyCode::Enter, KeyCode::Char('n')];
    assert_eq!(press(&mut view, &keys), [const { Wish::Nothing }; 3]);
    assert!(view.cover.is_none());
    press(&mut view, &[KeyCode::Char('p')]);
    let shown = picture(&view, (80, 20));
    assert!(shown.contains("\nPause chat? Jobs are taken, and none is run. [y/n]\n"));
    assert_eq!(press(&mut view, &[KeyCode::Char('y')]), [pause]);
    // The other queue is paused already; its jobs are not those that are shown.
    assert_eq!(press(&mut view, &[KeyCode::Down]), [Wish::Look]);
    assert!(view.jobs().is_none());
    let keys = [KeyCode::Char('p'), KeyCode::Char('y')];
    let resume = Wish::Do(Deed::Resume(name("reports")));
    assert_eq!(press(&mut view, &keys), [Wish::Nothing, resume]);
}

#[test]
fn only_a_selected_failed_job_is_run_again() {
    let mut view = view();
    press(&mut view, &[KeyCode::Char('r')]);
    assert!(view.note.as_ref().unwrap().contains("Select a failed job"));
    press(&mut view, &[KeyCode::BackTab, KeyCode::Char('G')]);
    assert_eq!(view.panel, Panel::Failed);
    let id = view.jobs().unwrap().failed[1].id;
    let keys = [KeyCode::Char('r'), KeyCode::Char('y')];
    let retry = Wish::Do(Deed::Retry(name("chat"), id));
    assert_eq!(press(&mut view, &keys), [Wish::Nothing, retry]);
}

#[test]
fn colours_are_for_those_who_want_them() {
    let view = view();
    let cells = |colour| {
        let terminal = terminal(&view, Ink::new(colour), (130, 30));
        terminal.backend().buffer().content.clone()
    };
    let coloured = |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset;
    assert!(cells(true).iter().any(coloured));
    let bare = cells(false);
    assert!(!bare.iter().any(coloured));
    let inverted = |cell: &ratatui::buffer::Cell| cell.modifier.contains(Modifier::REVERSED);
    assert!(bare.iter().any(inverted));
}
