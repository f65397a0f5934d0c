//! A look as one line, for logs, pipes and programs.

use protocol::JobState;
use serde_json::{Value, json};

use super::Moving;
use crate::text::{age, escape};

/// For people and `grep`.
pub(super) fn text(seen: Result<Vec<Moving<'_>>, &str>) -> String {
    text_at(age::now_ms(), seen)
}

fn text_at(now: u64, seen: Result<Vec<Moving<'_>>, &str>) -> String {
    let what = match seen {
        Err(why) => escape::line(why).into_owned(),
        Ok(queues) if queues.is_empty() => "no queue".to_owned(),
        Ok(queues) => queues.iter().map(one).collect::<Vec<_>>().join("; "),
    };
    format!("{}  {what}\n", age::rfc3339(now))
}

fn one(Moving { stats, rates }: &Moving<'_>) -> String {
    let counts = JobState::ALL
        .map(|state| format!("{state} {}", stats.jobs.get(state)))
        .join(", ");
    let rates = rates.map_or_else(String::new, |rates| {
        format!(
            ", per second: in {:.1}, done {:.1}, failed {:.1}, retried {:.1}",
            rates.enqueued, rates.completed, rates.failed, rates.retried
        )
    });
    format!("{}: {counts}{rates}", stats.queue)
}

/// For programs.
pub(super) fn json(seen: Result<Vec<Moving<'_>>, &str>) -> Value {
    let time = age::now_ms();
    match seen {
        Err(why) => json!({ "time": time, "error": why }),
        Ok(queues) => {
            let one = |Moving { stats, rates }: &Moving<'_>| json!({ "queue": stats.queue, "jobs": stats.jobs, "totals": stats.totals, "per_second": rates });
            json!({ "time": time, "queues": queues.iter().map(one).collect::<Vec<_>>() })
        }
    }
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Totals};
    use protocol::QueueName;

    use super::{Moving, text_at};
    use crate::{QueueStats, rates::Rates};

    #[test]
    fn a_look_is_a_line() {
        let stats = QueueStats {
            queue: QueueName::new("chat").unwrap(),
            jobs: Counts {
                waiting: 3,
                ..Counts::default()
            },
            totals: Totals::default(),
        };
        let first = Moving {
            stats: &stats,
            rates: None,
        };
        let rates = Rates {
            enqueued: 2.5,
            completed: 1.0,
            failed: 0.0,
            retried: 0.0,
        };
        let second = Moving {
            stats: &stats,
            rates: Some(rates),
        };
        let counts = "chat: waiting 3, delayed 0, active 0, completed 0, failed 0, cancelled 0";
        let time = "1970-01-01T00:00:00.000Z  ";
        assert_eq!(text_at(0, Ok(vec![first])), format!("{time}{counts}\n"));
        let rates = "per second: in 2.5, done 1.0, failed 0.0, retried 0.0";
        assert_eq!(
            text_at(0, Ok(vec![second])),
            format!("{time}{counts}, {rates}\n")
        );
        assert_eq!(text_at(0, Ok(Vec::new())), format!("{time}no queue\n"));
        assert_eq!(
            text_at(0, Err("away\u{7}")),
            format!("{time}away\\u{{7}}\n")
        );
    }
}
