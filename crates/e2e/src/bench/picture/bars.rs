//! One row: a bar for each side.

use super::{scale::Scale, svg::Svg};
use crate::bench::{
    page::{
        figure::{figure, short},
        verdict::Summary,
    },
    report::{Better, Row},
};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 80.0;
const STEP: f64 = 38.0;
const BAR: f64 = 18.0;

pub(super) fn draw(row: &Row) -> String {
    let sides: Vec<_> = row
        .sides
        .iter()
        .map(|side| (side, Summary::of(side)))
        .collect();
    let height = TOP + STEP * sides.len() as f64 + 34.0;
    let mut svg = Svg::new(WIDTH, height, &row.what, &words(row));
    let direction = match row.better {
        Better::Higher => "more is better",
        Better::Lower => "less is better",
    };
    svg.text("bold", (16.0, 26.0), &row.name);
    svg.text(
        "muted small",
        (16.0, 44.0),
        &format!("{}, {direction}; bar: median, dots: turns", row.unit),
    );

    let highs = sides
        .iter()
        .filter_map(|(_, summary)| summary.map(|summary| summary.high));
    let scale = Scale::linear(highs.chain(row.threshold()).fold(0.0, f64::max));
    let at = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * scale.place(value);
    let bottom = height - 30.0;
    for tick in &scale.ticks {
        svg.line("grid", (at(*tick), TOP - 6.0), (at(*tick), bottom));
        svg.text(
            "muted small middle",
            (at(*tick), bottom + 17.0),
            &short(*tick),
        );
    }
    for (index, (side, summary)) in sides.iter().enumerate() {
        let middle = TOP + STEP * (index as f64 + 0.5);
        let baseline = middle + 4.5;
        let (name, bar) = if index == 0 {
            ("bold end", "ours")
        } else {
            ("end", "peer")
        };
        svg.text(name, (LEFT - 12.0, baseline), &side.name);
        let Some(summary) = summary else {
            svg.text("muted small", (LEFT + 8.0, baseline), "skipped");
            continue;
        };
        svg.rect(
            bar,
            (LEFT, middle - BAR / 2.0),
            at(summary.median) - LEFT,
            BAR,
        );
        for sample in &side.samples {
            svg.dot("dot", (at(*sample), middle), 3.5);
        }
        let value = figure(summary.median);
        let class = if index == 0 { "bold end" } else { "end" };
        svg.text(class, (WIDTH - 16.0, baseline), &value);
    }
    if let Some(threshold) = row.threshold() {
        let x = at(threshold);
        svg.line("goal", (x, TOP - 6.0), (x, bottom));
        let anchor = if x > WIDTH - RIGHT - 60.0 {
            "end"
        } else {
            "middle"
        };
        svg.text(
            &format!("goal-text small {anchor}"),
            (x, TOP - 11.0),
            "target",
        );
    }
    svg.finish()
}

/// The picture in words.
fn words(row: &Row) -> String {
    let sides = row.sides.iter().map(|side| match Summary::of(side) {
        Some(summary) => format!("{}: {} {}", side.name, figure(summary.median), row.unit),
        None => format!("{}: skipped", side.name),
    });
    let mut words = sides.collect::<Vec<_>>();
    if let Some(threshold) = row.threshold() {
        words.push(format!("target: {} {}", figure(threshold), row.unit));
    }
    format!("Medians. {}.", words.join("; "))
}
