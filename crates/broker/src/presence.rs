//! Who is in a room, over all servers.
//!
//! A server enters its clients and refreshes them while they stay; those of a server that died are dead when their time
//! to live is over, by Redis' clock, and are swept by whoever meets them. A room in which nobody is left has no key.
//! Under the room's base there are `due:<name>`, `who:<name>` and `users:<name>`; see `lua/presence/room.lua`. Who may
//! enter, and who hears of it, is not decided here.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Error, Feed, Redis,
    call::{Call, Script},
    script::{ENTER, LEAVE, LIST, REFRESH, STATS},
};

/// How many clients one script deals with.
const CHUNK: usize = 200;

/// A client that enters a room.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// The room.
    pub feed: Feed,
    /// The client, unique over all servers.
    pub client: String,
    /// What others may know of it: an object with a string `user`, which is empty where it is absent. Its size is for
    /// the caller to bound.
    pub info: Box<RawValue>,
}

/// Who is in a room.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Clients with what is known of them.
    pub clients: HashMap<String, Box<RawValue>>,
    /// Whether these are all.
    pub complete: bool,
}

/// How many are in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Clients.
    pub clients: u64,
    /// Different users among them; those without a name count as one.
    pub users: u64,
}

/// Enters, finds and counts clients in rooms. Every call may be made again after an error, and then may find what it
/// did before.
#[derive(Clone)]
pub struct Presence {
    redis: Redis,
    ttl_ms: u64,
}

impl Presence {
    /// How long an entry usually lives without a refresh; one is due every third of it.
    pub const TTL: Duration = Duration::from_secs(60);
    /// How many clients [`Self::list`] finds at most.
    pub const MOST: usize = 10_000;

    /// Presence whose entries live for so long without a refresh: 1 ms to a year, [`Self::TTL`] unless in a test.
    pub fn new(redis: Redis, ttl: Duration) -> Self {
        let year = 365 * 24 * 3600 * 1000;
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(year);
        Self {
            redis,
            ttl_ms: ttl_ms.clamp(1, year),
        }
    }

    /// A client enters a room, or is there already and is known as this from now on. Says whether it is new there.
    pub async fn enter(&self, feed: &Feed, client: &str, info: &RawValue) -> Result<bool, Error> {
        let entrant = Entrant {
            feed: feed.clone(),
            client: client.to_owned(),
            info: info.to_owned(),
        };
        let new = self.enter_all(&[entrant]).await?;
        Ok(new.first().is_some_and(|new| *new))
    }

    /// Many clients enter rooms: one round trip for each namespace and 200 of them. Answers in their order.
    pub async fn enter_all(&self, entrants: &[Entrant]) -> Result<Vec<bool>, Error> {
        let feed = |entrant: &Entrant| entrant.feed.clone();
        self.each(&ENTER, true, entrants, feed, |entrant, call| {
            call.arg(&entrant.client)
                .arg(&*user(&entrant.info))
                .arg(entrant.info.get());
        })
        .await
    }

    /// A client leaves a room. Says whether it was there.
    pub async fn leave(&self, feed: &Feed, client: &str) -> Result<bool, Error> {
        let was = self.leave_all(&[(feed.clone(), client.to_owned())]).await?;
        Ok(was.first().is_some_and(|was| *was))
    }

    /// Clients leave rooms, many with a round trip. Answers in their order.
    pub async fn leave_all(&self, clients: &[(Feed, String)]) -> Result<Vec<bool>, Error> {
        self.pairs(&LEAVE, false, clients).await
    }

    /// Clients are still in rooms. Answers in their order whether they were found there; one that was not, as after a
    /// loss of Redis' memory or a pause of this server, has to enter again.
    pub async fn refresh(&self, clients: &[(Feed, String)]) -> Result<Vec<bool>, Error> {
        self.pairs(&REFRESH, true, clients).await
    }

    /// Who is in a room, up to [`Self::MOST`] clients. It is read in several steps; whoever stays all the while is in
    /// it.
    pub async fn list(&self, feed: &Feed) -> Result<Present, Error> {
        let mut clients = HashMap::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut call = LIST.call(feed.base());
            call.arg(feed.name()).arg(&cursor);
            let (next, page): (String, Vec<(String, String)>) = self.redis.script(&call).await?;
            for (client, entry) in page {
                if clients.len() >= Self::MOST && !clients.contains_key(&client) {
                    let complete = false;
                    return Ok(Present { clients, complete });
                }
                let info = info(&entry)
                    .ok_or_else(|| Error::Stored(format!("what is known of {client}")))?;
                clients.insert(client, info);
            }
            cursor = next;
            if cursor == "0" {
                let complete = true;
                return Ok(Present { clients, complete });
            }
        }
    }

    /// How many are in a room.
    pub async fn stats(&self, feed: &Feed) -> Result<PresenceStats, Error> {
        loop {
            let mut call = STATS.call(feed.base());
            call.arg(feed.name());
            let (more, clients, users): (bool, u64, u64) = self.redis.script(&call).await?;
            if !more {
                return Ok(PresenceStats { clients, users });
            }
        }
    }

    async fn pairs(
        &self,
        script: &Script,
        lives: bool,
        clients: &[(Feed, String)],
    ) -> Result<Vec<bool>, Error> {
        let feed = |(feed, _): &(Feed, String)| feed.clone();
        self.each(script, lives, clients, feed, |(_, client), call| {
            call.arg(client);
        })
        .await
    }

    /// Runs a script over clients, grouped by namespace: a script sees one slot.
    async fn each<T>(
        &self,
        script: &Script,
        lives: bool,
        clients: &[T],
        feed: impl Fn(&T) -> Feed,
        write: impl Fn(&T, &mut Call<'_>),
    ) -> Result<Vec<bool>, Error> {
        let mut slots = BTreeMap::<String, Vec<(usize, Feed)>>::new();
        for (index, client) in clients.iter().enumerate() {
            let feed = feed(client);
            let slot = slots.entry(feed.base().to_owned()).or_default();
            slot.push((index, feed));
        }
        let mut answers = vec![false; clients.len()];
        for (base, members) in slots {
            for chunk in members.chunks(CHUNK) {
                let mut call = script.call(&base);
                if lives {
                    call.arg(self.ttl_ms);
                }
                for (index, feed) in chunk {
                    call.arg(feed.name());
                    write(&clients[*index], &mut call);
                }
                let rows: Vec<bool> = self.redis.script(&call).await?;
                for ((index, _), answer) in chunk.iter().zip(rows) {
                    answers[*index] = answer;
                }
            }
        }
        Ok(answers)
    }
}

/// The user that an info names.
fn user(info: &RawValue) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        user: Cow<'a, str>,
    }
    serde_json::from_str::<Named<'_>>(info.get()).map_or(Cow::Borrowed(""), |named| named.user)
}

/// What is known, out of `<length of user>:<user><info>`.
fn info(entry: &str) -> Option<Box<RawValue>> {
    let (length, rest) = entry.split_once(':')?;
    let info = rest.get(length.parse().ok()?..)?;
    RawValue::from_string(info.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{info, user};

    #[test]
    fn an_info_names_its_user() {
        for (text, name) in [
            (r#"{"user":"a","client":"b"}"#, "a"),
            (r#"{"client":"b","user":"\u00e9\""}"#, "é\""),
            ("{}", ""),
            ("[1]", ""),
            (r#"{"user":7}"#, ""),
        ] {
            let text = RawValue::from_string(text.to_owned()).unwrap();
            assert_eq!(user(&text), name);
        }
    }

    #[test]
    fn an_entry_gives_its_info_back() {
        assert_eq!(
            info(r#"3:a:b{"user":"a:b"}"#).unwrap().get(),
            r#"{"user":"a:b"}"#
        );
        assert_eq!(info("0:{}").unwrap().get(), "{}");
        for damaged in ["", "{}", "9:{}", "1:é{}", "0:"] {
            assert!(info(damaged).is_none(), "{damaged}");
        }
    }
}
