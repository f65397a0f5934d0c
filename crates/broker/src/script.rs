//! The Lua scripts, and the arguments that all writing ones begin with.

use std::sync::LazyLock;

use crate::{
    Keys, QueueArgs,
    call::{Call, Script},
};
use rand::RngExt as _;

/// Where the moves come that more than one script makes.
const TRANSITIONS: &str = "--@transitions";

/// A script that writes: what all of them share, the short way that most of its calls go, and what is its own.
///
/// Redis 7 wants to know what a script may do. `allow-oom` lets running jobs finish, and an operator make room, when
/// memory is full.
fn writing(flags: &'static str, short: &str, body: &str) -> Script {
    let ends_jobs = body.contains(TRANSITIONS);
    let body = body.replace(TRANSITIONS, include_str!("lua/transitions.lua"));
    let codes = include_str!("lua/codes.lua");
    let (early_codes, late_codes, keep, retention) = if ends_jobs {
        (
            codes,
            "",
            include_str!("lua/keep.lua"),
            include_str!("lua/retention.lua"),
        )
    } else {
        ("", codes, "", "")
    };
    let parts = [
        include_str!("lua/prelude.lua"),
        include_str!("lua/log.lua"),
        include_str!("lua/parcels.lua"),
        early_codes,
        keep,
        short,
        late_codes,
        include_str!("lua/counts.lua"),
        include_str!("lua/records.lua"),
        include_str!("lua/unfold.lua"),
        retention,
        include_str!("lua/job.lua"),
        include_str!("lua/own_log.lua"),
        include_str!("lua/lines.lua"),
        include_str!("lua/finish.lua"),
        &body,
    ];
    alone(flags, &parts)
}

/// A script that shares nothing with those that write jobs.
fn alone(flags: &'static str, parts: &[&str]) -> Script {
    Script::new(flags, parts.join("\n"))
}

/// The same for one that has to find jobs which wait in parcels.
fn of_parcels(flags: &'static str, body: &str) -> Script {
    alone(flags, &[include_str!("lua/parcels.lua"), body])
}

pub(crate) static ENQUEUE: LazyLock<Script> = LazyLock::new(|| {
    let short = include_str!("lua/enqueue_new.lua");
    writing("", short, include_str!("lua/enqueue.lua"))
});
pub(crate) static WORK: LazyLock<Script> = LazyLock::new(|| {
    let short = include_str!("lua/round_new.lua");
    writing("allow-oom", short, include_str!("lua/work.lua"))
});
pub(crate) static MAINTAIN: LazyLock<Script> =
    LazyLock::new(|| writing("allow-oom", "", include_str!("lua/maintain.lua")));
pub(crate) static RETRY: LazyLock<Script> =
    LazyLock::new(|| writing("", "", include_str!("lua/retry.lua")));
pub(crate) static CANCEL: LazyLock<Script> =
    LazyLock::new(|| writing("allow-oom", "", include_str!("lua/cancel.lua")));
pub(crate) static DELETE: LazyLock<Script> =
    LazyLock::new(|| writing("allow-oom", "", include_str!("lua/delete.lua")));
pub(crate) static RUN_NOW: LazyLock<Script> =
    LazyLock::new(|| writing("", "", include_str!("lua/run_now.lua")));
pub(crate) static PRIORITY: LazyLock<Script> =
    LazyLock::new(|| writing("", "", include_str!("lua/priority.lua")));
pub(crate) static SETTINGS: LazyLock<Script> =
    LazyLock::new(|| writing("allow-oom", "", include_str!("lua/settings.lua")));
pub(crate) static BEAT: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("lua/parcels.lua"),
        include_str!("lua/calls.lua"),
        include_str!("lua/unfold.lua"),
        include_str!("lua/beat.lua"),
    ];
    alone("allow-oom", &parts)
});
pub(crate) static PAGE: LazyLock<Script> =
    LazyLock::new(|| of_parcels("no-writes", include_str!("lua/page.lua")));
pub(crate) static ACTIVE: LazyLock<Script> =
    LazyLock::new(|| alone("no-writes", &[include_str!("lua/active.lua")]));
pub(crate) static FIND: LazyLock<Script> =
    LazyLock::new(|| of_parcels("no-writes", include_str!("lua/find.lua")));
pub(crate) static LOOK: LazyLock<Script> =
    LazyLock::new(|| of_parcels("allow-oom", include_str!("lua/look.lua")));
pub(crate) static PARTITION: LazyLock<Script> =
    LazyLock::new(|| alone("", &[include_str!("lua/partition.lua")]));
pub(crate) static TOPS: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("lua/parcels.lua"),
        include_str!("lua/position.lua"),
        include_str!("lua/tops.lua"),
    ];
    alone("no-writes", &parts)
});
pub(crate) static HISTORY: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("lua/parcels.lua"),
        include_str!("lua/position.lua"),
        include_str!("lua/history.lua"),
    ];
    alone("no-writes", &parts)
});
pub(crate) static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("lua/prelude.lua"),
        include_str!("lua/log.lua"),
        include_str!("lua/publish.lua"),
    ];
    alone("", &parts)
});
static OPEN: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("lua/prelude.lua"),
        include_str!("lua/log.lua"),
        include_str!("lua/open.lua"),
    ];
    alone("", &parts)
});
pub(crate) static FORGET: LazyLock<Script> =
    LazyLock::new(|| alone("allow-oom", &[include_str!("lua/forget.lua")]));

/// A script about who is in rooms.
fn presence(flags: &'static str, body: &str) -> Script {
    alone(flags, &[include_str!("lua/presence/room.lua"), body])
}

pub(crate) static ENTER: LazyLock<Script> =
    LazyLock::new(|| presence("", include_str!("lua/presence/enter.lua")));
pub(crate) static LEAVE: LazyLock<Script> =
    LazyLock::new(|| presence("allow-oom", include_str!("lua/presence/leave.lua")));
pub(crate) static REFRESH: LazyLock<Script> =
    LazyLock::new(|| presence("allow-oom", include_str!("lua/presence/refresh.lua")));
pub(crate) static STATS: LazyLock<Script> =
    LazyLock::new(|| presence("allow-oom", include_str!("lua/presence/stats.lua")));
pub(crate) static LIST: LazyLock<Script> =
    LazyLock::new(|| presence("no-writes", include_str!("lua/presence/list.lua")));

/// A script about the schedules of a queue.
fn schedules(flags: &'static str, body: &str) -> Script {
    alone(flags, &[include_str!("lua/schedules/state.lua"), body])
}

pub(crate) static PUT_SCHEDULE: LazyLock<Script> =
    LazyLock::new(|| schedules("", include_str!("lua/schedules/put.lua")));
pub(crate) static PAUSE_SCHEDULE: LazyLock<Script> =
    LazyLock::new(|| schedules("allow-oom", include_str!("lua/schedules/pause.lua")));
pub(crate) static REMOVE_SCHEDULE: LazyLock<Script> =
    LazyLock::new(|| schedules("allow-oom", include_str!("lua/schedules/remove.lua")));
pub(crate) static CLAIM_SCHEDULES: LazyLock<Script> =
    LazyLock::new(|| schedules("allow-oom", include_str!("lua/schedules/claim.lua")));
pub(crate) static SETTLE_SCHEDULES: LazyLock<Script> =
    LazyLock::new(|| schedules("allow-oom", include_str!("lua/schedules/settle.lua")));

/// The script that publishes to rooms, with the arguments that its prelude reads. Its logs have limits of their own.
pub(crate) fn publish(base: &str) -> Call<'static> {
    let mut call = PUBLISH.call(base);
    call.arg(fresh_epoch()).arg(0).arg(0).arg(0);
    call
}

/// The script that begins a topic's log, which lives for so many milliseconds.
pub(crate) fn open(base: &str, lives_ms: u64) -> Call<'static> {
    let mut call = OPEN.call(base);
    call.arg(fresh_epoch()).arg(0).arg(0).arg(lives_ms);
    call
}

/// A writing script with the arguments that its prelude reads.
pub(crate) fn invoke<'a>(script: &'a Script, keys: &Keys, args: &QueueArgs) -> Call<'a> {
    let mut call = script.call(keys.base());
    call.arg(fresh_epoch())
        .arg(args.log_max_events)
        .arg(args.log_max_bytes)
        .arg(args.log_ttl_secs.saturating_mul(1000));
    call
}

/// The same with the arguments of scripts that end jobs: how long and how many are kept, and how many bytes of them.
pub(crate) fn ending<'a>(script: &'a Script, keys: &Keys, args: &QueueArgs) -> Call<'a> {
    let mut call = invoke(script, keys, args);
    call.arg(args.keep_completed_secs.saturating_mul(1000))
        .arg(args.keep_failed_secs.saturating_mul(1000))
        .arg(args.keep_jobs)
        .arg(args.keep_bytes);
    call
}

/// The name of a new log, should the script begin one: eight random letters.
fn fresh_epoch() -> String {
    let mut rng = rand::rng();
    (0..8)
        .map(|_| char::from(b'a' + rng.random_range(0..26u8)))
        .collect()
}
