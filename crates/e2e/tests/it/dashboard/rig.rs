//! A system without servers whose manager's dashboard is open, and jobs for it.

use broker::{
    Control, Inspector, Producer, ProducerConfig, QueueArgs,
    testing::{TestRedis, until},
};
use e2e::{Settings, System};
use futures_util::StreamExt as _;
use protocol::{Job, JobId, JobOptions, JobState, Kind};
use serde_json::{Value, json, value::RawValue};
use tokio_util::task::TaskTracker;

use crate::browser::{Browser, Look};

/// How many jobs are handed in at a time.
const AT_ONCE: usize = 1_024;

/// Whether the stream of counts is there.
pub const LIVE: &str = "document.getElementById('link').dataset.state === 'open'";

pub struct Rig {
    pub system: System,
    pub browser: Browser,
    pub producer: Producer,
    pub inspector: Inspector,
    pub control: Control,
}

impl Rig {
    /// `workers` of the workers for tests, with more arguments.
    pub async fn start(workers: usize, worker: &[&str], manager: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let settings = Settings {
            servers: 0,
            workers,
            worker: owned(worker),
            manager: owned(manager),
            worker_binary: "test-worker",
            ..Settings::default()
        };
        let redis = TestRedis::start_with(&["--appendonly", "no"]).await;
        let mut system = System::launch(redis, settings);
        let ((), browser) = tokio::join!(system.ready(), Browser::start());
        let (redis, keep) = (system.connect(), QueueArgs::default());
        Self {
            producer: Producer::spawn(
                redis.clone(),
                System::chat(),
                keep.clone(),
                ProducerConfig::default(),
                &TaskTracker::new(),
            ),
            control: Control::new(redis, keep),
            inspector: system.inspector(),
            system,
            browser,
        }
    }

    /// Goes to a page, and waits until it is there and live.
    pub async fn open(&mut self, page: &str, look: Look) {
        let url = format!(
            "http://127.0.0.1:{}/#/{page}",
            self.system.managers[0].port()
        );
        self.browser.open(&url, look).await;
        self.browser.until(LIVE).await;
    }

    /// Loads the dashboard anew, and waits until it is another document, and live.
    pub async fn reload(&mut self) {
        let reload = "window.before = true; location.reload(); true";
        self.browser.ask(reload).await;
        let fresh =
            format!("window.before === undefined && document.getElementById('link') && {LIVE}");
        self.browser.until(&fresh).await;
    }

    /// Goes to another page as a link would.
    pub async fn go(&mut self, page: &str) {
        let go = format!("location.hash = {:?}; true", format!("#/{page}"));
        self.browser.ask(&go).await;
    }

    pub async fn submit(&self, kind: &str, payload: Value, options: JobOptions) -> JobId {
        let job = Job {
            kind: Kind::new(kind).expect("a name"),
            payload: RawValue::from_string(payload.to_string()).expect("JSON"),
            options,
        };
        let receipt = self.producer.submit(Producer::new_id(), job).await;
        receipt.expect("Redis takes jobs").id
    }

    /// Hands in many jobs that are alike.
    pub async fn fill(&self, jobs: usize, kind: &str, payload: &Value, options: &JobOptions) {
        futures_util::stream::iter(0..jobs)
            .map(|_| self.submit(kind, payload.clone(), options.clone()))
            .buffer_unordered(AT_ONCE)
            .for_each(async |_| {})
            .await;
    }

    /// Says when a chat message is handed in, as any program could.
    pub async fn put_schedule(&mut self, name: &str, when: &Value) {
        let body =
            json!({"when": when, "job": {"kind": "chat", "payload": {"msg": name}}}).to_string();
        let put = format!(
            "fetch('api/v1/queues/chat/schedules/{name}', {{ method: 'PUT', \
             headers: {{ 'content-type': 'application/json' }}, body: {body:?} }}); true"
        );
        self.browser.ask(&put).await;
        self.browser.until(&says("main", name)).await;
    }

    pub async fn count(&self, state: JobState) -> u64 {
        let counts = self.inspector.counts(&System::chat()).await;
        counts.expect("Redis answers").0.get(state)
    }

    /// Waits until so many jobs are in a state.
    pub async fn until_count(&self, state: JobState, count: u64) {
        let what = format!("{count} jobs are {state}");
        until(&what, async || {
            (self.count(state).await == count).then_some(())
        })
        .await;
    }

    /// A handful of jobs in every state that needs no help, one of them with markup in all that it says.
    pub async fn fill_a_little(&self) {
        let once = JobOptions {
            max_attempts: 1,
            ..JobOptions::default()
        };
        let later = JobOptions {
            delay_ms: 3_600_000,
            ..JobOptions::default()
        };
        self.fill(40, "chat", &json!({"msg": "hi"}), &JobOptions::default())
            .await;
        self.fill(12, "chat", &json!({"nope": 1}), &once).await;
        self.fill(
            8,
            "panic",
            &json!("no route to 10.0.0.7:443 after 30s"),
            &once,
        )
        .await;
        self.fill(5, "chat", &json!({"msg": "later"}), &later).await;
        self.submit("panic", json!(MARKUP), once).await;
        self.until_count(JobState::Failed, 21).await;
        self.until_count(JobState::Completed, 40).await;
    }
}

/// What must stay a text.
pub const MARKUP: &str = "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b>";

/// Whether an element's text has a part.
pub fn says(selector: &str, part: &str) -> String {
    format!("(document.querySelector({selector:?})?.textContent ?? '').includes({part:?})")
}
