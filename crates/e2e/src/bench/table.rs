//! A report as a table of text: medians, how far the samples are apart, ratios, what is reached.

use std::fmt::Write as _;

use super::{
    Verdict, judge,
    report::{Report, Row, Target},
};

/// All rows, then all curves.
pub fn table(report: &Report) -> String {
    let mut lines =
        vec![["row", "side", "median", "spread", "against", "target"].map(str::to_owned)];
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
    let verdict = Verdict::of(row);
    let own = row
        .sides
        .first()
        .and_then(|side| judge::median(&side.samples));
    let sides = row.sides.iter().enumerate().map(|(index, side)| {
        let median = judge::median(&side.samples);
        let first = index == 0;
        let against = match (first, median, own) {
            (true, ..) => verdict.times.map(|times| {
                let every = if verdict.every_turn == Some(true) {
                    ", in every turn"
                } else {
                    ""
                };
                format!("{times:.2}× the best{every}")
            }),
            (false, Some(median), Some(own)) => Some(format!("{:.2} of ours", median / own)),
            _ => None,
        };
        [
            if first {
                row.name.clone()
            } else {
                String::new()
            },
            side.name.clone(),
            median.map_or_else(
                || "–".to_owned(),
                |median| format!("{} {}", short(median), row.unit),
            ),
            judge::spread(&side.samples)
                .map_or_else(String::new, |spread| format!("{:.0}%", spread * 100.0)),
            against.unwrap_or_default(),
            if first {
                target(row, &verdict)
            } else {
                String::new()
            },
        ]
    });
    sides.collect()
}

fn target(row: &Row, verdict: &Verdict) -> String {
    let wanted = match row.target {
        None => return String::new(),
        Some(Target::Times(times)) => format!("≥ {times}×"),
        Some(Target::AtMost(most)) => format!("≤ {} {}", short(most), row.unit),
    };
    let reached = match verdict.reached {
        Some(true) => "reached",
        Some(false) => "NOT REACHED",
        None => "not judged",
    };
    format!("{wanted}: {reached}")
}

fn notes(row: &Row) -> Vec<String> {
    let notes = row.sides.iter().filter_map(|side| {
        let note = side.note.as_ref()?;
        Some(format!("{}, {}: {note}\n", row.name, side.name))
    });
    notes.collect()
}

/// Four digits at least, where there is something behind the point.
fn short(value: f64) -> String {
    if value >= 1_000.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
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
            "42000 messages/s",
            "10%",
            "6.00× the best, in every turn",
            "≥ 6×: reached",
        ];
        assert_eq!(lines[1], ours);
        assert_eq!(
            lines[2],
            ["theirs", "7000 messages/s", "0%", "0.17 of ours"]
        );
        assert_eq!(lines[3], ["others", "–"]);
        assert_eq!(lines[4], ["path, others: skipped: not here"]);
    }
}
