//! `queue schedules set`: one schedule, in place of the one of its name.

use clap::{
    ArgGroup, Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use protocol::{
    EventLevel, Kind, Missed, Priority, QueueName, RetryPolicy, Schedule, ScheduleName,
    ScheduledJob, Tenant, Topic, When, limits::DEFAULT_ATTEMPTS,
};

use super::{book, fault};
use crate::{
    Millis,
    commands::{
        enqueue::{instant, payload, retry},
        priority::priorities,
    },
    console::Console,
    fault::Fault,
    text::age,
};

/// Options of `queue schedules set`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("times").required(true).args(["cron", "every", "at"]), after_help = "\
A schedule whose times are as they were goes on as if nothing had been set. A cron has second,
minute, hour, day, month and weekday; with five fields the second is 0. Where clocks are changed,
hours that are named run once, and hours as they come (*) as often as they come.

Examples:
  queue schedules set report --cron '0 30 6 * * MON-FRI' --zone Europe/Berlin report '{\"of\":\"yesterday\"}'
  queue schedules set beat --every 30s beat null
  queue schedules set launch --at 2026-12-01T06:00:00Z --missed catch_up launch null")]
pub struct SetArgs {
    /// What it is called
    pub name: ScheduleName,
    /// Which handler runs its jobs
    pub kind: Kind,
    /// What they work on: JSON, or `-` to read it from standard input
    #[arg(allow_hyphen_values = true)]
    pub payload: String,
    /// The queue
    #[arg(long, default_value = "chat")]
    pub queue: QueueName,
    /// When: second, minute, hour, day, month, weekday
    #[arg(long, help_heading = "Times")]
    pub cron: Option<String>,
    /// On whose clocks: a zone of the IANA database, as Europe/Berlin
    #[arg(long, default_value = "UTC", conflicts_with_all = ["every", "at"], help_heading = "Times")]
    pub zone: String,
    /// Again and again after this time: 30s, 5m, 2h, 7d
    #[arg(long, value_name = "TIME", help_heading = "Times")]
    pub every: Option<Millis>,
    /// The first time; a whole interval from now without
    #[arg(long, value_name = "INSTANT", value_parser = instant, requires = "every", help_heading = "Times")]
    pub from: Option<u64>,
    /// Once: 2026-01-31T12:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "INSTANT", value_parser = instant, help_heading = "Times")]
    pub at: Option<u64>,
    /// What becomes of runs that no manager came to within a minute
    #[arg(long, default_value = "skip", value_parser = missed(), help_heading = "Times")]
    pub missed: Missed,
    /// Set it, and let it rest
    #[arg(long)]
    pub paused: bool,
    /// Which line its jobs wait in
    #[arg(long, default_value = "normal", value_parser = priorities())]
    pub priority: Priority,
    /// Who they belong to
    #[arg(long, default_value = "public")]
    pub tenant: Tenant,
    /// Where their events are published; each job's own id without
    #[arg(long)]
    pub topic: Option<Topic>,
    /// How long each may wait for its first attempt before it fails
    #[arg(long, value_name = "TIME")]
    pub ttl: Option<Millis>,
    /// How long one attempt may take; the worker's limit without
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Millis>,
    /// How often each may be tried
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ATTEMPTS)]
    pub max_attempts: u32,
    /// The pause between attempts: fixed:TIME, or exponential:FIRST:LONGEST
    #[arg(long, value_name = "POLICY", value_parser = retry)]
    pub retry: Option<RetryPolicy>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

fn missed() -> impl TypedValueParser<Value = Missed> {
    PossibleValuesParser::new(["skip", "catch_up"]).map(|name| match name.as_str() {
        "catch_up" => Missed::CatchUp,
        _ => Missed::Skip,
    })
}

pub(super) async fn set(console: &Console, args: SetArgs) -> Result<(), Fault> {
    let json = args.json;
    let schedule = schedule(args)?;
    let (queue, name) = (schedule.queue.clone(), schedule.name.clone());
    let book = book(console);
    let wrong = |error| fault(console, error);
    let created = book.put(schedule).await.map_err(wrong)?;
    let record = book.get(&queue, &name).await.map_err(wrong)?;
    if json {
        return console.out.json(&record);
    }
    let now = age::now_ms();
    let is_missed = |next| record.schedule.missed == Missed::Skip && next + 60_000 < now;
    let next = match (record.next_at, record.last) {
        (Some(next), _) if !is_missed(next) => format!("next {}", age::seen_from(now, next)),
        (None, Some(_)) => "it has run, and does not run again".to_owned(),
        _ => "its time is past, so it does not run".to_owned(),
    };
    let verb = if created { "Created" } else { "Updated" };
    console.out.print(&format!("{verb}: {next}\n"))
}

fn schedule(args: SetArgs) -> Result<Schedule, Fault> {
    let ms = |time: Option<Millis>| time.map(|Millis(ms)| ms);
    let when = match (args.cron, args.every, args.at) {
        (Some(cron), ..) => When::Cron {
            cron,
            zone: args.zone,
        },
        (_, Some(Millis(every_ms)), _) => When::Every {
            every_ms,
            from: args.from,
        },
        (.., Some(at)) => When::At { at },
        _ => return Err(Fault::Usage("say --cron, --every or --at".to_owned())),
    };
    Ok(Schedule {
        name: args.name,
        queue: args.queue,
        when,
        missed: args.missed,
        paused: args.paused.then_some(true),
        source: None,
        job: ScheduledJob {
            kind: args.kind,
            payload: payload(&args.payload)?,
            tenant: args.tenant,
            topic: args.topic,
            priority: args.priority,
            ttl_ms: ms(args.ttl),
            timeout_ms: ms(args.timeout),
            max_attempts: args.max_attempts,
            retry: args.retry,
            events: EventLevel::All,
        },
    })
}
