//! What took the model (`model.rs`) to find, in a few steps each, by workers that are moved by hand.

use std::time::Duration;

use broker::testing::Puppet;
use protocol::{JobOptions, JobState, Kind};

use crate::rig::Rig;

const LEASE: Duration = Duration::from_secs(60);

fn puppet(rig: &Rig, name: &str, kinds: &[&str]) -> Puppet {
    let kinds: Vec<_> = kinds.iter().map(|kind| Kind::new(kind).unwrap()).collect();
    Puppet::new(
        rig.redis.clone(),
        rig.queue.clone(),
        rig.args.clone(),
        name,
        &kinds,
    )
}

#[tokio::test]
async fn a_worker_of_every_kind_has_each() {
    let rig = Rig::new().await;
    let (mut picky, mut all) = (puppet(&rig, "picky", &["other"]), puppet(&rig, "all", &[]));
    all.beat(LEASE, &[]).await.unwrap();
    let id = rig.submit("1", JobOptions::default()).await;
    assert!(picky.round(&[], 1, LEASE).await.unwrap().claims.is_empty());
    rig.maintenance().run(&rig.queue).await.unwrap();
    assert_eq!(rig.get(id).await.state, JobState::Waiting);
    let claims = all.round(&[], 1, LEASE).await.unwrap().claims;
    assert_eq!(claims[0].id, id);

    // Once it has left, nobody has it.
    all.leave().await.unwrap();
    let id = rig.submit("2", JobOptions::default()).await;
    picky.round(&[], 1, LEASE).await.unwrap();
    assert_eq!(rig.get(id).await.state, JobState::Failed);
}

#[tokio::test]
async fn a_kind_is_known_for_the_longest_of_its_leases() {
    let rig = Rig::new().await;
    let (long, short) = (
        puppet(&rig, "long", &["test"]),
        puppet(&rig, "short", &["test"]),
    );
    long.beat(LEASE * 60, &[]).await.unwrap();
    short.beat(LEASE, &[]).await.unwrap();
    let kept: u64 = rig.server.command(&["TTL", "test{chat}:kind:test"]).await;
    assert!(kept >= 60 * LEASE.as_secs(), "{kept} s");
}
