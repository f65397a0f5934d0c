//! Users of a test's Redis, and what was refused to them.

use std::collections::HashMap;

use redis::Value;

use super::TestRedis;

impl TestRedis {
    /// Makes a user with a password that may do what these rules of Redis say: on every server that holds data, since they
    /// do not tell one another.
    pub async fn add_user(&self, name: &str, password: &str, rules: &[String]) {
        let password = format!(">{password}");
        let mut words = vec!["ACL", "SETUSER", name, "reset", "on", &password];
        words.extend(rules.iter().map(String::as_str));
        for n in 0..self.holders() {
            let _: String = self.command_at(n, &words).await;
        }
    }

    /// What was refused to anybody: who it was, what it was about, and what was asked.
    pub async fn refused(&self) -> Vec<String> {
        let mut refused = Vec::new();
        for n in 0..self.holders() {
            let log: Vec<HashMap<String, Value>> = self.command_at(n, &["ACL", "LOG"]).await;
            for line in &log {
                let text = |name: &str| match line.get(name) {
                    Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                    Some(Value::SimpleString(text)) => text.clone(),
                    _ => String::new(),
                };
                let words = ["username", "reason", "object", "context"].map(text);
                refused.push(words.join(" "));
            }
        }
        refused
    }
}
