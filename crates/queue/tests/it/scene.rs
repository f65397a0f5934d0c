//! Jobs in every state, always the same, and the binary that looks at them.

use std::time::Duration;

use protocol::{JobId, JobOptions};

use crate::{
    rig::{Answer, Rig, Worker},
    snapshot::session,
};

/// Jobs in every state.
pub(crate) struct Scene {
    pub(crate) rig: Rig,
    pub(crate) failed: JobId,
    pub(crate) completed: JobId,
    pub(crate) delayed: JobId,
    pub(crate) active: JobId,
}

fn of(tenant: &str, delay_ms: u64) -> JobOptions {
    JobOptions {
        tenant: tenant.parse().unwrap(),
        delay_ms,
        ..JobOptions::default()
    }
}

impl Scene {
    pub(crate) async fn set(prefix: &'static str) -> Self {
        let rig = Rig::start(prefix).await;
        // Long enough for a test, whose worker goes without giving its jobs back.
        let worker = Worker::start(&rig, "chat", Duration::from_secs(600));
        let message = r#""no route to 10.0.0.7\nat \u001b[31mline 7""#;
        let failed = rig.submit("chat", "fail", message, of("acme", 0)).await;
        rig.until_state("chat", failed, "failed").await;
        let payload = r#"{"b":1.0,"a":["x"]}"#;
        let completed = rig.submit("chat", "done", payload, of("public", 0)).await;
        rig.until_state("chat", completed, "completed").await;
        let active = rig.submit("chat", "hang", "1", of("public", 0)).await;
        rig.until_state("chat", active, "active").await;
        worker.kill();
        let delayed = rig.submit("chat", "done", "1", of("acme", 600_000)).await;
        rig.submit("chat", "done", "2", of("public", 0)).await;
        let cancelled = rig.submit("video", "done", "3", of("public", 0)).await;
        rig.run(&["cancel", &cancelled.to_string()]);
        Self {
            rig,
            failed,
            completed,
            delayed,
            active,
        }
    }

    pub(crate) fn session(&self, lines: &[&str]) -> String {
        let run = |line: &&str| session(line, &self.run(line));
        lines.iter().map(run).collect()
    }

    pub(crate) fn run(&self, line: &str) -> Answer {
        self.rig.run(&words(line))
    }
}

/// The words of a line, without the quotes around some.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split(' ')
        .map(|word| word.trim_matches('\''))
        .collect()
}
