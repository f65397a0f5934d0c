//! The four panels: queues, workers, and the active and failed jobs of the selected queue.

use protocol::JobRecord;
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    text::{Line, Span, Text},
    widgets::{Block, Borders, Row, StatefulWidget as _, Table, TableState},
};

use super::{
    ink::Ink,
    seen::{Depth, Member},
    trail::STEP_MS,
    view::{Panel, View},
};
use crate::{
    commands::jobs::spent,
    text::{age, escape, spark},
};

/// From how many columns on a queue's delayed, completed and cancelled jobs are shown.
const WIDE: u16 = 110;
/// How wide a worker's bar is.
const BAR: u64 = 10;

pub(super) fn render(panel: Panel, view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    match panel {
        Panel::Queues => queues(view, ink, area, buffer),
        Panel::Workers => workers(view, ink, area, buffer),
        Panel::Active => active(view, ink, area, buffer),
        Panel::Failed => failed(view, ink, area, buffer),
    }
}

/// What a panel looks like from outside.
pub(super) fn block(title: &str, focused: bool, ink: Ink) -> Block<'static> {
    let mark = if focused { "▶" } else { " " };
    Block::new()
        .borders(Borders::TOP)
        .border_style(ink.quiet())
        .title(Span::styled(format!("{mark}{title} "), ink.title(focused)))
}

/// A number in six columns at most.
pub(super) fn short(number: u64) -> String {
    match number {
        0..1_000_000 => number.to_string(),
        1_000_000..1_000_000_000 => format!("{:.1}M", number as f64 / 1e6),
        _ => format!("{:.1}G", number as f64 / 1e9),
    }
}

/// A table as every panel has it.
struct Sheet<'a> {
    title: String,
    panel: Panel,
    head: Row<'a>,
    rows: Vec<Row<'a>>,
    widths: Vec<Constraint>,
    selected: usize,
}

impl Sheet<'_> {
    fn render(self, view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
        let focused = view.panel == self.panel;
        let mut state = TableState::new();
        // Which queue's jobs are shown is said also while others have the keys.
        if !self.rows.is_empty() && (focused || self.panel == Panel::Queues) {
            state.select(Some(self.selected));
        }
        let mut table = Table::new(self.rows, self.widths)
            .header(self.head.style(ink.quiet()))
            .block(block(&self.title, focused, ink))
            .highlight_symbol("> ")
            .highlight_spacing(ratatui::widgets::HighlightSpacing::Always);
        if focused {
            table = table.row_highlight_style(Ink::selected());
        }
        table.render(area, buffer, &mut state);
    }
}

fn right(text: impl Into<String>) -> Text<'static> {
    Text::from(Line::from(text.into()).right_aligned())
}

fn safe(text: &str) -> Text<'static> {
    Text::from(escape::line(text).into_owned())
}

fn queues(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let wide = area.width >= WIDE;
    let mut head = vec![Text::from("QUEUE"), right("WAITING")];
    let mut widths = vec![Constraint::Min(10), Constraint::Length(7)];
    let mut column = |name: &str, width: u16| {
        head.push(right(name));
        widths.push(Constraint::Length(width));
    };
    if wide {
        column("DELAYED", 7);
    }
    column("ACTIVE", 6);
    if wide {
        column("COMPLETED", 9);
    }
    column("FAILED", 6);
    if wide {
        column("CANCELLED", 9);
    }
    column("IN/S", 6);
    column("DONE/S", 6);
    column("FAIL/S", 6);
    let spark = if wide { 24 } else { 12 };
    head.push(Text::from(format!("ENDED, {}", age::span(spark * STEP_MS))));
    widths.push(Constraint::Length(u16::try_from(spark).unwrap_or(0)));
    let spark = usize::try_from(spark).unwrap_or(0);
    let rows = view
        .depths()
        .iter()
        .map(|depth| queue(depth, view, ink, wide, spark))
        .collect::<Vec<_>>();
    Sheet {
        title: format!("QUEUES {}", rows.len()),
        panel: Panel::Queues,
        head: Row::new(head),
        rows,
        widths,
        selected: view.queues.at(),
    }
    .render(view, ink, area, buffer);
}

fn queue(depth: &Depth, view: &View, ink: Ink, wide: bool, spark: usize) -> Row<'static> {
    let (name, jobs) = (&depth.stats.queue, &depth.stats.jobs);
    let label = if depth.paused {
        Text::from(Line::from(vec![
            Span::raw(format!("{name} ")),
            Span::styled("paused", ink.held()),
        ]))
    } else {
        Text::from(name.to_string())
    };
    let count = |number: u64| right(short(number));
    let trouble = |text: Text<'static>, is: bool| {
        if is { text.style(ink.trouble()) } else { text }
    };
    let mut cells = vec![label, count(jobs.waiting)];
    if wide {
        cells.push(count(jobs.delayed));
    }
    cells.push(count(jobs.active));
    if wide {
        cells.push(count(jobs.completed));
    }
    cells.push(trouble(count(jobs.failed), jobs.failed > 0));
    if wide {
        cells.push(count(jobs.cancelled));
    }
    match view.rates.get(name) {
        None => cells.extend(["-", "-", "-"].map(right)),
        Some(rates) => {
            cells.push(right(format!("{:.1}", rates.enqueued)));
            cells.push(right(format!("{:.1}", rates.completed)));
            let failed = right(format!("{:.1}", rates.failed));
            cells.push(trouble(failed, rates.failed > 0.0));
        }
    }
    let steps = view.trails.get(name).map(super::trail::Trail::steps);
    let bars = spark::line(&steps.unwrap_or_default(), spark);
    cells.push(Text::styled(bars, ink.well()));
    Row::new(cells)
}

fn workers(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let members = view.seen.as_ref().map_or(&[][..], |seen| &seen.workers);
    let alive = members.iter().filter(|member| member.status.alive).count();
    let dead = match members.len() - alive {
        0 => String::new(),
        dead => format!(", {dead} dead"),
    };
    Sheet {
        title: format!("WORKERS {alive}{dead}"),
        panel: Panel::Workers,
        head: Row::new(["NAME", "HOST", "QUEUE", "ACTIVE", "LAST BEAT", "ALIVE"]),
        rows: members
            .iter()
            .map(|member| worker(member, view.now, ink))
            .collect(),
        widths: vec![
            Constraint::Fill(2),
            Constraint::Fill(1),
            Constraint::Fill(1),
            Constraint::Length(22),
            Constraint::Length(11),
            Constraint::Length(5),
        ],
        selected: view.workers.at(),
    }
    .render(view, ink, area, buffer);
}

fn worker(Member { queue, status }: &Member, now: u64, ink: Ink) -> Row<'static> {
    let card = &status.card;
    let (active, places) = (u64::from(card.active), u64::from(card.concurrency.max(1)));
    let full = usize::try_from((active * BAR).div_ceil(places).min(BAR)).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0) - full;
    let bar = format!(
        "[{}{}] {active}/{}",
        "#".repeat(full),
        "-".repeat(empty),
        card.concurrency
    );
    let beat = format!("{} ago", age::span(now.saturating_sub(status.beat_at)));
    let (alive, style) = if status.alive {
        ("yes", ink.well())
    } else {
        ("no", ink.trouble())
    };
    Row::new([
        safe(&status.name),
        safe(&card.host),
        Text::from(queue.to_string()),
        Text::from(bar),
        Text::from(beat),
        Text::styled(alive, style),
    ])
}

fn active(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let jobs = view.jobs().map_or(&[][..], |jobs| &jobs.active);
    let rows = |jobs: &[JobRecord]| {
        jobs.iter()
            .map(|job| {
                let since = job.started_at.unwrap_or(view.now);
                Row::new([
                    Text::from(job.id.to_string()),
                    Text::from(job.kind.to_string()),
                    Text::from(format!("{}/{}", spent(job), job.max_attempts)),
                    Text::from(age::span(view.now.saturating_sub(since))),
                    safe(job.worker.as_deref().unwrap_or("-")),
                ])
            })
            .collect()
    };
    let all = selected_depth(view).map_or(0, |depth| depth.stats.jobs.active);
    Sheet {
        title: titled("ACTIVE", all, view),
        panel: Panel::Active,
        head: Row::new(["ID", "KIND", "ATTEMPT", "RUNS FOR", "WORKER"]),
        rows: rows(jobs),
        widths: job_widths(jobs),
        selected: view.active.at(),
    }
    .render(view, ink, area, buffer);
}

fn failed(view: &View, ink: Ink, area: Rect, buffer: &mut Buffer) {
    let jobs = view.jobs().map_or(&[][..], |jobs| &jobs.failed);
    let rows = |jobs: &[JobRecord]| {
        jobs.iter()
            .map(|job| {
                let since = job.finished_at.unwrap_or(view.now);
                let error = job.error.as_ref().map(ToString::to_string);
                Row::new([
                    Text::from(job.id.to_string()),
                    Text::from(job.kind.to_string()),
                    Text::from(format!("{}/{}", spent(job), job.max_attempts)),
                    Text::from(age::span(view.now.saturating_sub(since))),
                    safe(&error.unwrap_or_default()).style(ink.trouble()),
                ])
            })
            .collect()
    };
    let all = selected_depth(view).map_or(0, |depth| depth.stats.jobs.failed);
    Sheet {
        title: titled("FAILED", all, view),
        panel: Panel::Failed,
        head: Row::new(["ID", "KIND", "ATTEMPT", "AGO", "ERROR"]),
        rows: rows(jobs),
        widths: job_widths(jobs),
        selected: view.failed.at(),
    }
    .render(view, ink, area, buffer);
}

/// A kind is as wide as the longest, within reason; an error or a worker has the rest.
fn job_widths(jobs: &[JobRecord]) -> Vec<Constraint> {
    let kinds = jobs.iter().map(|job| job.kind.as_str().chars().count());
    let kind = u16::try_from(kinds.max().unwrap_or(0)).unwrap_or(u16::MAX);
    vec![
        Constraint::Length(26),
        Constraint::Length(kind.clamp(4, 20)),
        Constraint::Length(7),
        Constraint::Length(8),
        Constraint::Fill(1),
    ]
}

fn selected_depth(view: &View) -> Option<&Depth> {
    let on = view.queues.on()?;
    view.depths().iter().find(|depth| depth.stats.queue == *on)
}

fn titled(what: &str, count: u64, view: &View) -> String {
    match view.queues.on() {
        Some(queue) => format!("{what} in {queue} {}", short(count)),
        None => what.to_owned(),
    }
}
