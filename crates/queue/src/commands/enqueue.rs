//! `queue enqueue`: hands in one job, and if wanted waits for its end. For operators; programs have `broker::Producer`.

use std::{io::Read as _, time::UNIX_EPOCH};

use broker::{Producer, ProducerConfig, QueueArgs, Receipt, SubmitError};
use clap::Args;
use protocol::{
    Channel, IdempotencyKey, Job, JobOptions, Kind, Priority, QueueName, RetryPolicy, Tenant,
    Topic,
    limits::{DEFAULT_ATTEMPTS, MAX_PAYLOAD_BYTES},
};
use serde_json::{json, value::RawValue};
use tokio_util::task::TaskTracker;

use super::{follow::Waiter, priority::priorities};
use crate::{Millis, console::Console, fault::Fault, output};

/// Options of `queue enqueue`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Prints the job's id once Redis has it. With --wait, then its events, and the exit code is 1 unless
it completes.

Examples:
  queue enqueue chat '{\"msg\":\"hi\"}' --topic lobby
  queue enqueue report - --queue reports --wait 30 < report.json
  queue enqueue report '{\"month\":11}' --delay 10m --key report-2026-11
  queue enqueue report 1 --run-at 2026-12-01T06:00:00Z --ttl 1h --retry exponential:1s:5m
  queue enqueue chat '{\"msg\":\"hi\"}' --wait --json | jq -r 'select(.type == \"completed\").data'")]
pub struct EnqueueArgs {
    /// Which handler runs it
    pub kind: Kind,
    /// What it works on: JSON, or `-` to read it from standard input
    #[arg(allow_hyphen_values = true)]
    pub payload: String,
    /// The queue
    #[arg(long, default_value = "chat")]
    pub queue: QueueName,
    /// Which line it waits in
    #[arg(long, default_value = "normal", value_parser = priorities())]
    pub priority: Priority,
    /// How long it must wait: 500ms, 10s, 5m, 2h, 7d
    #[arg(long, value_name = "TIME", conflicts_with = "run_at")]
    pub delay: Option<Millis>,
    /// Not before when it runs: 2026-01-31T12:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub run_at: Option<u64>,
    /// How long it may wait for its first attempt before it fails
    #[arg(long, value_name = "TIME")]
    pub ttl: Option<Millis>,
    /// How long one attempt may take; the worker's limit without
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Millis>,
    /// How often it may be tried
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ATTEMPTS)]
    pub max_attempts: u32,
    /// The pause between attempts: fixed:TIME, or exponential:FIRST:LONGEST
    #[arg(long, value_name = "POLICY", value_parser = retry)]
    pub retry: Option<RetryPolicy>,
    /// The idempotency key: with the same payload it is the same job, whatever its state
    #[arg(long)]
    pub key: Option<IdempotencyKey>,
    /// Who it belongs to
    #[arg(long, default_value = "public")]
    pub tenant: Tenant,
    /// Where its events are published; its own id without
    #[arg(long)]
    pub topic: Option<Topic>,
    /// Print its events until it ends; at most so many seconds, or a time as 5m
    #[arg(long, value_name = "SECS", num_args = 0..=1, value_parser = patience)]
    #[allow(
        clippy::option_option,
        reason = "clap's way to say: with or without a value"
    )]
    pub wait: Option<Option<Millis>>,
    /// Print JSON, for programs: a line for the job, and one for each event
    #[arg(long)]
    pub json: bool,
    /// How much may wait, and what is kept.
    #[command(
        flatten,
        next_help_heading = "What is kept: as it is set for all processes"
    )]
    pub keep: QueueArgs,
}

fn patience(text: &str) -> Result<Millis, String> {
    match text.parse::<u64>() {
        Ok(secs) => Ok(Millis(secs.saturating_mul(1_000))),
        Err(_) => text
            .parse()
            .map_err(|_| "say seconds, or a time as 500ms, 30s or 5m".to_owned()),
    }
}

pub(super) fn instant(text: &str) -> Result<u64, String> {
    let wrong = || "say 2026-01-31T12:00:00Z, or milliseconds since 1970".to_owned();
    // The last millisecond that RFC 3339 can write.
    let end = 253_402_300_799_999;
    if let Ok(ms) = text.parse::<u64>() {
        return Some(ms)
            .filter(|ms| (1..=end).contains(ms))
            .ok_or_else(wrong);
    }
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| wrong())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
    u64::try_from(since.as_millis()).map_err(|_| wrong())
}

pub(super) fn retry(text: &str) -> Result<RetryPolicy, String> {
    let wrong = || "say fixed:5s, or exponential:1s:5m".to_owned();
    let time = |text: &str| text.parse().map(|Millis(ms)| ms).map_err(|_| wrong());
    let parts: Vec<_> = text.split(':').collect();
    match parts.as_slice() {
        ["fixed", delay] => Ok(RetryPolicy::Fixed {
            delay_ms: time(delay)?,
        }),
        ["exponential", first, longest] => Ok(RetryPolicy::Exponential {
            initial_ms: time(first)?,
            max_ms: time(longest)?,
            jitter: 0.2,
        }),
        _ => Err(wrong()),
    }
}

pub(crate) async fn enqueue(console: &Console, args: EnqueueArgs) -> Result<(), Fault> {
    let job = job(&args)?;
    job.validate()
        .map_err(|error| Fault::Usage(error.to_string()))?;
    // A producer waits for a Redis that is away; a person would rather know.
    console
        .redis
        .ping()
        .await
        .map_err(|error| console.fault(&error))?;
    let id = Producer::new_id();
    let topic = match args.topic {
        Some(topic) => topic,
        None => Topic::new(id.to_string())
            .map_err(|error| Fault::Usage(format!("the job's topic: {error}")))?,
    };
    let tracker = TaskTracker::new();
    let channel = Channel {
        queue: args.queue.clone(),
        topic,
    };
    // Who listens before the job is stored misses none of its events, and needs no history.
    let waiter = match args.wait {
        None => None,
        Some(patience) => Some(Waiter::listen(console, channel, patience, &tracker).await?),
    };
    let producer = Producer::spawn(
        console.redis.clone(),
        args.queue.clone(),
        args.keep,
        ProducerConfig::default(),
        &tracker,
    );
    let receipt = producer
        .submit(id, job)
        .await
        .map_err(|error| match error {
            SubmitError::Invalid(error) => Fault::Usage(error.to_string()),
            error => Fault::Refused(error.to_string()),
        })?;
    tell(console, &args.queue, &receipt, args.json)?;
    match waiter {
        None => Ok(()),
        Some(waiter) => {
            waiter
                .until_over(receipt.id, receipt.duplicate, args.json)
                .await
        }
    }
}

fn job(args: &EnqueueArgs) -> Result<Job, Fault> {
    let payload = payload(&args.payload)?;
    let ms = |time: Option<Millis>| time.map(|Millis(ms)| ms);
    Ok(Job {
        kind: args.kind.clone(),
        payload,
        options: JobOptions {
            tenant: args.tenant.clone(),
            topic: args.topic.clone(),
            priority: args.priority,
            delay_ms: ms(args.delay).unwrap_or(0),
            run_at: args.run_at,
            ttl_ms: ms(args.ttl),
            timeout_ms: ms(args.timeout),
            max_attempts: args.max_attempts,
            retry: args.retry,
            key: args.key.clone(),
            ..JobOptions::default()
        },
    })
}

/// A payload as it is typed, or read from standard input.
pub(super) fn payload(typed: &str) -> Result<Box<RawValue>, Fault> {
    let text = match typed {
        "-" => read_payload()?,
        text => text.to_owned(),
    };
    RawValue::from_string(text).map_err(|error| {
        Fault::Usage(format!(
            "the payload is no JSON ({error}); a text needs quotes of its own: '\"like this\"'"
        ))
    })
}

/// Standard input, as far as a payload may go and a byte more, so that what is too long is seen to be.
fn read_payload() -> Result<String, Fault> {
    let most = u64::try_from(2 * MAX_PAYLOAD_BYTES).unwrap_or(u64::MAX);
    let mut text = String::new();
    std::io::stdin()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| Fault::Usage(format!("standard input can't be read: {error}")))?;
    Ok(text)
}

fn tell(console: &Console, queue: &QueueName, receipt: &Receipt, json: bool) -> Result<(), Fault> {
    let Receipt {
        id,
        duplicate,
        state,
        ..
    } = receipt;
    if json {
        return console
            .out
            .json(&json!({ "id": id, "queue": queue, "duplicate": duplicate, "state": state }));
    }
    console.out.print(&format!("{id}\n"))?;
    if *duplicate {
        let state = state.map_or("forgotten by now", protocol::JobState::as_str);
        output::complain(&format!(
            "the key belongs to this job already; it is {state}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::RetryPolicy;

    use super::{instant, patience, retry};
    use crate::Millis;

    #[test]
    fn times_are_read() {
        assert_eq!(instant("1772710371837"), Ok(1_772_710_371_837));
        assert_eq!(instant("1970-01-01T00:00:01Z"), Ok(1_000));
        for text in ["", "0", "tomorrow", "-5", "18446744073709551615"] {
            assert!(instant(text).is_err(), "{text}");
        }
        assert_eq!(patience("30"), Ok(Millis(30_000)));
        assert_eq!(patience("2m"), Ok(Millis(120_000)));
        assert!(patience("chat").is_err());
    }

    #[test]
    fn policies_are_read() {
        assert_eq!(
            retry("fixed:5s"),
            Ok(RetryPolicy::Fixed { delay_ms: 5_000 })
        );
        let exponential = RetryPolicy::Exponential {
            initial_ms: 1_000,
            max_ms: 300_000,
            jitter: 0.2,
        };
        assert_eq!(retry("exponential:1s:5m"), Ok(exponential));
        for text in ["", "fixed", "fixed:5", "exponential:1s", "linear:1s"] {
            assert!(retry(text).is_err(), "{text}");
        }
    }
}
