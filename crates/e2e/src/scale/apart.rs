//! What a message to a room costs a server none of whose clients is in it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use broker::testing::PATIENCE;
use serde::Serialize;

use crate::{
    Process, Settings, System,
    bench::peers::Heard,
    load::{Crowd, Dialect, Watched},
};

/// How long both servers are listened to before anything is sent.
const CALM: Duration = Duration::from_secs(1);

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Apart {
    /// How many idle clients each of the two servers had.
    pub clients: usize,
    /// How many messages went to the room of the first one's.
    pub messages: usize,
    /// How many frames those clients got: each message, and its result.
    pub frames: usize,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
    /// What the first server did meanwhile.
    pub here: Work,
    /// What the other server did meanwhile.
    pub there: Work,
    /// What the other server did in as long a time without messages.
    pub quiet: Work,
}

/// What a server did in some time, by its own counters and the kernel's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Events that came from Redis.
    pub relayed: u64,
    /// Events put in clients' outboxes.
    pub delivered: u64,
    /// Frames written.
    pub written: u64,
    /// Processor time, in microseconds.
    pub cpu_us: u64,
}

impl Work {
    /// What a server has done since it started.
    async fn of(server: &Process) -> anyhow::Result<Self> {
        let answer = server.get("/metrics").await;
        let (_, text) = answer.context("the server does not tell its metrics")?;
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.with_context(|| format!("the server has no {name}"))?;
            value.trim().parse::<u64>().context("a count is a number")
        };
        Ok(Self {
            relayed: count("relay_events_total ")?,
            delivered: count("relay_delivered_total ")?,
            written: count("ws_frames_sent_total ")?,
            cpu_us: micros(Watched::new("server", server.pid()).cpu()?),
        })
    }

    const fn since(self, before: Self) -> Self {
        Self {
            relayed: self.relayed - before.relayed,
            delivered: self.delivered - before.delivered,
            written: self.written - before.written,
            cpu_us: self.cpu_us - before.cpu_us,
        }
    }

    /// Whether no message was any of its business.
    pub const fn is_none(&self) -> bool {
        self.relayed == 0 && self.delivered == 0 && self.written == 0
    }
}

/// A plain room.
struct Room(&'static str);

impl Dialect for Room {
    fn path(&self) -> &str {
        self.0
    }

    fn subscribes_at_once(&self) -> bool {
        true
    }

    fn hear<'a>(&self, line: &'a str) -> Heard<'a> {
        Heard::Delivery(line.into())
    }
}

/// Fills two servers with idle clients, each in a room of its own, and sends messages to one room.
pub async fn apart(clients: usize, messages: usize) -> anyhow::Result<Apart> {
    // No ping comes between.
    let server = [
        "--max-connections",
        "20000",
        "--ping-interval-ms",
        "600000",
        "--idle-timeout-ms",
        "1200000",
    ];
    let system = System::start(Settings {
        servers: 2,
        server: server.map(str::to_owned).into(),
        ..Settings::default()
    })
    .await;
    let (one, other) = (&system.servers[0], &system.servers[1]);
    let (room, elsewhere) = (Room("/rooms/here"), Room("/rooms/there"));
    let mut here = Crowd::gather(one.port(), clients, &room)?;
    let mut there = Crowd::gather(other.port(), clients, &elsewhere)?;
    here.listen(CALM)?;

    let (here_before, there_before) = (Work::of(one).await?, Work::of(other).await?);
    let began = Instant::now();
    let mut frames = 0;
    for n in 0..messages {
        here.say(n % clients, &format!("message {n}"));
        here.flush(n % clients)?;
        // The text and its result come to all.
        let wanted = frames + 2 * clients;
        while frames < wanted {
            here.step(Some(Instant::now() + PATIENCE), &mut |_, _| {
                frames += 1;
                Ok(())
            })?;
            ensure!(
                here.silence() < PATIENCE,
                "{frames} of {wanted} frames came"
            );
        }
    }
    let took = began.elapsed();
    let (here_after, there_after) = (Work::of(one).await?, Work::of(other).await?);
    // It fails if anything came that nobody sent there.
    there.listen(took.max(CALM))?;
    let quiet = Work::of(other).await?;
    Ok(Apart {
        clients,
        messages,
        frames,
        took_ms: micros(took) / 1_000,
        here: here_after.since(here_before),
        there: there_after.since(there_before),
        quiet: quiet.since(there_after),
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
