//! A set of public keys that changes while the server runs: at an address, or in a file.
//!
//! It is read again when it has grown old, and when a token names a key that is not in it, but never more often than
//! once in a while: anyone can make up names. What was read last stays in use while it can't be read.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::error::{Reason, TokenError};
use super::fetch::{self, MAX_SET_BYTES};
use super::jwk::NamedKeys;
use super::key::Key;
use super::key_url::KeyUrl;
use super::setup::{self, SetupError};

/// A set of keys.
#[derive(Debug)]
pub(super) struct KeySet {
    source: Source,
    pace: Pace,
    known: RwLock<Known>,
    /// Held while the set is read, so that one reads for all.
    turn: Mutex<Turn>,
}

#[derive(Clone, Debug)]
enum Source {
    Url(KeyUrl),
    File(PathBuf),
}

/// How often the set is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long what was read is taken for what is there.
    pub(super) fresh: Duration,
    /// How long after one attempt the next is made at the earliest.
    pub(super) pause: Duration,
}

/// What was read last.
#[derive(Clone, Debug, Default)]
struct Known {
    keys: Arc<NamedKeys>,
    /// When reading it began.
    since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Turn {
    /// When the last attempt was made.
    tried: Option<Instant>,
    /// Whether it failed.
    is_failing: bool,
}

impl Pace {
    pub(super) const URL: Self = Self {
        fresh: Duration::from_secs(300),
        pause: Duration::from_secs(5),
    };
    /// A file costs little to look at.
    pub(super) const FILE: Self = Self {
        fresh: Duration::from_secs(5),
        pause: Duration::from_secs(1),
    };
}

impl KeySet {
    /// A set at an address. It is read when it is needed: the server starts without it.
    pub(super) fn at(url: KeyUrl, pace: Pace) -> Self {
        if url.leaves_the_machine() {
            let host = &url.host;
            warn!(
                host,
                "the keys of tokens come over plain HTTP: who is on the way can put others in their place"
            );
        }
        Self::new(Source::Url(url), pace, Known::default())
    }

    /// A set in a file, which has to be there.
    pub(super) fn in_file(path: PathBuf, pace: Pace) -> Result<Self, SetupError> {
        let since = Some(Instant::now());
        let keys = read_file(&path)?;
        let keys = Arc::new(keys);
        if keys.is_empty() {
            return Err(SetupError::NoUsableKey(path));
        }
        Ok(Self::new(Source::File(path), pace, Known { keys, since }))
    }

    fn new(source: Source, pace: Pace, known: Known) -> Self {
        Self {
            source,
            pace,
            known: RwLock::new(known),
            turn: Mutex::default(),
        }
    }

    /// The key of this name for this algorithm. A key that nobody can say whether it exists is `Unavailable`.
    pub(super) async fn key(
        &self,
        name: &str,
        algorithm: Algorithm,
    ) -> Result<Arc<Key>, TokenError> {
        let asked = Instant::now();
        let known = self.known();
        let key = known.keys.get(name, algorithm);
        let is_fresh = known
            .since
            .is_some_and(|since| asked.duration_since(since) < self.pace.fresh);
        match key {
            Some(key) if is_fresh => return Ok(key),
            // Not needed at once, so nobody waits for somebody else's attempt.
            Some(key) => match self.turn.try_lock() {
                Ok(turn) => self.read(turn, asked).await,
                Err(_) => return Ok(key),
            },
            None => self.read(self.turn.lock().await, asked).await,
        }
        let known = self.known();
        let key = known.keys.get(name, algorithm);
        let is_certain = known.since.is_some_and(|since| since >= asked);
        key.ok_or(if is_certain {
            Reason::UnknownKey.into()
        } else {
            TokenError::Unavailable
        })
    }

    /// Reads the set, unless that was done after `asked`, or tried a short while ago.
    async fn read(&self, mut turn: tokio::sync::MutexGuard<'_, Turn>, asked: Instant) {
        let is_done = self.known().since.is_some_and(|since| since >= asked);
        let is_early = turn
            .tried
            .is_some_and(|tried| tried.elapsed() < self.pace.pause);
        if is_done || is_early {
            return;
        }
        let since = Instant::now();
        turn.tried = Some(since);
        match self.source.read().await {
            Ok(keys) => {
                if keys.is_empty() {
                    warn!("the set of keys holds none that can be used: no token of it is taken");
                } else if turn.is_failing {
                    info!("the set of keys can be read again");
                }
                turn.is_failing = keys.is_empty();
                let known = Known {
                    keys: Arc::new(keys),
                    since: Some(since),
                };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                if !turn.is_failing {
                    warn!("the set of keys can't be read, the last one stays in use: {error:#}");
                }
                turn.is_failing = true;
            }
        }
    }

    fn known(&self) -> Known {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// Why a set is not read now.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{host}")]
    Fetch {
        host: String,
        source: fetch::FetchError,
    },
    #[error("{host}")]
    Answer {
        host: String,
        source: super::jwk::NoKeySet,
    },
    #[error(transparent)]
    File(SetupError),
    #[error("the process is ending")]
    Ending,
}

impl Source {
    async fn read(&self) -> Result<NamedKeys, ReadError> {
        match self {
            Self::Url(url) => {
                let host = || url.authority.clone();
                let text = fetch::get(url).await.map_err(|source| ReadError::Fetch {
                    host: host(),
                    source,
                })?;
                NamedKeys::read(&text).map_err(|source| ReadError::Answer {
                    host: host(),
                    source,
                })
            }
            Self::File(path) => {
                let path = path.clone();
                // A file may be on a disk far away.
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                read.map_err(|_| ReadError::Ending)?
                    .map_err(ReadError::File)
            }
        }
    }
}

fn read_file(path: &std::path::Path) -> Result<NamedKeys, SetupError> {
    let text = setup::read(path, MAX_SET_BYTES)?;
    NamedKeys::read(&text).map_err(|source| SetupError::KeySet {
        path: path.to_owned(),
        source,
    })
}
