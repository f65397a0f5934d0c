//! The tables of `queue stats`. A table without rows is no text.

use broker::{Latency, QueueSettings};
use comfy_table::{Cell, CellAlignment};
use protocol::JobState;

use super::{
    super::tenants::shown,
    Shown,
    history::{Happened, History},
};
use crate::{
    Millis,
    table::{Look, align_numbers, number, table, text},
    text::{age, spark},
};

/// How many jobs are where.
pub(super) fn depths(look: Look, queues: &[Shown]) -> String {
    let header = [
        "JOBS NOW",
        "WAITING",
        "DELAYED",
        "ACTIVE",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for Shown { stats, .. } in queues {
        let (queue, jobs) = (&stats.queue, &stats.jobs);
        let mut row = vec![Cell::new(queue)];
        row.extend(JobState::ALL.map(|state| number(jobs.get(state), state == JobState::Failed)));
        table.add_row(row);
    }
    text(&table)
}

/// What happened since the queues began.
pub(super) fn so_far(look: Look, queues: &[Shown]) -> String {
    let header = [
        "SO FAR",
        "ENQUEUED",
        "COMPLETED",
        "FAILED",
        "RETRIED",
        "HANDED BACK",
        "LOST",
        "STALE",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for Shown { stats, .. } in queues {
        let (queue, totals) = (&stats.queue, &stats.totals);
        table.add_row([
            Cell::new(queue),
            number(totals.enqueued, false),
            number(totals.completed, false),
            number(totals.failed, true),
            number(totals.retried, false),
            number(totals.handed_back, false),
            number(totals.lost, true),
            number(totals.stale, true),
        ]);
    }
    text(&table)
}

/// What is set for queues for which anything is; nothing where nothing is.
pub(super) fn in_force(look: Look, queues: &[Shown]) -> String {
    let header = [
        "LIMITS",
        "PAUSED",
        "WAITING",
        "BYTES",
        "ACTIVE",
        "RATE",
        "TENANT WAITING",
        "TENANT ACTIVE",
        "TENANT RATE",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    let set = queues
        .iter()
        .filter(|shown| shown.settings != QueueSettings::default());
    for Shown {
        stats, settings, ..
    } in set
    {
        let queue = &stats.queue;
        let tenants = &settings.tenants;
        let cells = [
            if settings.paused { "yes" } else { "no" }.to_owned(),
            shown(settings.max_waiting, "-"),
            shown(settings.max_bytes, "-"),
            shown(settings.max_active, "-"),
            shown(settings.rate, "-"),
            shown(tenants.max_waiting, "-"),
            shown(tenants.max_active, "-"),
            shown(tenants.rate, "-"),
        ];
        let mut row = vec![Cell::new(queue)];
        row.extend(cells.map(|cell| Cell::new(cell).set_alignment(CellAlignment::Right)));
        table.add_row(row);
    }
    if table.row_count() == 0 {
        return String::new();
    }
    text(&table)
}

/// How long jobs wait and run, of queues of which that is known.
pub(super) fn times(look: Look, queues: &[Shown]) -> String {
    let header = [
        "TIMES",
        "OLDEST WAITS",
        "WAIT P50",
        "P95",
        "P99",
        "RUN P50",
        "P95",
        "P99",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for Shown { stats, vitals, .. } in queues {
        if vitals.oldest_waiting_ms.is_none() && vitals.latency.is_none() {
            continue;
        }
        let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), age::brief);
        let of = |of: fn(&Latency) -> u64| time(vitals.latency.as_ref().map(of));
        let cells = [
            time(vitals.oldest_waiting_ms),
            of(|latency| latency.wait_ms.p50),
            of(|latency| latency.wait_ms.p95),
            of(|latency| latency.wait_ms.p99),
            of(|latency| latency.run_ms.p50),
            of(|latency| latency.run_ms.p95),
            of(|latency| latency.run_ms.p99),
        ];
        let mut row = vec![Cell::new(&stats.queue)];
        row.extend(cells.map(|cell| Cell::new(cell).set_alignment(CellAlignment::Right)));
        table.add_row(row);
    }
    if table.row_count() == 0 {
        return String::new();
    }
    text(&table)
}

/// What happened in the last time, in all and to each kind, of queues of which that is known.
pub(super) fn lately(look: Look, queues: &[Shown], since: Millis) -> String {
    let known: Vec<_> = queues
        .iter()
        .filter_map(|shown| Some((&shown.stats.queue, shown.history.as_ref()?)))
        .collect();
    let Some(step) = known.iter().map(|(_, history)| history.step_ms).max() else {
        return String::new();
    };
    let last = format!("LAST {since}");
    let bars = format!("ENDED, {} A BAR", age::span(step));
    let header = [
        &last,
        "ENQUEUED",
        "COMPLETED",
        "FAILED",
        "RETRIED",
        "CANCELLED",
        "LOST",
        &bars,
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    if let Some(bars) = table.column_mut(header.len() - 1) {
        bars.set_cell_alignment(CellAlignment::Left);
    }
    for (queue, history) in &known {
        let Happened {
            enqueued,
            completed,
            failed,
            retried,
            cancelled,
            lost,
        } = history.sums;
        let ended = history.ended();
        table.add_row([
            Cell::new(queue),
            number(enqueued, false),
            number(completed, false),
            number(failed, true),
            number(retried, false),
            number(cancelled, false),
            number(lost, true),
            Cell::new(spark::line(&ended, ended.len())),
        ]);
    }
    let mut shown = text(&table);
    let kinds = of_kinds(
        look,
        known.iter().map(|(queue, history)| (*queue, *history)),
    );
    if !kinds.is_empty() {
        shown.push('\n');
        shown.push_str(&kinds);
    }
    shown
}

fn of_kinds<'a>(
    look: Look,
    known: impl Iterator<Item = (&'a protocol::QueueName, &'a History)>,
) -> String {
    let mut table = table(look, &["KIND", "QUEUE", "COMPLETED", "FAILED"]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (queue, history) in known {
        for kind in &history.kinds {
            table.add_row([
                Cell::new(&kind.kind),
                Cell::new(queue),
                number(kind.completed, false),
                number(kind.failed, true),
            ]);
        }
    }
    if table.row_count() == 0 {
        return String::new();
    }
    text(&table)
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Latency, MINUTE_MS, Minute, Percentiles, QueueSettings, Totals, Vitals};

    use super::{depths, in_force, lately, so_far, times};
    use crate::{
        Millis, QueueStats,
        commands::stats::{Shown, history::History},
        table::Look,
    };

    fn shown() -> Shown {
        Shown {
            stats: QueueStats {
                queue: "chat".parse().unwrap(),
                jobs: Counts {
                    waiting: 1_234,
                    failed: 2,
                    ..Counts::default()
                },
                totals: Totals {
                    enqueued: 56_789,
                    lost: 1,
                    ..Totals::default()
                },
            },
            settings: QueueSettings::default(),
            vitals: Vitals::default(),
            history: None,
        }
    }

    #[test]
    fn depths_and_totals() {
        let expected = "\
JOBS NOW  WAITING  DELAYED  ACTIVE  COMPLETED  FAILED  CANCELLED
chat         1234        0       0          0       2          0
";
        assert_eq!(depths(Look::default(), &[shown()]), expected);
        let expected = "\
SO FAR  ENQUEUED  COMPLETED  FAILED  RETRIED  HANDED BACK  LOST  STALE
chat       56789          0       0        0            0     1      0
";
        assert_eq!(so_far(Look::default(), &[shown()]), expected);
    }

    #[test]
    fn only_what_is_set_or_known_is_shown() {
        assert_eq!(in_force(Look::default(), &[shown()]), "");
        assert_eq!(times(Look::default(), &[shown()]), "");
        let mut shown = shown();
        shown.vitals.oldest_waiting_ms = Some(185_000);
        let expected = "\
TIMES  OLDEST WAITS  WAIT P50  P95  P99  RUN P50  P95  P99
chat          3m 5s         -    -    -        -    -    -
";
        assert_eq!(times(Look::default(), &[shown]), expected);
    }

    #[test]
    fn limits_and_times_read_as_expected() {
        let mut shown = shown();
        shown.settings = QueueSettings {
            paused: true,
            max_active: Some(50),
            rate: "100/s".parse().ok(),
            ..QueueSettings::default()
        };
        shown.vitals.latency = Some(Latency {
            samples: 250,
            wait_ms: Percentiles {
                p50: 3,
                p95: 250,
                p99: 1_250,
            },
            run_ms: Percentiles {
                p50: 12,
                p95: 20,
                p99: 65_000,
            },
        });
        let queues = [shown];
        let expected = "\
LIMITS  PAUSED  WAITING  BYTES  ACTIVE   RATE  TENANT WAITING  TENANT ACTIVE  TENANT RATE
chat       yes        -      -      50  100/s               -              -            -
";
        assert_eq!(in_force(Look::default(), &queues), expected);
        let expected = "\
TIMES  OLDEST WAITS  WAIT P50    P95   P99  RUN P50   P95    P99
chat              -       3ms  250ms  1.2s     12ms  20ms  1m 5s
";
        assert_eq!(times(Look::default(), &queues), expected);
    }

    #[test]
    fn what_happened_lately_has_bars_and_kinds() {
        let minutes: Vec<_> = (0..=60_u64)
            .map(|n| {
                let mut minute = Minute {
                    at: n * MINUTE_MS,
                    ..Minute::default()
                };
                minute.totals.completed = n * n;
                minute.totals.enqueued = n * 100;
                let kind = broker::KindTotals {
                    completed: n * n,
                    failed: n,
                };
                minute.kinds.insert("mail".parse().unwrap(), kind);
                minute
            })
            .collect();
        let mut shown = shown();
        let since = Millis(3_600_000);
        assert_eq!(lately(Look::default(), &[super::tests::shown()], since), "");
        shown.history = History::of(&minutes, 24);
        let expected = "\
LAST 1h  ENQUEUED  COMPLETED  FAILED  RETRIED  CANCELLED  LOST  ENDED, 3m A BAR
chat         6000       3600       0        0          0     0  ▂▂▂▂▂▂▃▃▄▄▄▅▅▅▆▆▆▇▇█

KIND  QUEUE  COMPLETED  FAILED
mail  chat        3600      60
";
        assert_eq!(lately(Look::default(), &[shown], since), expected);
    }
}
