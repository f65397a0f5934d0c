//! What is asked of Redis in one round trip, and by which key it finds the node that has it.

use redis::{Arg, Cmd, FromRedisValue, Pipeline, RedisResult};

use crate::call::{Call, Link};

/// One round trip. All keys of it are of one queue or namespace, so that one node has them.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a Call<'a>),
}

impl<'a> Request<'a> {
    /// A key of it: that of a script, or what follows the name of the command, or of the first of several.
    pub(crate) fn key(&self) -> &'a [u8] {
        let cmd = match self {
            Self::Command(cmd) => Some(*cmd),
            Self::Pipeline(pipeline) => pipeline.cmd_iter().next(),
            Self::Script(call) => return call.key(),
        };
        match cmd.and_then(|cmd| cmd.args_iter().nth(1)) {
            Some(Arg::Simple(key)) => key,
            _ => b"",
        }
    }

    pub(crate) async fn send<T: FromRedisValue>(&self, link: &mut Link) -> RedisResult<T> {
        match self {
            Self::Command(cmd) => link.query(cmd).await,
            Self::Pipeline(pipeline) => link.pipeline(pipeline).await,
            Self::Script(call) => link.script(call).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn a_request_knows_its_key() {
        let mut cmd = redis::cmd("HGET");
        cmd.arg("p{chat}:count").arg("x");
        assert_eq!(Request::Command(&cmd).key(), b"p{chat}:count");
        let mut pipeline = redis::pipe();
        pipeline.get("p{a}:1").get("p{a}:2");
        assert_eq!(Request::Pipeline(&pipeline).key(), b"p{a}:1");
        assert_eq!(Request::Pipeline(&redis::pipe()).key(), b"");
        assert_eq!(Request::Command(&redis::cmd("PING")).key(), b"");
    }
}
