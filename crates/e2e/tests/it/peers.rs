//! The peers of the benchmark do the work that they are measured by.

use broker::testing::TestRedis;
use e2e::{
    Client,
    bench::peers::{Peers, Running},
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
