//! The page's text.

use std::fmt::Write as _;

use super::{
    figure::{figure, short},
    verdict::{Summary, Verdict},
};
use crate::bench::{
    picture,
    report::{Better, Curve, Report, Row, Side, Target},
};

const HEAD: &str = "\
# Benchmarks

The whole path and each hop of it, beside what people use today: the same work, on the same machine, in the same run, each
side in turn. This page is written by `cargo xtask bench`; the figures are those of one run.

A median stands for a side; lowest and highest of its turns are given beside it. Where Redis, the load and what is measured
share few cores, and a gap is smaller than the spread, it proves nothing. CPU seconds are the least disturbed by that.
";

const PEERS: &str = "\
## The peers

- **The seed's stack** is what this project began as, made to do the same work: a gateway of `ws` that adds a BullMQ job for
  each text, publishes the text on Redis once the job is stored, and relays what is published; and a worker at concurrency
  100 that publishes each result. What Redis delivers in one read goes to a socket in one write, and nothing is logged or
  decoded on the way. Unlike here, nothing orders a text and its result, and a result may be published twice or never.
- **BullMQ** on Node and in Rust (`bullmq-official`): jobs are added in bulk, then processed at concurrency 100.
- **`ws`** relays a channel of Redis to every socket, one write a message, as it is mostly done. *Corked*, what came together
  is written together.
- **Socket.IO** with its Redis adapter, WebSockets only; every socket is in one room, another process emits to it.
- **Sockudo** with its Redis adapter; another node broadcasts to a channel that everyone is subscribed to.

None of them logs, compresses, or is slowed on purpose. The programs are in `crates/e2e/peers`.
";

const HOW: &str = "\
## Run it

```sh
cargo xtask bench --quick          # a first impression, within five minutes
cargo xtask bench                  # everything, within forty
cargo xtask bench --only NAME      # one row or curve, by the name in its heading
cargo xtask bench --json FILE      # the figures, for a machine
```

It starts Redis and all sides by itself, on 127.0.0.1, and ends them. Peers are installed from their registries into
`target/bench-peers`; one that can't be had is skipped, and the page says why.
";

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = HEAD.to_owned();
    setting(&mut page, report);
    glance(&mut page, report);
    for row in &report.rows {
        question(&mut page, row);
    }
    if !report.curves.is_empty() {
        page.push_str("\n## As work grows\n");
    }
    for curve in &report.curves {
        growth(&mut page, curve);
    }
    page.push('\n');
    page.push_str(PEERS);
    page.push('\n');
    page.push_str(HOW);
    page
}

/// Adds one line to the page.
macro_rules! line {
    ($page:expr, $($what:tt)*) => {
        writeln!($page, $($what)*).expect("text can be written to")
    };
}

fn setting(page: &mut String, report: &Report) {
    let setting = &report.setting;
    line!(page, "\n## The run\n");
    line!(page, "| | |\n|---|---|");
    line!(page, "| date | {} |", cell(&setting.date));
    line!(page, "| machine | {} |", cell(&setting.machine));
    let kind = if setting.quick {
        "the short one, which proves less"
    } else {
        "the whole"
    };
    let minutes = (setting.seconds / 60.0).ceil().max(1.0);
    line!(page, "| run | {kind}, {minutes} min |");
    for (name, version) in &setting.versions {
        line!(page, "| {} | {} |", cell(name), cell(version));
    }
}

fn glance(page: &mut String, report: &Report) {
    line!(page, "\n## At a glance\n");
    let ours = report.rows.first().and_then(|row| row.sides.first());
    let ours = ours.map_or("ours", |side| &side.name);
    line!(
        page,
        "| what | {} | best peer | how many times better | to reach | target |\n|---|--:|--:|--:|--:|---|",
        cell(ours)
    );
    for row in &report.rows {
        let ours = row
            .ours()
            .map(|ours| format!("{} {}", figure(ours.median), row.unit));
        let peer = row.best_peer();
        let peer = peer.map(|(name, peer)| format!("{} ({name})", figure(peer.median)));
        let times = row.times().map(|times| format!("{}×", figure(times)));
        let verdict = match row.verdict() {
            Verdict::Met => "**met**".to_owned(),
            other => other.to_string(),
        };
        line!(
            page,
            "| [{}](#{}) | {} | {} | {} | {} | {verdict} |",
            cell(&row.name),
            anchor(&row.name),
            or_dash(ours),
            or_dash(peer),
            or_dash(times),
            or_dash(row.goal()),
        );
    }
}

fn question(page: &mut String, row: &Row) {
    line!(page, "\n### {}\n", row.name);
    let direction = match row.better {
        Better::Higher => "More is better",
        Better::Lower => "Less is better",
    };
    line!(page, "{} {direction}.\n", row.what);
    if let Some(sentence) = sentence(row) {
        line!(page, "{sentence}\n");
    }
    shown(page, &row.name, &row.what);
    line!(
        page,
        "| {} | median | lowest – highest | spread | turns | against the best peer |\n|---|--:|--:|--:|--:|--:|",
        cell(&row.unit)
    );
    let best = row.best_peer().map(|(_, best)| best.median);
    for (index, side) in row.sides.iter().enumerate() {
        line!(page, "{}", answers(row, side, index == 0, best));
    }
    for side in &row.sides {
        if let Some(note) = side.note.as_ref().filter(|_| !side.samples.is_empty()) {
            line!(page, "\n{}: {note}", side.name);
        }
    }
}

/// One side's line of the table.
fn answers(row: &Row, side: &Side, is_ours: bool, best: Option<f64>) -> String {
    let mark = if is_ours { "**" } else { "" };
    let name = format!("{mark}{}{mark}", cell(&side.name));
    let Some(summary) = Summary::of(side) else {
        let why = side.note.as_deref().unwrap_or("no word why");
        return format!("| {name} | – | {} | – | 0 | – |", cell(why));
    };
    let times = best.map(|best| format!("{}×", figure(row.times_better(summary.median, best))));
    format!(
        "| {name} | {mark}{}{mark} | {} – {} | {:.0}% | {} | {} |",
        figure(summary.median),
        figure(summary.low),
        figure(summary.high),
        summary.spread() * 100.0,
        side.samples.len(),
        or_dash(times),
    )
}

/// Whether the target was met, in words.
fn sentence(row: &Row) -> Option<String> {
    let goal = row.goal()?;
    let (Some(ours), Some(threshold)) = (row.ours(), row.threshold()) else {
        return Some(format!(
            "Target: {goal}. It can't be said whether it is met: a side was not measured."
        ));
    };
    let reach = match row.target {
        Some(Target::Times(_)) => format!(", {} {} in this run", figure(threshold), row.unit),
        _ => String::new(),
    };
    let (verdict, ours) = (row.verdict(), figure(ours.median));
    Some(format!("Target: {goal}{reach}: {verdict}, with {ours}."))
}

fn growth(page: &mut String, curve: &Curve) {
    line!(page, "\n### {}\n", curve.name);
    line!(page, "{}\n", curve.what);
    shown(page, &curve.name, &curve.what);
    let names: Vec<_> = curve
        .series
        .iter()
        .map(|series| cell(&series.name))
        .collect();
    line!(page, "<details><summary>{} in figures</summary>\n", curve.y);
    line!(page, "| {} | {} |", cell(&curve.x), names.join(" | "));
    line!(page, "|--:{}|", "|--:".repeat(names.len()));
    for x in picture::places(curve) {
        let at = curve.series.iter().map(|series| {
            let point = series
                .points
                .iter()
                .find(|point| point.0.total_cmp(&x).is_eq());
            or_dash(point.map(|point| figure(point.1)))
        });
        line!(
            page,
            "| {} | {} |",
            short(x),
            at.collect::<Vec<_>>().join(" | ")
        );
    }
    line!(page, "\n</details>");
    if let Some(note) = &curve.note {
        line!(page, "\n{note}");
    }
}

fn shown(page: &mut String, name: &str, what: &str) {
    let alternative = what.replace(['[', ']'], "");
    line!(
        page,
        "![{}](benchmarks/{name}.svg)\n",
        alternative.trim_end_matches('.')
    );
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

/// What may stand in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.replace(|c: char| !c.is_alphanumeric() && c != '-' && c != '_', "")
}
