//! What is measured of the talk with Redis.

use broker::testing::{TestRedis, Topology, until};
use prometheus_client::{encoding::text::encode, registry::Registry};

fn measured(registry: &Registry, name: &str) -> u64 {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn round_trips_and_connections_made_again_are_counted() {
    // A Cluster is asked for its slots besides.
    let mut server = TestRedis::start_as(Topology::One, &[]).await;
    let redis = server.connect("meter");
    let mut registry = Registry::default();
    redis.register(&mut registry);
    for _ in 0..3 {
        redis.clone().ping().await.unwrap();
    }
    let trips = "redis_round_trip_duration_seconds_count";
    assert_eq!(measured(&registry, trips), 3);
    for name in ["round_trips_failed", "reconnects", "connects_failed"] {
        assert_eq!(measured(&registry, &format!("redis_{name}_total")), 0);
    }

    server.kill();
    until("its end is noticed, and that it is away", async || {
        redis.ping().await.unwrap_err();
        (measured(&registry, "redis_connects_failed_total") > 0).then_some(())
    })
    .await;
    assert_eq!(measured(&registry, "redis_round_trips_failed_total"), 1);
    server.run().await;
    redis.ping().await.unwrap();
    assert_eq!(measured(&registry, "redis_reconnects_total"), 1);
    redis.ping().await.unwrap();
    assert_eq!(measured(&registry, "redis_reconnects_total"), 1);
    assert_eq!(measured(&registry, trips), 6);
}
