//! The peers of the benchmark do the work that they are measured by.

use broker::testing::TestRedis;
use e2e::{
    Client,
    bench::peers::{Peers, Queue, QueueTask, Running},
};
use serde_json::Value;

fn peers() -> Peers {
    Peers::install(&Peers::folder())
}

fn names(running: &Running) -> Vec<&'static str> {
    running.pids().into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn the_seeds_stack_relays_the_text_and_the_result_to_everyone() {
    let redis = TestRedis::start().await;
    let seed = peers().seed(&redis.url()).await.unwrap();
    assert_eq!(names(&seed), ["worker", "server"]);
    let mut sender = Client::connect(seed.port()).await;
    let other = Client::connect(seed.port()).await;
    assert!(sender.send("hi {there}").await);
    for client in [&sender, &other] {
        let mut texts = client.until_count(2).await;
        // Nothing orders the two.
        texts.sort();
        assert_eq!(texts[0], "hi {there}");
        let result: Value = serde_json::from_str(&texts[1]).unwrap();
        assert_eq!(result["msg"], "hi {there}");
        assert!(result["time"].is_u64());
    }
}

async fn a_queue_says_what_its_task_took(queue: Queue) {
    let redis = TestRedis::start().await;
    let task = QueueTask {
        jobs: 2_000,
        concurrency: 100,
        payload: 100,
        keep: 500,
    };
    let figures = peers().queue(queue, &redis.url(), &task).await.unwrap();
    assert!(figures.add_seconds > 0.0 && figures.process_seconds > 0.0);
    assert!(figures.add_cpu > 0.0 && figures.process_cpu > 0.0);
    let bytes = figures.bytes_per_waiting_job(&task);
    assert!((100.0..2_000.0).contains(&bytes), "{figures:?}");
    assert!(
        figures.memory_finished < figures.memory_waiting,
        "{figures:?}"
    );
}

#[tokio::test]
async fn bullmq_on_node_runs_alone() {
    a_queue_says_what_its_task_took(Queue::Bullmq).await;
}
