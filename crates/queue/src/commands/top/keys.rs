//! What a key means, by what is on the screen. Changes the view alone: what Redis must do is only wished for.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use protocol::{JobId, JobRecord, QueueName};

use super::{
    deed::Deed,
    view::{Cover, Panel, View},
};
use crate::commands::{job::portrait, verb::Verb};

/// What is to be done because of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Leave,
    /// Look at Redis now.
    Look,
    Do(Deed),
    /// Read a job with everything.
    Open(QueueName, JobId),
}

/// All keys, for people.
pub(super) const HELP: [(&str, &str); 10] = [
    ("↑ ↓  k j", "select a row; scroll a job"),
    ("PgUp PgDn", "ten rows"),
    ("Home End  g G", "the first row, the last"),
    ("Tab  ← →", "the next panel, the one before"),
    (
        "Enter",
        "show the selected job; from a queue, its failed jobs",
    ),
    ("p", "pause the selected queue, or resume it"),
    ("r", "run the selected failed job again"),
    ("y n", "answer a question"),
    ("?", "this help"),
    ("q Esc Ctrl-C", "back, or leave"),
];

const PAGE: isize = 10;

impl View {
    /// Takes in a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, control) {
            (KeyCode::Char('c'), true) => Wish::Leave,
            (_, true) => Wish::Nothing,
            (code, false) => {
                self.note = None;
                match self.cover.take() {
                    Some(cover) => self.on_cover(cover, code),
                    None => self.on_panels(code),
                }
            }
        }
    }

    fn on_cover(&mut self, cover: Cover, code: KeyCode) -> Wish {
        match (cover, code) {
            (Cover::Ask(deed), KeyCode::Char('y' | 'Y')) => return Wish::Do(deed),
            (Cover::Ask(_), KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc)
            | (Cover::Help, _)
            | (Cover::Job(..), KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q')) => {}
            // Anything else is no answer.
            (Cover::Ask(deed), _) => self.cover = Some(Cover::Ask(deed)),
            (Cover::Job(Ok(job), _), KeyCode::Char('r')) if can_retry(&job) => {
                self.ask_retry(&job.queue, job.id);
            }
            (Cover::Job(job, scroll), code) => {
                // The last line stays in sight.
                let most = job.as_ref().map_or(0, |job| lines(job, self.now) - 1);
                let scroll = scroll.saturating_add_signed(step(code).unwrap_or(0));
                self.cover = Some(Cover::Job(job, scroll.min(most)));
            }
        }
        Wish::Nothing
    }

    fn on_panels(&mut self, code: KeyCode) -> Wish {
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Leave,
            KeyCode::Char('?' | 'h') => self.cover = Some(Cover::Help),
            KeyCode::Tab | KeyCode::Right => self.panel = self.panel.turned(1),
            KeyCode::BackTab | KeyCode::Left => self.panel = self.panel.turned(3),
            KeyCode::Char('p') => self.ask_pause(),
            KeyCode::Char('r') => match (self.panel, self.jobs(), self.failed.on()) {
                (Panel::Failed, Some(jobs), Some(id)) if !jobs.failed.is_empty() => {
                    let (queue, id) = (jobs.queue.clone(), *id);
                    self.ask_retry(&queue, id);
                }
                _ => self.note = Some("Select a failed job first: Tab goes there".to_owned()),
            },
            KeyCode::Enter => return self.enter(),
            code => {
                if let Some(by) = step(code) {
                    return self.select(by);
                }
            }
        }
        Wish::Nothing
    }

    fn ask_pause(&mut self) {
        let on = self.queues.on();
        let depths = self.depths().iter();
        let selected = depths
            .filter(|depth| Some(&depth.stats.queue) == on)
            .map(|depth| (depth.stats.queue.clone(), depth.paused))
            .next();
        if let Some((queue, paused)) = selected {
            let deed = if paused {
                Deed::Resume(queue)
            } else {
                Deed::Pause(queue)
            };
            self.cover = Some(Cover::Ask(deed));
        }
    }

    fn ask_retry(&mut self, queue: &QueueName, id: JobId) {
        self.cover = Some(Cover::Ask(Deed::Retry(queue.clone(), id)));
    }

    fn enter(&mut self) -> Wish {
        let on = match self.panel {
            Panel::Queues => {
                self.panel = Panel::Failed;
                return Wish::Nothing;
            }
            Panel::Workers => return Wish::Nothing,
            Panel::Active => self.active.on(),
            Panel::Failed => self.failed.on(),
        };
        let there = |id: &&JobId| self.ids(self.panel).contains(id);
        match (self.queues.on(), on.filter(there)) {
            (Some(queue), Some(id)) => Wish::Open(queue.clone(), *id),
            _ => Wish::Nothing,
        }
    }

    fn select(&mut self, by: isize) -> Wish {
        match self.panel {
            Panel::Queues => {
                let names = self.queue_names();
                let before = self.queues.at();
                self.queues.step(by, &names);
                if self.queues.at() != before {
                    // Its jobs are another queue's.
                    return Wish::Look;
                }
            }
            Panel::Workers => {
                let names = self.worker_names();
                self.workers.step(by, &names);
            }
            Panel::Active => {
                let ids = self.ids(Panel::Active);
                self.active.step(by, &ids);
            }
            Panel::Failed => {
                let ids = self.ids(Panel::Failed);
                self.failed.step(by, &ids);
            }
        }
        Wish::Nothing
    }
}

/// Whether a job can be run again.
pub(super) fn can_retry(job: &JobRecord) -> bool {
    Verb::Retry.states().contains(&job.state)
}

/// How many lines a job has, and one at least.
fn lines(job: &JobRecord, now: u64) -> usize {
    portrait(job, now).lines().count().max(1)
}

/// How far a key moves.
const fn step(code: KeyCode) -> Option<isize> {
    match code {
        KeyCode::Up | KeyCode::Char('k') => Some(-1),
        KeyCode::Down | KeyCode::Char('j') => Some(1),
        KeyCode::PageUp => Some(-PAGE),
        KeyCode::PageDown => Some(PAGE),
        KeyCode::Home | KeyCode::Char('g') => Some(isize::MIN),
        KeyCode::End | KeyCode::Char('G') => Some(isize::MAX),
        _ => None,
    }
}
