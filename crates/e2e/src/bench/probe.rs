//! The questions: what each measures, what it is to reach, and who is asked.

use super::{
    Plan, curves,
    party::Party,
    peers::{Queue, Relay},
    report::{Better, Target},
};

/// Something that is done once for each side in each turn. It may answer more than one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    PathOne,
    PathTen,
    Idle,
    Queue,
    FanOutWindow,
    FanOutRate,
    MemoryPlain,
    MemorySession,
    Commands,
}

/// A row, before anybody has answered.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) target: Option<Target>,
}

const fn rate(name: &'static str, what: &'static str, unit: &'static str, times: f64) -> Question {
    Question {
        name,
        what,
        unit,
        better: Better::Higher,
        target: Some(Target::Times(times)),
    }
}

const fn cost(
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    at_most: f64,
) -> Question {
    Question {
        name,
        what,
        unit,
        better: Better::Lower,
        target: Some(Target::AtMost(at_most)),
    }
}

const PER_DELIVERIES: &str = "CPU s/1M deliveries";
const PER_CONNECTION: &str = "B/connection";

impl Probe {
    pub(crate) const ALL: [Self; 9] = [
        Self::PathOne,
        Self::PathTen,
        Self::Idle,
        Self::Queue,
        Self::FanOutWindow,
        Self::FanOutRate,
        Self::MemoryPlain,
        Self::MemorySession,
        Self::Commands,
    ];

    /// What it answers, in the order in which it does.
    pub(crate) fn questions(self) -> Vec<Question> {
        match self {
            Self::PathOne => vec![rate(
                "path-one",
                "Text of 100 bytes to job to result: one client with 1,000 on their way.",
                "messages/s",
                6.0,
            )],
            Self::PathTen => vec![rate(
                "path-ten",
                "The same with ten clients of 100 each, where all ten get every text and every result.",
                "messages/s",
                6.0,
            )],
            Self::Idle => vec![
                cost(
                    "idle-p50",
                    "Text to result at 50 messages a second, from when a text was to be sent: half take at most this.",
                    "ms",
                    0.8,
                ),
                cost(
                    "idle-p99",
                    "The same: all but one in a hundred take at most this.",
                    "ms",
                    2.5,
                ),
            ],
            Self::Queue => vec![
                rate(
                    "queue",
                    "Jobs of 100 bytes that are run by a handler that does nothing, 100 at a time, out of a full queue.",
                    "jobs/s",
                    4.0,
                ),
                rate(
                    "enqueue",
                    "The same jobs handed in in bulk, until all are stored.",
                    "jobs/s",
                    5.0,
                ),
                cost(
                    "redis-cpu",
                    "What Redis' main thread spends on one of these jobs from its being handed in to its being forgotten.",
                    "µs/job",
                    30.0,
                ),
                cost(
                    "redis-memory",
                    "How much more memory Redis uses for each of these jobs that waits.",
                    "B/job",
                    400.0,
                ),
            ],
            Self::FanOutWindow => vec![cost(
                "fanout-w16",
                "The gateway, where 1,000 subscribers get messages of 128 bytes through Redis, 16 on their way.",
                PER_DELIVERIES,
                1.0,
            )],
            Self::FanOutRate => vec![cost(
                "fanout-100",
                "The same at 100 messages a second, one on its way: there is little to write together.",
                PER_DELIVERIES,
                7.5,
            )],
            Self::MemoryPlain => vec![cost(
                "memory-plain",
                "The gateway's resident memory for each of 10,000 connections (2,000 in a quick run) that do nothing.",
                PER_CONNECTION,
                3_000.0,
            )],
            Self::MemorySession => vec![cost(
                "memory-session",
                "The same, each with a session of the Centrifugo protocol that is subscribed to a room.",
                PER_CONNECTION,
                4_000.0,
            )],
            Self::Commands => vec![Question {
                name: "idle-commands",
                what: "Commands that an idle system of one server, one worker and one queue manager sends to Redis.",
                unit: "commands/s",
                better: Better::Lower,
                target: None,
            }],
        }
    }

    /// How often each side is asked.
    pub(crate) const fn turns(self, plan: &Plan) -> usize {
        match self {
            // These differ least from turn to turn, and take their time.
            Self::MemoryPlain | Self::MemorySession | Self::Commands if plan.quick => 1,
            _ => plan.turns,
        }
    }

    /// Who is asked, this project first.
    pub(crate) fn parties(self) -> Vec<Party> {
        let peers: Vec<Party> = match self {
            Self::PathOne | Self::PathTen | Self::Idle => vec![Party::Seed],
            Self::Queue => vec![Party::Queue(Queue::Bullmq), Party::Queue(Queue::BullmqRust)],
            Self::FanOutWindow | Self::FanOutRate => Relay::ALL.map(Party::Relay).to_vec(),
            // What is written together or not is nothing to those who get nothing.
            Self::MemoryPlain => [Relay::Ws, Relay::SocketIo, Relay::Sockudo]
                .map(Party::Relay)
                .to_vec(),
            Self::MemorySession | Self::Commands => Vec::new(),
        };
        [vec![Party::Ours], peers].concat()
    }
}

/// Everything that can be asked for by name: rows, then curves.
pub fn names() -> Vec<&'static str> {
    let rows = Probe::ALL.into_iter().flat_map(Probe::questions);
    rows.map(|question| question.name)
        .chain(curves::NAMES)
        .collect()
}
