//! What may happen to a queue, and how it is drawn at random. What an operation is about is a choice among what is
//! there when its turn comes, so that a shrunk sequence still means something.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    strategy::BoxedStrategy,
};
use protocol::{JobState, Priority};

pub const TENANTS: [&str; 3] = ["ann", "bob", "eve"];
pub const KINDS: [&str; 3] = ["cut", "dye", "sew"];
pub const PRIORITIES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];
pub const WORKERS: [&str; 3] = ["w0", "w1", "w2"];

/// When a new job may run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    Now,
    /// At a time that is long past.
    Past,
    Later,
}

#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub struct NewJob {
    pub kind: usize,
    pub tenant: usize,
    pub priority: usize,
    pub when: When,
    pub ttl: bool,
    pub attempts: u32,
    pub key: Option<u8>,
    pub payload: u8,
    /// Whether its events go to a topic that it shares.
    pub shared: bool,
    /// Whether all of its events are published.
    pub all: bool,
    pub announce: bool,
}

/// A job: of those that fit the one at the index, round and round.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    In(JobState, usize),
    /// Of those that the worker in question holds.
    Held(usize),
    /// Any that there ever was.
    Any(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum End {
    Complete,
    /// Whether the pause is none.
    Retry(bool),
    Fail,
    HandBack,
    Cancel,
    Emit,
}

/// What a worker tries to write; about an attempt that many too low or too high.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    pub pick: Pick,
    pub off: i32,
    pub end: End,
}

/// What maintenance forgets at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forget {
    pub completed: bool,
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub max_waiting: Option<u64>,
    pub max_active: Option<u64>,
    pub rate: bool,
}

#[derive(Clone, Debug)]
pub enum Op {
    Enqueue(Vec<NewJob>),
    /// So many of one job.
    Bunch(NewJob, usize),
    /// More of one job than one step of a script moves.
    Flood(NewJob),
    /// The same id again, with the payload that it had or another.
    EnqueueAgain(Pick, Option<u8>),
    /// Who, what is written, how many are wanted, and whether leases of no length are.
    Round(usize, Vec<Try>, usize, bool),
    /// Who completes all that it holds, but for so many, and how many are wanted.
    Finish(usize, usize, usize),
    /// Who, how many are wanted, whether the worker would be given one, and whether it hears of what it was given.
    Offer(usize, usize, bool, bool),
    /// The last round again, as it was.
    Repeat(usize),
    /// Who, whether with a lease of no length, and which attempts it believes to hold.
    Beat(usize, bool, Vec<(Pick, i32)>),
    Leave(usize),
    /// As a worker with other kinds; none means all.
    Join(usize, Vec<usize>),
    LeaseOver(Pick),
    Due(Pick),
    TtlOver(Pick),
    LookAtParked,
    AllLeasesOver,
    AllDue,
    AllTtlsOver,
    Maintain(Forget),
    Cancel(Vec<Pick>, Option<usize>),
    Retry(Vec<Pick>),
    Delete(Vec<Pick>),
    RunNow(Vec<Pick>),
    /// Which jobs, and in lines of which priority.
    Priority(Vec<Pick>, usize),
    Pause(bool),
    Set {
        own: Limits,
        max_bytes: Option<u64>,
        tenants: Limits,
    },
    SetTenant(usize, Option<Limits>),
    Drain(bool),
    FlushScripts,
    /// Redis ends as by a power failure and starts again; with a round of a worker on its way to it, which may have
    /// come that far.
    Crash(Option<(usize, usize)>),
}

impl Op {
    /// Whether it is a move of the clock alone.
    pub const fn is_time(&self) -> bool {
        matches!(
            self,
            Self::LeaseOver(_)
                | Self::Due(_)
                | Self::TtlOver(_)
                | Self::LookAtParked
                | Self::AllLeasesOver
                | Self::AllDue
                | Self::AllTtlsOver
        )
    }
}

fn new_job() -> impl Strategy<Value = NewJob> {
    let when = prop_oneof![5 => Just(When::Now), 1 => Just(When::Past), 2 => Just(When::Later)];
    let names = (0..3_usize, 0..3_usize, 0..3_usize, when);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rest = (1..=3_u32, option::weighted(0.3, 0..2_u8), 0..3_u8);
    (names, flags, rest).prop_map(
        |(
            (kind, tenant, priority, when),
            (ttl, shared, all, announce),
            (attempts, key, payload),
        )| {
            NewJob {
                kind,
                tenant,
                priority,
                when,
                ttl,
                attempts,
                key,
                payload,
                shared,
                all,
                announce,
            }
        },
    )
}

/// One that may be given to a worker at once.
fn plain_job() -> impl Strategy<Value = NewJob> {
    new_job().prop_map(|job| NewJob {
        when: When::Now,
        ttl: false,
        key: None,
        attempts: 3,
        ..job
    })
}

fn pick_in(state: JobState) -> BoxedStrategy<Pick> {
    prop_oneof![
        9 => (0..8_usize).prop_map(move |n| Pick::In(state, n)),
        1 => (0..64_usize).prop_map(Pick::Any),
    ]
    .boxed()
}

fn held() -> impl Strategy<Value = Pick> {
    prop_oneof![
        8 => (0..8_usize).prop_map(Pick::Held),
        1 => pick_in(JobState::Active),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    let state = proptest::sample::select(&JobState::ALL[..]);
    prop_oneof![
        3 => (state, 0..8_usize).prop_map(|(state, n)| Pick::In(state, n)),
        1 => (0..64_usize).prop_map(Pick::Any),
    ]
}

fn off() -> impl Strategy<Value = i32> {
    prop_oneof![12 => Just(0), 1 => Just(-1), 1 => Just(1)]
}

fn attempt() -> impl Strategy<Value = Try> {
    let end = prop_oneof![
        4 => Just(End::Complete),
        4 => any::<bool>().prop_map(End::Retry),
        2 => Just(End::Fail),
        2 => Just(End::HandBack),
        1 => Just(End::Cancel),
        2 => Just(End::Emit),
    ];
    (held(), off(), end).prop_map(|(pick, off, end)| Try { pick, off, end })
}

fn rarely() -> impl Strategy<Value = bool> {
    prop_oneof![7 => Just(false), 1 => Just(true)]
}

fn limits() -> impl Strategy<Value = Limits> {
    let most = || option::weighted(0.4, 0..4_u64);
    (most(), most(), rarely()).prop_map(|(max_waiting, max_active, rate)| Limits {
        max_waiting: max_waiting.map(|n| n * 3),
        max_active,
        rate,
    })
}

fn operator() -> impl Strategy<Value = Op> {
    let picks = || vec(pick(), 1..4);
    let owner = option::weighted(0.3, 0..3_usize);
    let ended = || {
        let state = prop_oneof![Just(JobState::Failed), Just(JobState::Cancelled)];
        (state, 0..8_usize).prop_map(|(state, n)| Pick::In(state, n))
    };
    let forget = (rarely(), rarely()).prop_map(|(completed, failed)| Forget { completed, failed });
    let bytes = option::weighted(0.2, 0..200_u64);
    prop_oneof![
        8 => (picks(), owner).prop_map(|(picks, owner)| Op::Cancel(picks, owner)),
        5 => vec(prop_oneof![ended(), pick()], 1..4).prop_map(Op::Retry),
        3 => picks().prop_map(Op::Delete),
        3 => vec(prop_oneof![pick_in(JobState::Delayed), pick()], 1..4).prop_map(Op::RunNow),
        4 => (vec(prop_oneof![pick_in(JobState::Waiting), pick()], 1..4), 0..3_usize)
            .prop_map(|(picks, priority)| Op::Priority(picks, priority)),
        8 => forget.prop_map(Op::Maintain),
        2 => any::<bool>().prop_map(Op::Pause),
        3 => (limits(), bytes, limits())
            .prop_map(|(own, max_bytes, tenants)| Op::Set { own, max_bytes, tenants }),
        3 => (0..3_usize, option::of(limits())).prop_map(|(tenant, own)| Op::SetTenant(tenant, own)),
        1 => any::<bool>().prop_map(Op::Drain),
    ]
}

fn time() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => pick_in(JobState::Active).prop_map(Op::LeaseOver),
        3 => pick_in(JobState::Delayed).prop_map(Op::Due),
        1 => pick_in(JobState::Waiting).prop_map(Op::TtlOver),
        1 => pick().prop_map(Op::TtlOver),
        2 => Just(Op::LookAtParked),
        1 => Just(Op::AllLeasesOver),
        1 => Just(Op::AllDue),
        1 => Just(Op::AllTtlsOver),
    ]
}

fn worker() -> impl Strategy<Value = Op> {
    let who = || 0..3_usize;
    let tries = prop_oneof![1 => Just(Vec::new()), 2 => vec(attempt(), 0..4)];
    let want = prop_oneof![1 => Just(0), 4 => 0..7_usize];
    let held = vec((held(), off()), 0..4);
    prop_oneof![
        20 => (who(), tries, want, rarely()).prop_map(|(w, acts, want, none)| Op::Round(w, acts, want, none)),
        6 => offer(4),
        4 => who().prop_map(Op::Repeat),
        4 => (who(), rarely(), held).prop_map(|(w, none, held)| Op::Beat(w, none, held)),
        1 => who().prop_map(Op::Leave),
        2 => (who(), vec(0..3_usize, 0..3)).prop_map(|(w, kinds)| Op::Join(w, kinds)),
    ]
}

/// A worker that wants fewer than so many offers itself, or mostly does.
fn offer(most: usize) -> impl Strategy<Value = Op> {
    let meant = prop_oneof![1 => Just(false), 5 => Just(true)];
    (0..3_usize, 0..most, meant, any::<bool>())
        .prop_map(|(who, want, meant, hears)| Op::Offer(who, want, meant, hears))
}

/// What happens to a queue in which little waits.
pub fn op_of_idle() -> impl Strategy<Value = Op> {
    let complete = held().prop_map(|pick| Try {
        pick,
        off: 0,
        end: End::Complete,
    });
    let tries = vec(prop_oneof![3 => complete, 1 => attempt()], 0..4);
    let round = (0..3_usize, tries, 0..12_usize, rarely());
    prop_oneof![
        10 => plain_job().prop_map(|job| Op::Enqueue(vec![job])),
        16 => offer(12),
        8 => round.prop_map(|(who, acts, want, none)| Op::Round(who, acts, want, none)),
        1 => (pick(), Just(None)).prop_map(|(pick, payload)| Op::EnqueueAgain(pick, payload)),
        2 => bunch(),
        1 => Just(Op::AllLeasesOver),
        1 => pick_in(JobState::Active).prop_map(Op::LeaseOver),
        2 => op(),
    ]
}

/// Jobs that wait in a parcel, or mostly do.
fn bunch() -> impl Strategy<Value = Op> {
    (plain_job(), 2..12_usize, rarely(), any::<bool>()).prop_map(|(job, n, any, says)| {
        if any {
            return Op::Bunch(job, n);
        }
        let ordinary = NewJob {
            all: false,
            priority: 1,
            announce: says && job.shared,
            ..job
        };
        Op::Bunch(ordinary, n)
    })
}

/// What happens to a queue in which most jobs are in parcels.
pub fn op_of_parcels() -> impl Strategy<Value = Op> {
    let none = || Just(Vec::new());
    let finish = || {
        (
            0..3_usize,
            prop_oneof![4 => Just(0), 1 => 0..4_usize],
            0..12_usize,
        )
    };
    prop_oneof![
        12 => bunch(),
        12 => (0..3_usize, none(), 0..40_usize, Just(false)).prop_map(|(who, acts, want, none)| Op::Round(who, acts, want, none)),
        16 => finish().prop_map(|(who, left, want)| Op::Finish(who, left, want)),
        2 => (0..3_usize).prop_map(Op::Repeat),
        2 => (0..3_usize, rarely(), vec((held(), Just(0)), 0..2)).prop_map(|(who, none, held)| Op::Beat(who, none, held)),
        4 => (prop_oneof![pick(), pick_in(JobState::Active), pick_in(JobState::Completed)], Just(None)).prop_map(|(pick, payload)| Op::EnqueueAgain(pick, payload)),
        1 => pick_in(JobState::Active).prop_map(Op::LeaseOver),
        2 => vec(pick_in(JobState::Active), 1..3).prop_map(|picks| Op::Cancel(picks, None)),
        2 => vec(pick_in(JobState::Completed), 1..3).prop_map(Op::Delete),
        1 => Just(Op::Maintain(Forget { completed: true, failed: false })),
        3 => op(),
    ]
}

/// Anything but a crash of Redis.
pub fn op() -> impl Strategy<Value = Op> {
    let again = option::weighted(0.3, 0..3_u8);
    prop_oneof![
        80 => vec(new_job(), 1..5).prop_map(Op::Enqueue),
        24 => bunch(),
        1 => new_job().prop_map(|job| Op::Flood(NewJob { key: None, ..job })),
        16 => (pick(), again).prop_map(|(pick, payload)| Op::EnqueueAgain(pick, payload)),
        160 => worker(),
        64 => time(),
        88 => operator(),
        8 => Just(Op::FlushScripts),
    ]
}

/// Anything, and often a crash.
pub fn op_or_crash() -> impl Strategy<Value = Op> {
    let crash = option::of((0..3_usize, 0..8_usize)).prop_map(Op::Crash);
    prop_oneof![1 => crash, 9 => op()]
}
