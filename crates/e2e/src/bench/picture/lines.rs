//! One curve: a line for each series.

use super::{
    places,
    scale::Scale,
    svg::{KINDS, Svg},
};
use crate::bench::{
    page::figure::{figure, short},
    report::Curve,
};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 66.0;
const BOTTOM: f64 = 56.0;
/// How far apart the names of lines stand at least.
const APART: f64 = 17.0;
/// Where the highest figure is so many times the lowest, the vertical axis is logarithmic too.
const WIDE: f64 = 50.0;

pub(super) fn draw(curve: &Curve) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT, &curve.what, &words(curve));
    // A logarithm has no place for the rest.
    let xs: Vec<_> = places(curve).into_iter().filter(|x| *x > 0.0).collect();
    let across = Scale::over(&xs);
    let up = upright(curve);
    let at = |(x, y): (f64, f64)| {
        (
            LEFT + (WIDTH - LEFT - RIGHT) * across.place(x),
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up.place(y),
        )
    };

    svg.text("bold", (16.0, 26.0), &curve.name);
    let kind = if up.logarithmic { ", logarithmic" } else { "" };
    svg.text("muted small", (16.0, 44.0), &format!("{}{kind}", curve.y));
    for tick in &up.ticks {
        let (_, y) = at((1.0, *tick));
        svg.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
        svg.text("muted small end", (LEFT - 8.0, y + 4.0), &short(*tick));
    }
    for tick in &across.ticks {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * across.place(*tick);
        svg.line("grid", (x, HEIGHT - BOTTOM), (x, HEIGHT - BOTTOM + 5.0));
        svg.text(
            "muted small middle",
            (x, HEIGHT - BOTTOM + 19.0),
            &short(*tick),
        );
    }
    let center = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    let label = format!("{}, logarithmic", curve.x);
    svg.text("muted small middle", (center, HEIGHT - 14.0), &label);

    let mut names = Vec::new();
    for (index, series) in curve.series.iter().enumerate() {
        let kind = index % KINDS;
        let shown = series
            .points
            .iter()
            .filter(|(x, y)| *x > 0.0 && (*y > 0.0 || !up.logarithmic));
        let points: Vec<_> = shown.map(|point| at(*point)).collect();
        let Some(last) = points.last().copied() else {
            continue;
        };
        svg.path(&format!("line s{kind}"), &points);
        for point in points {
            svg.mark(kind, point);
        }
        names.push((last.1, kind, index));
    }
    // From the top down; each where its line ends, but below the one before.
    names.sort_by(|one, other| one.0.total_cmp(&other.0));
    let start = WIDTH - RIGHT + 16.0;
    let mut least = TOP;
    for (place, (y, kind, index)) in names.iter().enumerate() {
        let below = (names.len() - 1 - place) as f64 * APART;
        let y = y.min(HEIGHT - BOTTOM - below).max(least);
        least = y + APART;
        svg.mark(*kind, (start, y));
        let name = (start + 10.0, y + 4.0);
        svg.text(&format!("small m{kind}"), name, &curve.series[*index].name);
    }
    svg.finish()
}

fn upright(curve: &Curve) -> Scale {
    let points = curve.series.iter().flat_map(|series| &series.points);
    let (lowest, highest) = points.fold((f64::INFINITY, 0.0_f64), |(low, high), point| {
        (low.min(point.1), high.max(point.1))
    });
    if lowest > 0.0 && highest / lowest >= WIDE {
        Scale::logarithmic(lowest, highest)
    } else {
        Scale::linear(highest)
    }
}

/// The picture in words.
fn words(curve: &Curve) -> String {
    let lines = curve.series.iter().filter_map(|series| {
        let (first, last) = (series.points.first()?, series.points.last()?);
        Some(format!(
            "{}: from {} at {} to {} at {}",
            series.name,
            figure(first.1),
            short(first.0),
            figure(last.1),
            short(last.0)
        ))
    });
    let lines: Vec<_> = lines.collect();
    format!("{} over {}. {}.", curve.y, curve.x, lines.join("; "))
}
