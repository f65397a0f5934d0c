//! A report as a table of text: medians, how far the samples are apart, ratios, what is reached.

use std::fmt::Write as _;

use super::{
    page::{
        figure::figure,
        verdict::{Summary, Verdict},
    },
    report::{Better, Report, Row},
};

/// All rows, then all curves.
pub fn table(report: &Report) -> String {
    let mut lines = Vec::new();
    if !report.rows.is_empty() {
        lines.push(["row", "side", "median", "spread", "against", "target"].map(str::to_owned));
    }
    for row in &report.rows {
        lines.extend(cells(row));
    }
    let mut widths = [0; 6];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    for side in report.rows.iter().flat_map(notes) {
        text.push_str(&side);
    }
    for curve in &report.curves {
        let _ = writeln!(text, "\n{}: {} by {}", curve.name, curve.y, curve.x);
        for series in &curve.series {
            let points = series.points.iter().map(|(x, y)| format!("{x} → {y:.2}"));
            let points = points.collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "  {}: {points}", series.name);
        }
    }
    text
}

fn cells(row: &Row) -> Vec<[String; 6]> {
    let own = row.ours();
    let sides = row.sides.iter().enumerate().map(|(index, side)| {
        let first = index == 0;
        let summary = Summary::of(side);
        let against = match (first, summary, own) {
            (true, ..) => row.times().map(|times| {
                let every = if in_every_turn(row) {
                    ", in every turn"
                } else {
                    ""
                };
                format!("{times:.2}× the best{every}")
            }),
            (false, Some(summary), Some(own)) => {
                Some(format!("{:.2}× ours", summary.median / own.median))
            }
            _ => None,
        };
        let median = summary.map(|summary| format!("{} {}", figure(summary.median), row.unit));
        let spread = summary.map(|summary| format!("{:.0}%", summary.spread() * 100.0));
        [
            if first {
                row.name.clone()
            } else {
                String::new()
            },
            side.name.clone(),
            median.unwrap_or_else(|| "–".to_owned()),
            spread.unwrap_or_default(),
            against.unwrap_or_default(),
            if first { target(row) } else { String::new() },
        ]
    });
    sides.collect()
}

fn target(row: &Row) -> String {
    let Some(goal) = row.goal() else {
        return String::new();
    };
    let verdict = match row.verdict() {
        Verdict::NotMet => "NOT MET".to_owned(),
        Verdict::Open => "not judged".to_owned(),
        Verdict::Met => Verdict::Met.to_string(),
    };
    format!("{goal}: {verdict}")
}

/// Whether this project was better than each peer in each turn.
fn in_every_turn(row: &Row) -> bool {
    let Some((ours, peers)) = row.sides.split_first() else {
        return false;
    };
    peers.iter().all(|peer| {
        let turns = ours.samples.iter().zip(&peer.samples);
        turns.into_iter().all(|(ours, peer)| match row.better {
            Better::Higher => ours > peer,
            Better::Lower => ours < peer,
        })
    })
}

fn notes(row: &Row) -> Vec<String> {
    let notes = row.sides.iter().filter_map(|side| {
        let note = side.note.as_ref()?;
        Some(format!("{}, {}: {note}\n", row.name, side.name))
    });
    notes.collect()
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::bench::report::{Better, Report, Row, Setting, Side, Target};

    #[test]
    fn a_row_says_what_is_reached() {
        let side = |name: &str, samples: &[f64], note: Option<&str>| Side {
            name: name.to_owned(),
            samples: samples.to_vec(),
            note: note.map(str::to_owned),
        };
        let report = Report {
            setting: Setting {
                date: String::new(),
                quick: true,
                seconds: 1.0,
                machine: String::new(),
                versions: Vec::new(),
            },
            rows: vec![Row {
                name: "path".to_owned(),
                what: String::new(),
                unit: "messages/s".to_owned(),
                better: Better::Higher,
                target: Some(Target::Times(6.0)),
                sides: vec![
                    side("ours", &[40_000.0, 44_000.0], None),
                    side("theirs", &[7_000.0, 7_000.0], None),
                    side("others", &[], Some("skipped: not here")),
                ],
            }],
            curves: Vec::new(),
        };
        let text = table(&report);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(str::trim)
                    .filter(|cell| !cell.is_empty())
                    .collect()
            })
            .collect();
        let ours = [
            "path",
            "ours",
            "42,000 messages/s",
            "10%",
            "6.00× the best, in every turn",
            "6× the best peer: met",
        ];
        assert_eq!(lines[1], ours);
        assert_eq!(lines[2], ["theirs", "7,000 messages/s", "0%", "0.17× ours"]);
        assert_eq!(lines[3], ["others", "–"]);
        assert_eq!(lines[4], ["path, others: skipped: not here"]);
    }
}
