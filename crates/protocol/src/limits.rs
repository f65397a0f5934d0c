//! Sizes that hold everywhere, whatever a deployment sets. All are in bytes unless the name says otherwise.

/// The longest name of a queue, kind, tenant or topic.
pub const MAX_NAME_BYTES: usize = 64;
/// The longest payload of a job. A server's frame limit is usually smaller.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;
/// The longest result of a job; a longer one fails the attempt, for good.
pub const MAX_RESULT_BYTES: usize = 256 * 1024;
/// The longest data of one progress, chunk or log event.
pub const MAX_EVENT_DATA_BYTES: usize = 64 * 1024;
/// The longest error message that is kept with a job.
pub const MAX_ERROR_BYTES: usize = 4 * 1024;
/// The longest back-trace that is kept with an error.
pub const MAX_BACKTRACE_BYTES: usize = 4 * 1024;
/// The most attempts that a job may ask for.
pub const MAX_ATTEMPTS: u32 = 100;
/// How many attempts a job has unless it says otherwise. A crash of its worker spends one.
pub const DEFAULT_ATTEMPTS: u32 = 5;
/// The longest delay that a job may ask for, in milliseconds: one year.
pub const MAX_DELAY_MS: u64 = 366 * 24 * 3600 * 1000;
/// The latest time at which a job may ask to run, in milliseconds since the Unix epoch: the end of the year 9999.
pub const MAX_RUN_AT_MS: u64 = 253_402_300_799_999;
/// The longest time to live that a job may ask for, in milliseconds: one year.
pub const MAX_TTL_MS: u64 = MAX_DELAY_MS;
/// The longest time that one attempt may ask for, in milliseconds: one week.
pub const MAX_TIMEOUT_MS: u64 = 7 * 24 * 3600 * 1000;
/// The longest idempotency key.
pub const MAX_KEY_BYTES: usize = 128;
/// The longest `tracestate`: what the standard says must be carried.
pub const MAX_TRACE_STATE_BYTES: usize = 512;
/// The longest text frame of the plain protocol, unless a server sets less.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 64 * 1024;
/// The longest definition of a schedule as it is stored, its job's payload included.
pub const MAX_SCHEDULE_BYTES: usize = 16 * 1024;
/// How many schedules a queue may have.
pub const MAX_SCHEDULES: usize = 10_000;
/// The longest text of a cron and its zone.
pub const MAX_CRON_BYTES: usize = 256;
/// The shortest interval of a schedule, in milliseconds.
pub const MIN_EVERY_MS: u64 = 1_000;
