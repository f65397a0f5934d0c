//! A call of a script: run by its digest, and loaded first where Redis does not know it (any more).
//!
//! Scripts have to know which run of Redis they run in, since each may have lost what the one before had confirmed. To ask
//! costs them a sixth of their time, so that it is part of their text. Redis forgets its scripts when it ends: one with
//! another run's name is not known, even where a proxy hides that Redis was started again, and is made anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use redis::{
    Arg, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
    ToRedisArgs, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
};

use crate::reign::Reign;

/// How often a script is loaded anew for one call: twice would mean that Redis was started again meanwhile.
const LOADS: usize = 3;

/// How many bytes a call has, at most, that is for one job or two.
const FEW: usize = 2048;

/// Of how many runs a script remembers its digest: a Cluster has as many as it has primaries, and one more with each
/// failover.
const RUNS: usize = 256;

/// A script, which has a text for each run of Redis.
pub(crate) struct Script {
    flags: &'static str,
    body: String,
    publishes: bool,
    digests: Mutex<HashMap<Run, Arc<str>>>,
}

/// A run of Redis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Run {
    name: Arc<str>,
    /// Whether it is that of a node of a Cluster.
    clustered: bool,
}

impl Script {
    pub(crate) fn new(flags: &'static str, body: String) -> Self {
        Self {
            flags,
            publishes: body.contains("'PUBLISH'"),
            body,
            digests: Mutex::default(),
        }
    }

    /// Begins a call. `base` is `KEYS[1]`, the only one: what all keys of the call begin with.
    pub(crate) fn call(&self, base: &str) -> Call<'_> {
        let mut args = Cmd::new();
        args.arg(base);
        Call { script: self, args }
    }

    fn text(&self, run: &Run) -> String {
        let text = format!(
            "#!lua flags={}\nlocal run = '{}'\n{}",
            self.flags, run.name, self.body
        );
        if run.clustered {
            // Messages stay on the node that has the slot.
            text.replace("'PUBLISH'", "'SPUBLISH'")
                .replace("'NUMSUB'", "'SHARDNUMSUB'")
        } else {
            text
        }
    }

    fn digest(&self, run: &Run) -> Arc<str> {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = digests.get(run) {
            return Arc::clone(digest);
        }
        if digests.len() >= RUNS {
            digests.clear();
        }
        let script = redis::Script::new(&self.text(run));
        let digest: Arc<str> = script.get_hash().into();
        digests.insert(run.clone(), Arc::clone(&digest));
        digest
    }
}

/// A call: a script and its arguments.
pub(crate) struct Call<'a> {
    script: &'a Script,
    /// The key, and what `ARGV` will be.
    args: Cmd,
}

impl Call<'_> {
    /// Adds an argument, or several.
    pub(crate) fn arg<T: ToRedisArgs>(&mut self, arg: T) -> &mut Self {
        self.args.arg(arg);
        self
    }

    /// The key.
    pub(crate) fn key(&self) -> &[u8] {
        match self.args.args_iter().next() {
            Some(Arg::Simple(key)) => key,
            _ => b"",
        }
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.args.args_iter().filter_map(|arg| match arg {
            Arg::Simple(bytes) => Some(bytes),
            _ => None,
        })
    }

    fn bytes(&self) -> usize {
        self.parts().map(<[u8]>::len).sum()
    }

    /// Whether Redis is to write what the script publishes before the answer to it. It writes to the clients in the reverse order
    /// in which it first had something for them: so there has to be an answer to something before. The one who waits
    /// longest then waits less; but where calls are many, those that call are what everybody waits for.
    fn is_answered_last(&self) -> bool {
        self.script.publishes && self.bytes() <= FEW
    }

    fn command(&self, digest: &str) -> Cmd {
        let mut cmd = Cmd::with_capacity(self.args.args_iter().len() + 3, self.bytes() + 64);
        cmd.arg("EVALSHA").arg(digest).arg(1);
        for arg in self.parts() {
            cmd.arg(arg);
        }
        cmd
    }
}

/// A connection that knows which run of Redis it leads to.
#[derive(Clone)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    clustered: bool,
    /// How long its other end is the primary, where Sentinels say that.
    reign: Option<Reign>,
    /// Not known before the first script.
    run: Arc<Mutex<Option<Run>>>,
}

impl Link {
    /// Whose other end is a node of a Cluster, or is not.
    pub(crate) fn new(
        connection: MultiplexedConnection,
        clustered: bool,
        reign: Option<Reign>,
    ) -> Self {
        Self {
            connection,
            clustered,
            reign,
            run: Arc::default(),
        }
    }

    /// Whether its other end is not known to have been replaced.
    pub(crate) fn stands(&self) -> bool {
        self.reign.as_ref().is_none_or(Reign::stands)
    }

    /// Sends a command.
    pub(crate) async fn query<T: FromRedisValue>(&mut self, cmd: &Cmd) -> RedisResult<T> {
        let call = cmd.query_async(&mut self.connection);
        hold(self.reign.as_ref(), call).await
    }

    /// Sends several commands in one round trip.
    pub(crate) async fn pipeline<T: FromRedisValue>(
        &mut self,
        pipeline: &Pipeline,
    ) -> RedisResult<T> {
        let call = pipeline.query_async(&mut self.connection);
        hold(self.reign.as_ref(), call).await
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(&mut self, call: &Call<'_>) -> RedisResult<T> {
        let reign = self.reign.clone();
        hold(reign.as_ref(), self.run_script(call)).await
    }

    async fn run_script<T: FromRedisValue>(&mut self, call: &Call<'_>) -> RedisResult<T> {
        let known = self.lock().clone();
        let mut run = match known {
            Some(run) => run,
            None => self.read_run().await?,
        };
        let mut loads = 0;
        loop {
            let cmd = call.command(&call.script.digest(&run));
            let answer = if call.is_answered_last() {
                self.query_last(call.key(), cmd).await
            } else {
                cmd.query_async(&mut self.connection).await
            };
            match answer {
                Err(error) if is_unknown(&error) && loads < LOADS => loads += 1,
                answer => return answer,
            }
            run = self.read_run().await?;
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(call.script.text(&run));
            load.exec_async(&mut self.connection).await?;
            // Should Redis have been started again between the two, the text is another run's.
            run = self.read_run().await?;
        }
    }

    /// Sends a command behind another one, whose answer does not matter.
    async fn query_last<T: FromRedisValue>(&mut self, key: &[u8], cmd: Cmd) -> RedisResult<T> {
        let mut both = redis::pipe();
        both.cmd("EXISTS").arg(key);
        both.add_command(cmd);
        let mut answers = self.connection.req_packed_commands(&both, 1, 1).await?;
        let answer = answers.pop().unwrap_or(Value::Nil).extract_error()?;
        Ok(T::from_redis_value(answer)?)
    }

    async fn read_run(&mut self) -> RedisResult<Run> {
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let run = match info.query_async::<String>(&mut self.connection).await {
            Ok(info) => run_of(&info),
            // Where it may not be asked all runs are one.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => run_of(""),
            Err(error) => return Err(error),
        };
        let run = Run {
            name: run.into(),
            clustered: self.clustered,
        };
        *self.lock() = Some(run.clone());
        Ok(run)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where Sentinels can put another in its place, an answer counts only while they have not.
async fn hold<T>(
    reign: Option<&Reign>,
    call: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    match reign {
        None => call.await,
        // On the heap, so that calls of other topologies carry nothing of it.
        Some(reign) => Box::pin(reign.hold(call)).await,
    }
}

fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// The name of the run in what Redis says of itself: 12 hexadecimal digits, zeros where it says nothing.
fn run_of(info: &str) -> String {
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    let digits = id
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_hexdigit);
    let run: String = digits.take(12).collect();
    format!("{run:0<12}")
}

#[cfg(test)]
mod tests {
    use super::run_of;

    #[test]
    fn a_run_has_a_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789abcdef0123456789abcdef01234567\r\n";
        assert_eq!(run_of(info), "0123456789ab");
        assert_eq!(run_of("redis_version:7.0.15\r\n"), "000000000000");
        assert_eq!(run_of("run_id:'\r\n"), "000000000000");
    }
}
