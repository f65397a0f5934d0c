//! Pictures of the figures: SVG that is readable on a light and a dark page, and says in words what it shows.
//!
//! Nothing here depends on color alone: our bar is named in bold, and the lines of a curve have marks of their own.

mod bars;
mod lines;
mod scale;
mod svg;

use super::report::{Curve, Row};

/// A bar for the median of each side, a dot for each of its turns, and a line for the target.
pub fn row(row: &Row) -> String {
    bars::draw(row)
}

/// A line for each series, over a logarithmic axis.
pub fn curve(curve: &Curve) -> String {
    lines::draw(curve)
}

/// Every place on a curve's horizontal axis where something was measured, rising.
pub(super) fn places(curve: &Curve) -> Vec<f64> {
    let points = curve.series.iter().flat_map(|series| &series.points);
    let mut places: Vec<_> = points.map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

#[cfg(test)]
mod tests;
