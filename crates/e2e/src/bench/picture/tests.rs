//! The pictures hold what the report says, and are XML.

use roxmltree::Document;

use crate::bench::page::tests::report;

/// How many elements of a name have a class.
fn count(svg: &Document<'_>, name: &str, class: &str) -> usize {
    let elements = svg.descendants().filter(|node| node.has_tag_name(name));
    elements
        .filter(|node| {
            node.attribute("class")
                .is_some_and(|all| all.split(' ').any(|one| one == class))
        })
        .count()
}

#[test]
fn a_row_is_a_bar_for_each_side_and_a_dot_for_each_turn() {
    let report = report();
    let text = super::row(&report.rows[0]);
    let svg = Document::parse(&text).unwrap();
    assert_eq!(
        (count(&svg, "rect", "ours"), count(&svg, "rect", "peer")),
        (1, 1)
    );
    assert_eq!(count(&svg, "circle", "dot"), 6);
    assert_eq!(count(&svg, "line", "goal"), 1);
    let words = svg.descendants().find(|node| node.has_tag_name("desc"));
    let words = words.and_then(|node| node.text()).unwrap();
    assert_eq!(
        words,
        "Medians. this project: 35,200 messages/s; seed's stack: 4,900 messages/s; sockudo: skipped; \
         target: 29,400 messages/s."
    );
}

#[test]
fn a_curve_is_a_line_for_each_series_with_a_mark_at_each_point() {
    let report = report();
    let text = super::curve(&report.curves[0]);
    let svg = Document::parse(&text).unwrap();
    assert_eq!(count(&svg, "path", "line"), 2);
    // One more stands beside each name.
    assert_eq!(count(&svg, "circle", "m0"), 6);
    assert_eq!(count(&svg, "path", "m1"), 5);
}

#[test]
fn nothing_measured_is_a_picture_all_the_same() {
    let mut report = report();
    for side in &mut report.rows[0].sides {
        side.samples.clear();
    }
    report.curves[0].series.clear();
    for text in [super::row(&report.rows[0]), super::curve(&report.curves[0])] {
        Document::parse(&text).unwrap();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
