//! The little of SVG that the pictures need.

use std::fmt::Write as _;

/// What looks the same on every page.
const SHAPES: &str = "\
svg{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}.small{font-size:12px}.bold{font-weight:600}\
.end{text-anchor:end}.middle{text-anchor:middle}.goal{stroke-width:1.5;stroke-dasharray:5 3}.line{fill:none;stroke-width:2}";
/// A light page's colors: text, the page, remarks, grid, target, our bar, others' bars.
const LIGHT: [&str; 7] = [
    "#1f2328", "#ffffff", "#59636e", "#d1d9e0", "#1a7f37", "#0969da", "#afb8c1",
];
/// The same for a dark page.
const DARK: [&str; 7] = [
    "#e6edf3", "#0d1117", "#9198a1", "#30363d", "#3fb950", "#388bfd", "#57606a",
];
/// A light page's colors of lines.
const LINES: [&str; KINDS] = [
    "#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#59636e",
];
/// The same for a dark page.
const DARK_LINES: [&str; KINDS] = [
    "#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#ff7bc5", "#9198a1",
];

/// How many kinds of lines there are to tell apart.
pub(super) const KINDS: usize = 6;

/// Both kinds of page.
fn style() -> String {
    let (light, dark) = (colors(LIGHT, LINES), colors(DARK, DARK_LINES));
    format!("{SHAPES}{light}@media(prefers-color-scheme:dark){{{dark}}}")
}

fn colors([text, page, muted, grid, goal, ours, peer]: [&str; 7], lines: [&str; KINDS]) -> String {
    let mut colors = format!(
        "svg{{fill:{text}}}.page{{fill:{page}}}.muted{{fill:{muted}}}.grid{{stroke:{grid}}}.goal{{stroke:{goal}}}\
         .goal-text{{fill:{goal}}}.ours{{fill:{ours}}}.peer{{fill:{peer}}}.dot{{fill:{text};stroke:{page}}}"
    );
    for (kind, color) in lines.iter().enumerate() {
        write!(colors, ".s{kind}{{stroke:{color}}}.m{kind}{{fill:{color}}}")
            .expect("text can be written to");
    }
    colors
}

/// A picture that is being drawn. Coordinates are from the top left.
pub(super) struct Svg {
    text: String,
}

impl Svg {
    /// An empty picture; `title` and `words` are read to those who don't see it.
    pub(super) fn new(width: f64, height: f64, title: &str, words: &str) -> Self {
        let (title, words) = (escaped(title), escaped(words));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-labelledby=\"title words\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"words\">{words}</desc>\n<style>{}</style>\n\
             <rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n",
            style()
        );
        Self { text }
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), width: f64, height: f64) {
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>"
        ));
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut way = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let step = if index == 0 { 'M' } else { 'L' };
            write!(way, "{step}{x:.1} {y:.1}").expect("text can be written to");
        }
        self.add(format_args!("<path class=\"{class}\" d=\"{way}\"/>"));
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.add(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
        ));
    }

    /// One of [`KINDS`] marks, so that lines are told apart without color.
    pub(super) fn mark(&mut self, kind: usize, (x, y): (f64, f64)) {
        let class = format!("m{kind}");
        let way = match kind {
            0 => return self.dot(&class, (x, y), 4.0),
            1 => "M-4-4H4V4H-4Z",
            2 => "M0-5L5 4H-5Z",
            3 => "M0-5.5L5 0L0 5.5L-5 0Z",
            4 => "M0 5L5-4H-5Z",
            _ => "M-1.5-5H1.5V-1.5H5V1.5H1.5V5H-1.5V1.5H-5V-1.5H-1.5Z",
        };
        self.add(format_args!(
            "<path class=\"{class}\" transform=\"translate({x:.1} {y:.1})\" d=\"{way}\"/>"
        ));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        ));
    }

    /// The picture.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{element}").expect("text can be written to");
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
