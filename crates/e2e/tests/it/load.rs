//! The load generator puts load on the real processes, and finds everything as it should be.

use std::time::Duration;

use e2e::load::{
    FanOut, Idle, Jobs, Length, Order, Pace, Path, PlainRoom, Publisher, QueueLoad, Session, Stage,
    StageArgs, Watched,
};

const LENGTH: Length = Length::Messages(200);

fn path(stage: &Stage, clients: usize, pace: Pace) -> Path {
    Path {
        port: stage.system.servers[0].port(),
        path: "/".to_owned(),
        senders: clients,
        receivers: clients,
        bytes: 100,
        pace,
        warm_up: Duration::from_millis(100),
        length: LENGTH,
        order: Order::Messages,
    }
}

fn fan_out(stage: &Stage, pace: Pace) -> FanOut {
    FanOut {
        port: stage.system.servers[0].port(),
        subscribers: 50,
        bytes: 128,
        pace,
        warm_up: Duration::from_millis(100),
        length: LENGTH,
    }
}

#[tokio::test]
async fn messages_go_the_whole_path() {
    let stage = Stage::start(&StageArgs::default()).await;
    let watched = stage.watched().await;
    let metered = Pace::Metered {
        per_second: 500.0,
        window: 2,
    };
    for (clients, pace) in [
        (1, Pace::Window(100)),
        (3, Pace::Window(20)),
        (1, Pace::Rate(300.0)),
        (2, metered),
    ] {
        let figures = path(&stage, clients, pace).run(&watched).unwrap();
        assert!(figures.messages >= 200, "{pace:?}: {figures:?}");
        assert!(figures.result_ms.p99 >= figures.message_ms.p50);
        let names: Vec<_> = figures.usage.iter().map(|usage| &*usage.name).collect();
        assert_eq!(names, ["server", "worker", "manager", "redis"]);
        assert!(figures.usage[0].cpu_seconds > 0.0);
    }
}

#[tokio::test]
async fn jobs_go_the_whole_path_over_http() {
    let stage = Stage::start(&StageArgs::default()).await;
    let watched = stage.watched().await;
    for per_second in [None, Some(200.0)] {
        let jobs = Jobs {
            port: stage.system.servers[0].port(),
            clients: 10,
            bytes: 100,
            per_second,
            warm_up: Duration::from_millis(100),
            length: LENGTH,
        };
        let figures = jobs.run(&watched).unwrap();
        assert!(figures.messages >= 200, "{figures:?}");
        assert!(figures.result_ms.p50 >= figures.message_ms.p50);
    }
}

#[tokio::test]
async fn results_that_come_in_turn_pass_the_strict_check() {
    let stage = Stage::start(&StageArgs {
        concurrency: 1,
        ..StageArgs::default()
    })
    .await;
    let strict = Path {
        order: Order::Strict,
        ..path(&stage, 1, Pace::Window(50))
    };
    assert_eq!(strict.run(&[]).unwrap().early_results, 0);
}

// Publishing goes on while this thread waits for deliveries.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_published() {
    let stage = Stage::start(&StageArgs {
        workers: 0,
        server_arg: vec!["--insecure".to_owned()],
        ..StageArgs::default()
    })
    .await;
    let watched = stage.watched().await;
    let plain = fan_out(&stage, Pace::Window(16));
    let figures = plain.run(&PlainRoom, &mut Publisher::Member, &watched);
    let figures = figures.unwrap();
    assert!(figures.deliveries >= 200 * 50 - 16 * 50, "{figures:?}");
    assert!(figures.cpu_per_million("server").unwrap() > 0.0);
    let metered = Pace::Metered {
        per_second: 500.0,
        window: 1,
    };
    let sessions = fan_out(&stage, metered);
    let figures = sessions.run(&Session, &mut stage.publisher(), &watched);
    let figures = figures.unwrap();
    assert!(figures.messages >= 200, "{figures:?}");
    assert!(figures.last_ms.p50 >= figures.delivery_ms.p50);
}

// The job is moved while this thread waits for what it says.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_follows_a_job_gets_what_it_says() {
    let stage = Stage::start(&StageArgs {
        workers: 0,
        ..StageArgs::default()
    })
    .await;
    let (stream, mut publisher) = stage.spokesman().await.unwrap();
    let idle = Idle {
        port: stage.system.servers[0].port(),
        connections: 150,
    };
    let server = Watched::new("server", stage.system.servers[0].pid());
    assert_eq!(idle.run(&stream, &server).unwrap().connections, 150);
    let load = fan_out(&stage, Pace::Window(16));
    let figures = load.run(&stream, &mut publisher, &[]).unwrap();
    assert!(figures.messages >= 200, "{figures:?}");
    assert!(figures.last_ms.p50 >= figures.delivery_ms.p50);
}

#[tokio::test]
async fn connections_may_do_nothing() {
    let stage = Stage::start(&StageArgs {
        workers: 0,
        server_arg: vec!["--insecure".to_owned()],
        ..StageArgs::default()
    })
    .await;
    let load = Idle {
        port: stage.system.servers[0].port(),
        connections: 300,
    };
    let server = Watched::new("server", stage.system.servers[0].pid());
    let figures = load.run(&Session, &server).unwrap();
    assert_eq!(figures.connections, 300);
    assert!(figures.after.rss_bytes > 0 && figures.connects_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_runs_alone() {
    let load = QueueLoad {
        jobs: 3_000,
        run: 2_000,
        bytes: 100,
        tenants: 10,
        own_topics: false,
        keep: 500,
        stage: StageArgs::default(),
    };
    let figures = load.measure().await.unwrap();
    assert_eq!(figures.enqueue.jobs, 3_000);
    assert!(figures.run.jobs >= 2_000, "{figures:?}");
    let bytes = figures.redis_bytes_per_waiting_job;
    assert!((100.0..2_000.0).contains(&bytes), "{figures:?}");
}
