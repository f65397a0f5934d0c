//! A look as a table that is drawn over the one before it. Never draws more than the terminal shows, since what has
//! scrolled away can't be drawn over.

use comfy_table::Cell;
use protocol::JobState;

use super::Moving;
use crate::{
    fault::Fault,
    output::Output,
    table::{Look, align_numbers, number, table, text},
    text::{age, escape},
};

/// Where the last table began.
#[derive(Default)]
pub(super) struct Frame {
    /// How many lines above the cursor.
    height: usize,
}

impl Frame {
    /// Draws a look in the place of the last.
    pub(super) fn draw(
        &mut self,
        out: &Output,
        seen: Result<Vec<Moving<'_>>, &str>,
    ) -> Result<(), Fault> {
        let (columns, rows) = out.size().unwrap_or((80, 24));
        let picture = picture(Look::of(out), age::now_ms(), seen);
        let shown = fit(&picture, usize::from(columns), usize::from(rows.max(2)) - 1);
        let back = match self.height {
            0 => String::new(),
            height => format!("\u{1b}[{height}A"),
        };
        self.height = shown.lines().count();
        // Up to where the last one began, and away with it, in one write: nothing flickers.
        out.print(&format!("{back}\r\u{1b}[J{shown}"))
    }
}

fn picture(look: Look, now: u64, seen: Result<Vec<Moving<'_>>, &str>) -> String {
    let time = age::rfc3339(now);
    let queues = match seen {
        Err(why) => return format!("{time}  {}\n", escape::line(why)),
        Ok(queues) if queues.is_empty() => return format!("{time}  no queue yet\n"),
        Ok(queues) => queues,
    };
    let header = [
        "QUEUE",
        "WAITING",
        "DELAYED",
        "ACTIVE",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "IN/S",
        "DONE/S",
        "FAIL/S",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for column in table.column_iter_mut() {
        // All of it fits on 80 columns.
        column.set_padding((0, 1));
    }
    for Moving { stats, rates } in queues {
        let mut row = vec![Cell::new(&stats.queue)];
        row.extend(
            JobState::ALL.map(|state| number(stats.jobs.get(state), state == JobState::Failed)),
        );
        match rates {
            Some(rates) => {
                let rates = [rates.enqueued, rates.completed, rates.failed];
                row.extend(rates.map(|rate| Cell::new(format!("{rate:.1}"))));
            }
            None => row.extend(["-", "-", "-"].map(Cell::new)),
        }
        table.add_row(row);
    }
    format!("{time}  Ctrl-C ends\n{}", text(&table))
}

/// The first lines, each cut to the columns, so that one line stays one row. Colours take no column.
fn fit(text: &str, columns: usize, rows: usize) -> String {
    let mut fitting = String::with_capacity(text.len());
    let all = text.lines().count() <= rows;
    let shown = if all { rows } else { rows.saturating_sub(1) };
    for line in text.lines().take(shown) {
        let mut column = 0;
        let mut in_sequence = false;
        for c in line.chars() {
            if c == '\u{1b}' {
                in_sequence = true;
            } else if !in_sequence {
                column += 1;
            }
            // Sequences are kept also past the edge: they end the colour.
            if in_sequence || column <= columns {
                fitting.push(c);
            }
            in_sequence &= c != 'm';
        }
        fitting.push('\n');
    }
    if !all {
        fitting.push_str("…\n");
    }
    fitting
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Totals};
    use protocol::QueueName;

    use super::{Moving, fit, picture};
    use crate::{QueueStats, rates::Rates, table::Look};

    #[test]
    fn a_look_is_a_table() {
        let stats = QueueStats {
            queue: QueueName::new("chat").unwrap(),
            jobs: Counts {
                active: 3,
                ..Counts::default()
            },
            totals: Totals::default(),
        };
        let rates = Rates {
            enqueued: 250.0,
            completed: 1.0,
            failed: 0.0,
            retried: 0.0,
        };
        let moving = Moving {
            stats: &stats,
            rates: Some(rates),
        };
        let expected = "\
1970-01-01T00:00:00.000Z  Ctrl-C ends
QUEUE WAITING DELAYED ACTIVE COMPLETED FAILED CANCELLED  IN/S DONE/S FAIL/S
chat        0       0      3         0      0         0 250.0    1.0    0.0
";
        assert_eq!(picture(Look::default(), 0, Ok(vec![moving])), expected);
        let away = "1970-01-01T00:00:00.000Z  Redis is away\n";
        assert_eq!(picture(Look::default(), 0, Err("Redis is away")), away);
    }

    #[test]
    fn nothing_passes_the_edge() {
        assert_eq!(fit("abcdef\nghi\n", 4, 2), "abcd\nghi\n");
        assert_eq!(
            fit("\u{1b}[1mabcdef\u{1b}[0m\n", 2, 9),
            "\u{1b}[1mab\u{1b}[0m\n"
        );
    }
}
