//! From the view to a picture. Pure: the same view and size give the same picture.

use protocol::JobState;
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Clear, Paragraph, Widget as _, Wrap},
};

use super::{
    ink::Ink,
    keys::{HELP, can_retry},
    panels::{self, block},
    view::{Cover, Panel, View},
};
use crate::{
    commands::job::portrait,
    rates::Rates,
    text::{age, escape},
};

/// What a picture needs at least.
const SMALLEST: (u16, u16) = (40, 8);
/// How many rows four panels need: a title, a head, and two rows.
const ALL_PANELS: u16 = 16;
const HINTS: &str = "q leave  Tab panel  Enter show  p pause  r retry  ? help";

pub(super) fn draw(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let (columns, rows) = SMALLEST;
    if area.width < columns || area.height < rows {
        let text = format!("{columns} columns and {rows} rows at least, please");
        Paragraph::new(text)
            .wrap(Wrap { trim: true })
            .render(area, buffer);
        return;
    }
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    header(view, ink, head, buffer);
    body_of(view, ink, body, buffer);
    footer(view, ink, foot, buffer);
    match &view.cover {
        Some(Cover::Help) => help(ink, body, buffer),
        Some(Cover::Job(job, scroll)) => {
            let text = match job {
                Ok(job) => portrait(job, view.now),
                Err(why) => escape::line(why).into_owned(),
            };
            job_cover(&text, *scroll, ink, body, buffer);
        }
        Some(Cover::Ask(_)) | None => {}
    }
}

/// Where Redis is and how it is; then how much there is of everything.
fn header(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let age = |at_ms| age::span(view.now.saturating_sub(at_ms));
    let (state, style) = match (&view.trouble, &view.seen) {
        // The reason comes last: it names all of Redis, and may be longer than the line.
        (Some(why), None) => (format!("trying again: {why}"), ink.trouble()),
        (Some(why), Some(seen)) => (
            format!("this is {} old; trying again: {why}", age(seen.at_ms)),
            ink.trouble(),
        ),
        (None, None) => ("looking".to_owned(), ink.quiet()),
        (None, Some(_)) => (format!("every {}", view.interval), ink.quiet()),
    };
    let mut first = vec![Span::styled("queue top", ink.title(true))];
    if view.trouble.is_none() {
        first.push(Span::raw(format!(
            "  Redis {}  prefix {}",
            view.address, view.prefix
        )));
    }
    first.push(Span::raw("  "));
    first.push(Span::styled(escape::line(&state).into_owned(), style));
    let lines = vec![Line::from(first), sums(view, ink)];
    Paragraph::new(lines).render(area, buffer);
}

/// All queues together; what matters most comes first, should the line be too short for the rest.
fn sums(view: &View, ink: Ink) -> Line<'static> {
    if view.seen.is_none() {
        return Line::default();
    }
    let mut line = Line::default();
    let mut add = |text: String, is_trouble: bool| {
        let style = if is_trouble {
            ink.trouble()
        } else {
            ink.title(false)
        };
        line.push_span(Span::styled(text, style));
    };
    let state = |state: JobState| {
        let depths = view.depths().iter();
        let sum: u64 = depths.map(|depth| depth.stats.jobs.get(state)).sum();
        let is_trouble = state == JobState::Failed && sum > 0;
        (format!("{} {state}  ", panels::short(sum)), is_trouble)
    };
    for first in [JobState::Waiting, JobState::Active, JobState::Failed] {
        let (text, is_trouble) = state(first);
        add(text, is_trouble);
    }
    if !view.rates.is_empty() {
        let sum = |of: fn(&Rates) -> f64| view.rates.values().map(of).sum::<f64>();
        let enqueued = sum(|rates| rates.enqueued);
        let completed = sum(|rates| rates.completed);
        let failed = sum(|rates| rates.failed);
        add(
            format!("in {enqueued:.1}/s  done {completed:.1}/s  "),
            false,
        );
        add(format!("failed {failed:.1}/s  "), failed > 0.0);
    }
    for last in [JobState::Delayed, JobState::Completed, JobState::Cancelled] {
        add(state(last).0, false);
    }
    line
}

fn body_of(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    if view.seen.is_none() {
        return;
    }
    if area.height < ALL_PANELS {
        panels::render(view.panel, view, ink, area, buffer);
        return;
    }
    let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).saturating_add(2);
    // Jobs get what queues and workers leave, and half of it in any case.
    let queues = rows(view.depths().len()).clamp(4, area.height / 4 + 1);
    let workers = rows(view.worker_names().len()).clamp(4, area.height / 4);
    let areas: [Rect; 4] = Layout::vertical([
        Constraint::Length(queues),
        Constraint::Length(workers),
        Constraint::Fill(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    for (panel, area) in Panel::ALL.into_iter().zip(areas) {
        panels::render(panel, view, ink, area, buffer);
    }
}

/// A question, or what came of the last, or what keys there are.
fn footer(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let line = match (&view.cover, &view.note) {
        (Some(Cover::Ask(deed)), _) => {
            Line::styled(format!("{} [y/n]", deed.question()), ink.held())
        }
        (Some(Cover::Help), _) => Line::styled("any key goes back", ink.quiet()),
        (Some(Cover::Job(Ok(job), _)), _) if can_retry(job) => {
            Line::styled("Esc back  ↑ ↓ scroll  r retry", ink.quiet())
        }
        (Some(Cover::Job(..)), _) => Line::styled("Esc back  ↑ ↓ scroll", ink.quiet()),

        (None, Some(note)) => Line::raw(escape::line(note).into_owned()),
        (None, None) => Line::styled(HINTS, ink.quiet()),
    };
    line.render(area, buffer);
}

fn help(ink: Ink, area: Rect, buffer: &mut Buffer) {
    let lines: Vec<_> = HELP
        .iter()
        .map(|(keys, what)| Line::raw(format!("{keys:<15}{what}")))
        .collect();
    Clear.render(area, buffer);
    Paragraph::new(lines)
        .block(block("KEYS", true, ink))
        .render(area, buffer);
}

fn job_cover(text: &str, scroll: usize, ink: Ink, area: Rect, buffer: &mut Buffer) {
    Clear.render(area, buffer);
    let lines: Vec<_> = text.lines().skip(scroll).map(Line::raw).collect();
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(block("JOB", true, ink))
        .render(area, buffer);
}
