//! What can go wrong between this process and Redis.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why something could not be read from or written to Redis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL of Redis can't be understood.
    #[error("the Redis URL can't be used")]
    Url(#[source] RedisError),
    /// The URL of Redis, or what belongs to it, says something that can't be.
    #[error("the Redis URL can't be used: {0}")]
    Address(&'static str),
    /// A certificate or a key of one can't be read.
    #[error("{0} can't be read")]
    Tls(std::path::PathBuf, #[source] std::io::Error),
    /// A file holds no PEM of what it should.
    #[error("{0} holds no {1}, as PEM has it")]
    Pem(std::path::PathBuf, &'static str),
    /// The key prefix has a character that keys can't have.
    #[error("the key prefix {0:?} must not hold `{{`, `}}` or white space")]
    Prefix(String),
    /// No connection could be made.
    #[error("Redis can't be reached: {0}")]
    Connect(RedisError),
    /// A command was not answered, or with an error.
    #[error("Redis answered with an error: {0}")]
    Command(RedisError),
    /// The write is not yet as safe as was asked for.
    #[error("Redis has not yet written to disk, or to as many replicas as were asked for")]
    NotDurable,
    /// This Redis can't do what is asked of it, as it is set up.
    #[error("{0}")]
    Unsupported(String),
    /// What is stored is not what this version stores.
    #[error("what is stored in Redis can't be read: {0}")]
    Stored(String),
}

impl Error {
    /// Whether Redis refused because its memory is full.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Command(error) if error.code() == Some("OOM"))
    }

    /// Whether a node of a Cluster did nothing because another has what was asked for.
    pub(crate) fn is_moved(&self) -> bool {
        matches!(self, Self::Command(error) if error.code() == Some("MOVED"))
    }

    /// Whether Redis' user may not do that.
    pub(crate) fn is_denied(&self) -> bool {
        let (Self::Connect(error) | Self::Command(error)) = self else {
            return false;
        };
        error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
    }

    /// Whether the same call may succeed in a while: Redis is away, loading, busy or failing over.
    ///
    /// What is not temporary is a mistake in a script or a damaged key; trying again would loop for ever.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect(_) | Self::NotDurable => true,
            Self::Command(error) => {
                error.is_io_error()
                    || error.is_timeout()
                    || error.is_connection_dropped()
                    || error.is_unrecoverable_error()
                    || matches!(
                        error.code(),
                        Some(
                            "LOADING"
                                | "BUSY"
                                // A slot that moves between two nodes is used again when it has arrived.
                                | "TRYAGAIN"
                                | "ASK"
                                | "MOVED"
                                | "CLUSTERDOWN"
                                | "MASTERDOWN"
                                | "READONLY"
                                | "NOREPLICAS"
                                | "MISCONF"
                                | "NOSCRIPT"
                                | "OOM"
                        )
                    )
            }
            _ => false,
        }
    }
}
