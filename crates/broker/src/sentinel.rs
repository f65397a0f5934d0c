//! Asks Sentinels where the primary is. Nothing is told to a server that says of itself that it is none.
//!
//! All are asked at once, and what most of them say counts: one that was cut off from the others may name a primary that
//! is none any more, and so may most of them in the moment in which one has just put another in its place. Who keeps a
//! connection therefore asks again (`reign.rs`).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Shared},
    stream::FuturesUnordered,
};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, RedisError, aio::MultiplexedConnection,
};
use tokio::time::Instant;

use crate::{Error, address};

/// How long one Sentinel may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long others are waited for when one has answered.
const GRACE: Duration = Duration::from_millis(200);
/// For how long one that did not answer is not asked again, and does not count.
const REST: Duration = Duration::from_secs(5);

/// Host and port of a server.
pub(crate) type Place = (String, u16);

/// The Sentinels of one primary.
pub(crate) struct Sentinels {
    panel: Arc<Panel>,
    /// How the primary is spoken to; where it is, is what they say.
    settings: ConnectionInfo,
    state: Mutex<State>,
}

/// Who is asked for what.
struct Panel {
    sentinels: Vec<Sentinel>,
    primary: String,
}

struct Sentinel {
    client: Client,
    /// Kept, since it is asked often.
    connection: Mutex<Option<MultiplexedConnection>>,
    /// When it did not answer last.
    silent: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    view: View,
    /// The question under way. Whoever waits for its answer drives it: one of them may rest for long with it half done.
    question: Option<Question>,
}

#[derive(Clone)]
struct Question {
    asked: Instant,
    answer: Shared<BoxFuture<'static, Result<Place, RedisError>>>,
}

/// What they said last.
#[derive(Clone, Default)]
pub(crate) struct View {
    /// Where the primary is, as far as is known.
    pub(crate) place: Option<Place>,
    /// When they were asked.
    pub(crate) asked: Option<Instant>,
    /// Whether none of them answered: then what was known is all that there is.
    pub(crate) is_blind: bool,
}

impl Sentinels {
    pub(crate) fn new(clients: Vec<Client>, primary: String, settings: ConnectionInfo) -> Self {
        let sentinel = |client| Sentinel {
            client,
            connection: Mutex::default(),
            silent: Mutex::default(),
        };
        let sentinels = clients.into_iter().map(sentinel).collect();
        Self {
            panel: Arc::new(Panel { sentinels, primary }),
            settings,
            state: Mutex::default(),
        }
    }

    /// The same, with connections of its own.
    pub(crate) fn separate(&self) -> Self {
        let Panel { sentinels, primary } = &*self.panel;
        let clients = sentinels.iter().map(|one| one.client.clone());
        Self::new(clients.collect(), primary.clone(), self.settings.clone())
    }

    /// Who is asked for what, for people.
    pub(crate) fn address(&self) -> String {
        let Panel { sentinels, primary } = &*self.panel;
        let infos = sentinels.iter().map(|one| one.client.get_connection_info());
        format!("{}, which know {primary}", address::first(infos))
    }

    /// How the server in a place is spoken to.
    pub(crate) fn client(&self, (host, port): Place) -> Result<Client, Error> {
        Client::open(address::at(&self.settings, host, port)).map_err(Error::Connect)
    }

    /// What they said last.
    pub(crate) fn view<T>(&self, read: impl FnOnce(&View) -> T) -> T {
        read(&self.lock().view)
    }

    /// Where the primary is, as they say who were asked at `since` or later.
    pub(crate) async fn primary(&self, since: Instant) -> Result<Place, RedisError> {
        let Question { asked, answer } = {
            let mut state = self.lock();
            match &state.question {
                Some(question) if question.asked >= since => question.clone(),
                _ => {
                    let panel = Arc::clone(&self.panel);
                    let known = state.view.place.clone();
                    let answer = async move { panel.ask(known.as_ref()).await };
                    let question = Question {
                        asked: Instant::now(),
                        answer: answer.boxed().shared(),
                    };
                    state.question.insert(question).clone()
                }
            }
        };
        let answer = answer.await;
        let mut state = self.lock();
        // All who waited say the same; a later answer may have come meanwhile.
        if state.view.asked.is_none_or(|last| last < asked) {
            state.view.asked = Some(asked);
            state.view.is_blind = answer.is_err();
            if let Ok(place) = &answer {
                state.view.place = Some(place.clone());
            }
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where a connection leads to a server that is not the primary yet, or not any more.
    pub(crate) async fn confirm(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), RedisError> {
        let role: Result<(String,), RedisError> =
            redis::cmd("ROLE").query_async(connection).await.map(first);
        match role {
            Ok((role,)) if role == "master" => Ok(()),
            // Who may not ask finds out at its first write.
            Err(error) if error.code() == Some("NOPERM") => Ok(()),
            Err(error) => Err(error),
            Ok((role,)) => Err(failed(format!(
                "the Sentinels name a server that says it is a {role}"
            ))),
        }
    }
}

impl Panel {
    /// Asks all of them. Of two places for which as many speak, the known one is it.
    async fn ask(&self, known: Option<&Place>) -> Result<Place, RedisError> {
        let mut asked: Vec<&Sentinel> = self.sentinels.iter().filter(|one| !one.rests()).collect();
        if asked.is_empty() {
            asked.extend(&self.sentinels);
        }
        let count = asked.len();
        let ask = |n: usize| {
            let answer = asked[n].ask(&self.primary);
            async move { (n, answer.await) }
        };
        let mut answers: FuturesUnordered<_> = (0..count).map(ask).collect();
        let mut silent: HashSet<usize> = (0..count).collect();
        let mut votes = HashMap::new();
        let mut failure = None;
        loop {
            let next = if votes.is_empty() {
                answers.next().await
            } else {
                let next = tokio::time::timeout(GRACE, answers.next());
                next.await.ok().flatten()
            };
            let Some((n, answer)) = next else { break };
            match answer {
                Ok(place) => {
                    silent.remove(&n);
                    let Some(place) = place else {
                        failure.get_or_insert_with(|| unknown(&self.primary));
                        continue;
                    };
                    let votes = votes.entry(place.clone()).or_insert(0_usize);
                    *votes += 1;
                    if *votes > count / 2 {
                        return Ok(place);
                    }
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        for n in silent {
            asked[n].rest();
        }
        let best = votes
            .into_iter()
            .max_by_key(|(place, count)| (*count, Some(place) == known));
        match best {
            Some((place, _)) => Ok(place),
            None => Err(failure.unwrap_or_else(|| unknown(&self.primary))),
        }
    }
}

impl Sentinel {
    fn rests(&self) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.is_some_and(|since| since.elapsed() < REST)
    }

    fn rest(&self) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        *silent = Some(Instant::now());
    }

    async fn ask(&self, primary: &str) -> Result<Option<Place>, RedisError> {
        let kept = self.lock().clone();
        let mut connection = if let Some(connection) = kept {
            connection
        } else {
            let new = connect(&self.client).await?;
            self.lock().insert(new).clone()
        };
        let mut cmd = redis::cmd("SENTINEL");
        cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(primary);
        let answer = cmd.query_async(&mut connection).await;
        if answer.is_err() {
            *self.lock() = None;
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first of what a server says of its role.
fn first(answer: Vec<redis::Value>) -> (String,) {
    let word = answer.into_iter().next();
    (word
        .and_then(|word| redis::from_redis_value(word).ok())
        .unwrap_or_default(),)
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

fn unknown(primary: &str) -> RedisError {
    failed(format!("no Sentinel knows a primary named {primary:?}"))
}

fn failed(text: String) -> RedisError {
    std::io::Error::other(text).into()
}
