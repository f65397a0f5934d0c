//! Moves a slot of a Cluster from one node to another, step by step, as `redis-cli --cluster reshard` does.

use super::{
    TestRedis,
    topology::{SLOTS, Topology},
};
use crate::slots;

/// A slot on its way.
pub struct Moving {
    key: String,
    slot: u16,
    to: usize,
    to_id: String,
}

impl TestRedis {
    /// Begins to move the slot of a key to another primary than has it now.
    pub async fn begin_move(&self, key: &str) -> Moving {
        let redis = self.connect("raw");
        let at_source = async |words: &[&str]| -> String {
            let mut cmd = redis::cmd(words[0]);
            cmd.arg(&words[1..]);
            redis.query_at(key, &cmd).await.expect("a node answers")
        };
        let slot: u16 = self.command_at(0, &["CLUSTER", "KEYSLOT", key]).await;
        let from_id = at_source(&["CLUSTER", "MYID"]).await;
        let mut target = None;
        for n in 0..self.holders() {
            let id: String = self.command_at(n, &["CLUSTER", "MYID"]).await;
            let info: String = self.command_at(n, &["INFO", "replication"]).await;
            if id != from_id && info.contains("role:master") {
                target = Some((n, id));
                break;
            }
        }
        let (to, to_id) = target.expect("there is another primary");
        let number = slot.to_string();
        let _: String = self
            .command_at(to, &["CLUSTER", "SETSLOT", &number, "IMPORTING", &from_id])
            .await;
        at_source(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &to_id]).await;
        Moving {
            key: key.to_owned(),
            slot,
            to,
            to_id,
        }
    }

    /// Which of the servers that hold data is the primary of a key at the beginning.
    pub fn would_own(&self, key: &str) -> usize {
        let Topology::Cluster { primaries, .. } = self.topology() else {
            return 0;
        };
        let slot = usize::from(slots::slot(key.as_bytes()));
        (0..primaries)
            .find(|n| slot < (n + 1) * SLOTS / primaries)
            .expect("somebody has it")
    }

    /// Moves up to so many keys; says how many there were.
    pub async fn move_keys(&self, moving: &Moving, most: usize) -> usize {
        let redis = self.connect("raw");
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("GETKEYSINSLOT").arg(moving.slot).arg(most);
        let keys: Vec<String> = redis
            .query_at(&moving.key, &cmd)
            .await
            .expect("a node answers");
        if !keys.is_empty() {
            let mut cmd = redis::cmd("MIGRATE");
            cmd.arg("127.0.0.1")
                .arg(self.port(moving.to))
                .arg("")
                .arg(0)
                .arg(5_000)
                .arg("KEYS")
                .arg(&keys);
            let _: String = redis
                .query_at(&moving.key, &cmd)
                .await
                .expect("the keys can be moved");
        }
        keys.len()
    }

    /// Moves what is left, and makes the move known.
    pub async fn end_move(&self, moving: Moving) {
        while self.move_keys(&moving, 1_000).await > 0 {}
        let redis = self.connect("raw");
        let slot = moving.slot.to_string();
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg("SETSLOT").arg(&slot).arg("NODE").arg(&moving.to_id);
        // The target first: it must know before anybody is sent to it.
        let _: String = self
            .command_at(
                moving.to,
                &["CLUSTER", "SETSLOT", &slot, "NODE", &moving.to_id],
            )
            .await;
        let _: String = redis
            .query_at(&moving.key, &cmd)
            .await
            .expect("the source lets go");
    }
}
