//! Goes through a hash or a sorted set piece by piece, so that a large one does not hold Redis up.

use redis::FromRedisValue;

use crate::{Error, Redis};

/// How many pairs are asked for at a time.
const COUNT: usize = 500;

/// Up to about `limit` pairs: fields and values of a hash (`HSCAN`), or members and scores of a sorted set (`ZSCAN`).
pub(crate) async fn pairs<T: FromRedisValue>(
    redis: &Redis,
    command: &str,
    key: &str,
    limit: usize,
) -> Result<Vec<(String, T)>, Error> {
    let mut found = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let mut cmd = redis::cmd(command);
        cmd.arg(key).arg(cursor).arg("COUNT").arg(COUNT);
        let (next, page): (u64, Vec<(String, T)>) = redis.query(&cmd).await?;
        found.extend(page);
        cursor = next;
        if cursor == 0 || found.len() >= limit {
            return Ok(found);
        }
    }
}
