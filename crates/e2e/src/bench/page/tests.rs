//! The page is what it was for a report with everything that there can be.

use std::fs;

use crate::bench::{
    page,
    report::{Better, Curve, Report, Row, Series, Setting, Side, Target},
};

fn side(name: &str, samples: &[f64], note: Option<&str>) -> Side {
    Side {
        name: name.to_owned(),
        samples: samples.to_vec(),
        note: note.map(str::to_owned),
    }
}

/// A report with everything that there can be.
pub(in crate::bench) fn report() -> Report {
    let row = |name: &str, unit: &str, better, target, sides| Row {
        name: name.to_owned(),
        what: "A text frame becomes a job, and its result <comes> back & is counted.".to_owned(),
        unit: unit.to_owned(),
        better,
        target,
        sides,
    };
    let line = |name: &str, points: &[(f64, f64)]| Series {
        name: name.to_owned(),
        points: points.to_vec(),
    };
    Report {
        setting: Setting {
            date: "2026-11-24T12:00:00Z".to_owned(),
            quick: true,
            seconds: 181.0,
            machine: "A processor, 2 cores, 23 GiB".to_owned(),
            versions: vec![("Redis".to_owned(), "7.0.15".to_owned())],
        },
        rows: vec![
            row(
                "path-one",
                "messages/s",
                Better::Higher,
                Some(Target::Times(6.0)),
                vec![
                    side("this project", &[34_100.0, 36_000.0, 35_200.0], None),
                    side(
                        "seed's stack",
                        &[5_100.0, 4_400.0, 4_900.0],
                        Some("Node.js at full load"),
                    ),
                    side("sockudo", &[], Some("skipped: not asked for")),
                ],
            ),
            row(
                "cpu",
                "CPU s/1M deliveries",
                Better::Lower,
                Some(Target::AtMost(1.0)),
                vec![
                    side("this project", &[1.3, 1.21, 1.25, 1.4, 1.2], None),
                    side("ws", &[11.4, 11.1, 11.9, 11.0, 12.3], None),
                ],
            ),
            row(
                "alone",
                "ms",
                Better::Lower,
                None,
                vec![side("this project", &[0.6], None)],
            ),
        ],
        curves: vec![Curve {
            name: "connections".to_owned(),
            what: "Each message goes to everyone.".to_owned(),
            x: "connections".to_owned(),
            y: "CPU µs/delivery".to_owned(),
            series: vec![
                line(
                    "this project",
                    &[
                        (1.0, 30.0),
                        (10.0, 8.0),
                        (100.0, 2.0),
                        (1_000.0, 1.0),
                        (10_000.0, 0.9),
                    ],
                ),
                line(
                    "ws",
                    &[(1.0, 60.0), (10.0, 20.0), (100.0, 12.0), (1_000.0, 11.0)],
                ),
            ],
            note: Some("It falls with every connection that shares a frame.".to_owned()),
        }],
    }
}

#[test]
fn the_page_says_what_the_report_says() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("benchmarks");
    fs::create_dir(&pictures).unwrap();
    fs::write(pictures.join("former.svg"), "").unwrap();
    page::write(&report(), folder.path()).unwrap();

    let page = fs::read_to_string(folder.path().join("benchmarks.md")).unwrap();
    let expected = [
        "| run | the short one, which proves less, 4 min |",
        "| Redis | 7.0.15 |",
        "| [path-one](#path-one) | 35,200 messages/s | 4,900 (seed's stack) | 7.18× | 6× the best peer | **met** |",
        "| [cpu](#cpu) | 1.25 CPU s/1M deliveries | 11.4 (ws) | 9.12× | at most 1 CPU s/1M deliveries | not met |",
        "| [alone](#alone) | 0.600 ms | – | – | – | – |",
        "Target: 6× the best peer, 29,400 messages/s in this run: met, with 35,200.",
        "Target: at most 1 CPU s/1M deliveries: not met, with 1.25.",
        "| **this project** | **35,200** | 34,100 – 36,000 | 5% | 3 | 7.18× |",
        "| seed's stack | 4,900 | 4,400 – 5,100 | 14% | 3 | 1.00× |",
        "| sockudo | – | skipped: not asked for | – | 0 | – |",
        "seed's stack: Node.js at full load",
        "![Each message goes to everyone](benchmarks/connections.svg)",
        "| 10k | 0.900 | – |",
        "It falls with every connection that shares a frame.",
    ];
    for line in expected {
        assert!(page.lines().any(|found| found == line), "{line}\n\n{page}");
    }
    let mut written: Vec<_> = fs::read_dir(pictures)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(
        written,
        ["alone.svg", "connections.svg", "cpu.svg", "path-one.svg"]
    );
}
