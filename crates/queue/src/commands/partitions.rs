//! `queue partitions`: into how many partitions a queue is split, and where they are. Changes nothing else of it.

use broker::{Placement, QueueArgs};
use clap::Args;
use comfy_table::Cell;
use protocol::QueueName;
use serde::Serialize;
use serde_json::json;

use crate::{
    console::Console,
    fault::Fault,
    table::{Look, number, table},
};

/// Options of `queue partitions`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A queue lies on one shard of a Cluster. Split into partitions it is spread over as many as these lie
on, which the names decide: some times as many partitions as shards come out even. Jobs of one topic
stay in one partition, in their order. A topic that is there already stays where it is until its log
is forgotten; only new ones go by the new number. It may be changed at any time, and never stops
anything; partitions that get no new topics are worked off and stay.

The first partition has the queue's own name, the others add a number: chat, chat.1, chat.2. Other
commands take each as a queue of its own, but `pause`, `resume` and `limits` of the queue hold for
all of them, each limit in each partition.

Examples:
  queue partitions chat          # how many there are, what they have, and on which shards
  queue partitions chat 6        # split it into six
  queue partitions chat 1        # new topics all go to the first again")]
pub struct PartitionsArgs {
    /// The queue
    pub queue: QueueName,
    /// Into how many it is to be split; shows how many there are without
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(broker::MAX_PARTITIONS)))]
    pub count: Option<u16>,
    /// Also if the queue never had a job
    #[arg(long)]
    pub create: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Row {
    partition: QueueName,
    /// The address of the server that has it.
    shard: String,
    /// Whether new topics come to it.
    open: bool,
    waiting: u64,
    active: u64,
    /// Jobs that were ever accepted.
    enqueued: u64,
}

pub(crate) async fn partitions(console: &Console, args: &PartitionsArgs) -> Result<(), Fault> {
    console.expect(&args.queue, args.create).await?;
    let placement = match args.count {
        Some(count) => console
            .control(QueueArgs::default())
            .partition(&args.queue, count)
            .await
            .map_err(|error| match error {
                broker::PartitionError::Redis(error) => console.fault(&error),
                refused => Fault::Refused(refused.to_string()),
            })?,
        None => console
            .redis
            .newest_placement(&args.queue)
            .await
            .map_err(|error| console.fault(&error))?,
    };
    let rows = rows(console, &args.queue, &placement).await?;
    if args.json {
        return console.out.json(&json!({
            "queue": args.queue,
            "count": placement.count(),
            "partitions": rows,
        }));
    }
    console.out.print(&listing(Look::of(&console.out), &rows))
}

async fn rows(
    console: &Console,
    queue: &QueueName,
    placement: &Placement,
) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    let partitions = console.inspector.partitions(queue).await;
    let partitions = partitions.map_err(|error| console.fault(&error))?;
    for (index, partition) in (0..).zip(partitions) {
        let counts = console.inspector.counts(&partition).await;
        let (counts, totals) = counts.map_err(|error| console.fault(&error))?;
        let shard = console.redis.shard_of(&partition).await;
        rows.push(Row {
            shard: shard.map_err(|error| console.fault(&error))?,
            partition,
            open: index < placement.count(),
            waiting: counts.waiting + counts.delayed,
            active: counts.active,
            enqueued: totals.enqueued,
        });
    }
    Ok(rows)
}

fn listing(look: Look, rows: &[Row]) -> String {
    let header = [
        "PARTITION",
        "WAITING",
        "ACTIVE",
        "ENQUEUED",
        "NEW TOPICS",
        "SHARD",
    ];
    let mut table = table(look, &header);
    for row in rows {
        table.add_row(vec![
            Cell::new(&row.partition),
            number(row.waiting, false),
            number(row.active, false),
            number(row.enqueued, false),
            Cell::new(if row.open { "yes" } else { "no" }),
            Cell::new(&row.shard),
        ]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use protocol::QueueName;

    use super::{Row, listing};
    use crate::table::Look;

    #[test]
    fn partitions_are_shown_with_their_shards() {
        let row = |name: &str, open| Row {
            partition: QueueName::new(name).unwrap(),
            shard: "10.0.0.1:6379".to_owned(),
            open,
            waiting: 12,
            active: 3,
            enqueued: 12_345,
        };
        let shown = listing(Look::default(), &[row("chat", true), row("chat.1", false)]);
        let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "PARTITION  WAITING  ACTIVE  ENQUEUED  NEW TOPICS  SHARD",
                "chat            12       3     12345  yes         10.0.0.1:6379",
                "chat.1          12       3     12345  no          10.0.0.1:6379",
            ]
        );
    }
}
