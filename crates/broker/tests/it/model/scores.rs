//! The model's time in place of Redis' clock.

use super::{
    book::FAR,
    real::stored,
    world::{BASE, World},
};

/// Another time for what is in a sorted set; what is said after the milliseconds stays.
const SCORE: &str = "
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if score then redis.call('ZADD', KEYS[1], ARGV[1] + score % 1, ARGV[2]) return 0 end
-- One in a parcel has its score.
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local number = string.match(name, '^@%w+ (%d+) ')
  local key = number and string.match(KEYS[1], '^[^:]*:') .. 'parcel:' .. number
  if key and redis.call('LPOS', key, ARGV[2]) then redis.call('ZADD', KEYS[1], ARGV[1], name) end
end
return 0";

/// Writes over when a job expires.
const EXPIRES: &str = "
local job = redis.call('GET', KEYS[1])
job = string.gsub(job, ' expires=%d+', ' expires=' .. ARGV[1], 1)
redis.call('SET', KEYS[1], job)";

impl World<'_> {
    /// Writes the model's time over that of Redis' clock.
    pub async fn write_scores(&mut self, scores: Vec<(&'static str, String, u64)>) {
        let mut pipeline = redis::pipe();
        let mut past = false;
        for (set, member, score) in scores {
            past |= score < FAR;
            let (key, score) = (format!("{BASE}{set}"), stored(set, score));
            pipeline
                .cmd("EVAL")
                .arg(SCORE)
                .arg(1)
                .arg(key)
                .arg(score)
                .arg(&member);
            if set == "expiring" {
                let key = format!("{BASE}job:{member}");
                pipeline.cmd("EVAL").arg(EXPIRES).arg(1).arg(key).arg(score);
            }
        }
        if !pipeline.is_empty() {
            // Here it is their time that comes, and not the clock that goes on.
            if past {
                pipeline.cmd("HDEL").arg(format!("{BASE}count")).arg("due");
            }
            self.raw.pipe(&pipeline).await;
        }
    }
}
