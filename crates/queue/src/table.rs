//! The look of tables: columns and nothing else, so that `awk` and people can both read them.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table,
    presets,
};

/// What a table may use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// The columns of the terminal; without one nothing is cut.
    pub(crate) width: Option<u16>,
    pub(crate) colour: bool,
}

impl Look {
    pub(crate) fn of(out: &crate::output::Output) -> Self {
        Self {
            width: out.size().map(|(columns, _)| columns),
            colour: out.has_colour(),
        }
    }
}

/// A table with a header.
pub(crate) fn table(look: Look, header: &[&str]) -> Table {
    let mut table = Table::new();
    // What is on the other side is found out by us, not by the table.
    table.force_no_tty();
    if look.colour {
        table.enforce_styling();
    }
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(
        header
            .iter()
            .map(|name| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// A number, to the right; red if it is one that should be 0.
pub(crate) fn number(value: u64, is_trouble: bool) -> Cell {
    let cell = Cell::new(value).set_alignment(CellAlignment::Right);
    if is_trouble && value > 0 {
        cell.fg(Color::Red)
    } else {
        cell
    }
}

/// Sets the headers of all columns but the first to the right, as their numbers are.
pub(crate) fn align_numbers(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Adds a row of one line whose last cell is cut to the terminal's width.
pub(crate) fn add_cut_row(table: &mut Table, cells: Vec<Cell>) {
    let mut row = Row::from(cells);
    row.max_height(1);
    table.add_row(row);
}

/// The text of a table whose last column gives way on a narrow terminal.
pub(crate) fn cut_to(table: &mut Table, look: Look) -> String {
    if let Some(width) = look.width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        table.set_truncation_indicator("…");
        let last = table.column_count().saturating_sub(1);
        for column in table.column_iter_mut().take(last) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    text(table)
}

/// The text of a table, with a newline at the end and no spaces before one.
pub(crate) fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use comfy_table::Cell;

    use super::{Look, add_cut_row, align_numbers, cut_to, number, table, text};

    #[test]
    fn numbers_stand_to_the_right() {
        let mut table = table(Look::default(), &["QUEUE", "WAITING", "FAILED"]);
        align_numbers(&mut table);
        table.add_row([Cell::new("chat"), number(12, false), number(3, true)]);
        table.add_row([Cell::new("transcode"), number(0, false), number(0, true)]);
        let expected = "\
QUEUE      WAITING  FAILED
chat            12       3
transcode        0       0
";
        assert_eq!(text(&table), expected);
    }

    #[test]
    fn trouble_is_red_where_colour_is_wanted() {
        let mut table = table(
            Look {
                width: None,
                colour: true,
            },
            &["N"],
        );
        table.add_row([number(3, true)]);
        assert!(
            text(&table).contains("\u{1b}[38;5;9m3"),
            "{:?}",
            text(&table)
        );
    }

    #[test]
    fn the_last_column_is_cut_to_the_terminal() {
        let rows = |width| {
            let look = Look {
                width,
                colour: false,
            };
            let mut table = table(look, &["ID", "ERROR"]);
            let cells = vec![
                Cell::new("abcdefghij"),
                Cell::new("the worker stopped").set_delimiter('\0'),
            ];
            add_cut_row(&mut table, cells);
            cut_to(&mut table, look)
        };
        assert_eq!(
            rows(None),
            "ID          ERROR\nabcdefghij  the worker stopped\n"
        );
        assert_eq!(
            rows(Some(24)),
            "ID          ERROR\nabcdefghij  the worke…\n"
        );
        assert_eq!(rows(Some(80)), rows(None));
    }
}
