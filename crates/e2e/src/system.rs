//! The whole system: a private Redis and any number of each binary.

use broker::{Inspector, Redis, testing::TestRedis};
use protocol::QueueName;
use tempfile::TempDir;

use crate::{Client, Process};

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many servers.
    pub servers: usize,
    /// How many workers.
    pub workers: usize,
    /// How many queue managers.
    pub managers: usize,
    /// Arguments of every server.
    pub server: Vec<String>,
    /// Arguments of every worker.
    pub worker: Vec<String>,
    /// Arguments of every manager.
    pub manager: Vec<String>,
    /// Which binary the workers are.
    pub worker_binary: &'static str,
    /// With which password each binary is a user of Redis that is named as it is; none if nobody has to say who it is.
    pub password: Option<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: 1,
            workers: 1,
            managers: 1,
            server: Vec::new(),
            worker: Vec::new(),
            manager: Vec::new(),
            worker_binary: "worker",
            password: None,
        }
    }
}

/// A running system.
pub struct System {
    /// Its Redis.
    pub redis: TestRedis,
    /// Its servers.
    pub servers: Vec<Process>,
    /// Its workers.
    pub workers: Vec<Process>,
    /// Its queue managers.
    pub managers: Vec<Process>,
    settings: Settings,
    logs: TempDir,
    started: usize,
}

impl System {
    /// Starts a system on a Redis that has every write on disk before it answers, and waits until all is ready.
    pub async fn start(settings: Settings) -> Self {
        let mut system = Self::launch(TestRedis::durable().await, settings);
        system.ready().await;
        system
    }

    /// Starts a system and waits for nothing: Redis may not run yet.
    pub fn launch(redis: TestRedis, settings: Settings) -> Self {
        let (managers, workers, servers) = (settings.managers, settings.workers, settings.servers);
        let logs = tempfile::tempdir().expect("a temporary folder can be made");
        let mut system = Self {
            redis,
            servers: Vec::new(),
            workers: Vec::new(),
            managers: Vec::new(),
            settings,
            logs,
            started: 0,
        };
        for _ in 0..managers {
            system.add_manager();
        }
        for _ in 0..workers {
            system.add_worker(&[]);
        }
        for _ in 0..servers {
            system.add_server();
        }
        system
    }

    /// Waits until every process is ready.
    pub async fn ready(&mut self) {
        self.all_answer(200).await;
    }

    /// Waits until every process' `/readyz` answers with this code.
    pub async fn all_answer(&mut self, code: u16) {
        let processes = [&mut self.servers, &mut self.workers, &mut self.managers];
        for process in processes.into_iter().flatten() {
            process.until_ready(code).await;
        }
    }

    fn begin(&mut self, binary: &str, option: &str, arguments: &[String]) -> Process {
        self.started += 1;
        let name = format!("{binary}-{}", self.started);
        let user = match binary {
            "test-worker" => "worker",
            other => other,
        };
        let user = self.settings.password.map(|password| (user, password));
        let mut all = self.redis.flags(user);
        all.extend_from_slice(arguments);
        Process::start(binary, &name, self.logs.path(), option, &all)
    }

    /// Starts one more server.
    pub fn add_server(&mut self) -> &mut Process {
        let arguments = self.settings.server.clone();
        let server = self.begin("server", "--listen", &arguments);
        self.servers.push(server);
        self.servers.last_mut().expect("one was just added")
    }

    /// Starts one more worker, with more arguments.
    pub fn add_worker(&mut self, more: &[&str]) -> &mut Process {
        let mut arguments = self.settings.worker.clone();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let worker = self.begin(self.settings.worker_binary, "--health-listen", &arguments);
        self.workers.push(worker);
        self.workers.last_mut().expect("one was just added")
    }

    /// Starts one more queue manager.
    pub fn add_manager(&mut self) -> &mut Process {
        let arguments = self.settings.manager.clone();
        let manager = self.begin("queue", "--listen", &arguments);
        self.managers.push(manager);
        self.managers.last_mut().expect("one was just added")
    }

    /// A plain client of a server.
    pub async fn client(&self, server: usize) -> Client {
        Client::connect(self.servers[server].port()).await
    }

    /// A connection to its Redis.
    pub fn connect(&self) -> Redis {
        // The prefix is the binaries' default.
        self.redis.connect("dwb")
    }

    /// Looks at its queues.
    pub fn inspector(&self) -> Inspector {
        Inspector::new(self.connect())
    }

    /// The queue that the plain protocol uses.
    pub fn chat() -> QueueName {
        QueueName::new(protocol::CHAT_QUEUE).expect("the constant is a name")
    }
}
