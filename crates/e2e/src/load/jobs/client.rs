//! One client of the HTTP API: hands in a job, follows it to its end, and takes nothing but what must come.

use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use mio::{Registry, Token};
use protocol::{CHAT_KIND, CHAT_QUEUE, ChatResult, Event, EventType, JobId};
use serde::Deserialize;

use crate::load::{
    events::{self, Events},
    http::{Answer, Piece},
    message::Messages,
    socket::{Scratch, Socket},
};

/// What is told of a client's job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is stored.
    Stored,
    /// Its result came.
    Result,
    /// Its stream has ended, after its result.
    Over,
}

/// One client.
pub(super) struct Client {
    socket: Socket,
    port: u16,
    answer: Answer,
    /// What is handed in next, or was last.
    errand: Errand,
}

/// A job, from being handed in to its end.
struct Errand {
    client: usize,
    /// Which of the client's it is.
    number: u64,
    due: Instant,
    stage: Stage,
    /// What came of the body of an answer that is no stream.
    body: Vec<u8>,
}

enum Stage {
    /// There is none, or it was not handed in yet.
    None,
    /// The answer to the POST is to come.
    HandingIn,
    /// Its events are to come.
    Following(Following),
}

struct Following {
    job: JobId,
    events: Events,
    /// The epoch of the job's log, from the first event on.
    epoch: String,
    /// Where the last event was.
    offset: u64,
    last: Option<EventType>,
}

#[derive(Deserialize)]
struct Accepted {
    id: JobId,
    duplicate: bool,
}

impl Client {
    pub(super) fn connect(
        number: usize,
        port: u16,
        registry: &Registry,
        token: Token,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            socket: Socket::connect(port, registry, token)?,
            port,
            answer: Answer::default(),
            errand: Errand {
                client: number,
                number: 0,
                due: Instant::now(),
                stage: Stage::None,
                body: Vec::new(),
            },
        })
    }

    /// When the job that is under way was to be handed in.
    pub(super) const fn due(&self) -> Instant {
        self.errand.due
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.socket.flush()
    }

    /// Hands in the next job.
    pub(super) fn hand_in(&mut self, messages: &Messages, due: Instant) -> anyhow::Result<()> {
        let Errand { client, number, .. } = self.errand;
        let mut text = Vec::new();
        messages.write(&mut text, client, number);
        let text = std::str::from_utf8(&text)?;
        let body = format!(r#"{{"kind":"{CHAT_KIND}","payload":{{"msg":"{text}"}}}}"#);
        let request = format!(
            "POST /v1/queues/{CHAT_QUEUE}/jobs HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        self.socket.out().extend_from_slice(request.as_bytes());
        self.errand.due = due;
        self.errand.stage = Stage::HandingIn;
        self.socket.flush()
    }

    /// Reads all there is and tells what it means.
    pub(super) fn read(
        &mut self,
        scratch: &mut Scratch,
        messages: &Messages,
        mut on_news: impl FnMut(News),
    ) -> anyhow::Result<()> {
        let Self {
            socket,
            port,
            answer,
            errand,
        } = self;
        socket.read(scratch, |bytes, out| {
            answer.take(bytes, |piece| {
                let news = errand.take(&piece, messages, &mut on_news)?;
                if let Some(job) = news {
                    let request = format!(
                        "GET /v1/queues/{CHAT_QUEUE}/jobs/{job}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
                         Accept: text/event-stream\r\n\r\n"
                    );
                    out.extend_from_slice(request.as_bytes());
                }
                Ok(())
            })
        })
    }
}

impl Errand {
    /// Takes a piece of an answer; says which job is to be followed now, if one was stored.
    fn take(
        &mut self,
        piece: &Piece<'_>,
        messages: &Messages,
        on_news: &mut impl FnMut(News),
    ) -> anyhow::Result<Option<JobId>> {
        match (&mut self.stage, piece) {
            (Stage::None, _) => bail!("an answer to nothing"),
            (Stage::HandingIn, Piece::Head(status)) => {
                ensure!(*status == 201, "a job is refused with {status}");
            }
            (Stage::HandingIn, Piece::Body(part)) => self.body.extend_from_slice(part),
            (Stage::HandingIn, Piece::End) => {
                let accepted: Accepted =
                    serde_json::from_slice(&self.body).context("what is told of a new job")?;
                ensure!(!accepted.duplicate, "{} was there already", accepted.id);
                self.body.clear();
                self.stage = Stage::Following(Following::new(accepted.id));
                on_news(News::Stored);
                return Ok(Some(accepted.id));
            }
            (Stage::Following(_), Piece::Head(status)) => {
                ensure!(*status == 200, "a stream is refused with {status}");
            }
            (Stage::Following(following), Piece::Body(part)) => {
                let own = (self.client, self.number);
                let is_over = following.take(part, |text| messages.read(text) == Some(own))?;
                if is_over {
                    on_news(News::Result);
                }
            }
            (Stage::Following(following), Piece::End) => {
                let last = following.last;
                ensure!(
                    last == Some(EventType::Completed),
                    "a stream ended after {last:?}"
                );
                self.stage = Stage::None;
                self.number += 1;
                on_news(News::Over);
            }
        }
        Ok(None)
    }
}

impl Following {
    const fn new(job: JobId) -> Self {
        Self {
            job,
            events: Events::new(),
            epoch: String::new(),
            offset: 0,
            last: None,
        }
    }

    /// Takes a part of the stream; says whether the job's end was in it.
    fn take(&mut self, part: &[u8], is_own: impl Fn(&[u8]) -> bool) -> anyhow::Result<bool> {
        let mut events = std::mem::take(&mut self.events);
        let mut is_over = false;
        events.take(part, |event| {
            self.check(event, &is_own)
                .with_context(|| format!("after {:?}: {event:?}", self.last))?;
            is_over = self.last == Some(EventType::Completed);
            Ok(())
        })?;
        self.events = events;
        Ok(is_over)
    }

    /// Each event comes once, in its place, and the result is that of what was handed in.
    fn check(
        &mut self,
        event: &events::Event<'_>,
        is_own: &impl Fn(&[u8]) -> bool,
    ) -> anyhow::Result<()> {
        let (epoch, offset) = event.id.split_once(':').context("an id without a place")?;
        let offset: u64 = offset.parse().context("an offset")?;
        ensure!(offset == self.offset + 1, "{} was next", self.offset + 1);
        ensure!(
            self.epoch.is_empty() || self.epoch == epoch,
            "another log than {}",
            self.epoch
        );
        if self.epoch.is_empty() {
            epoch.clone_into(&mut self.epoch);
        }
        let told: Event<'_> = serde_json::from_str(event.data).context("no event of a job")?;
        ensure!(told.job == self.job, "another job's");
        ensure!(told.event.as_str() == event.name, "two names");
        let is_next = matches!(
            (self.last, told.event),
            (None, EventType::Queued)
                | (Some(EventType::Queued), EventType::Started)
                | (Some(EventType::Started), EventType::Completed)
        );
        ensure!(is_next, "not what comes next");
        if told.event == EventType::Completed {
            let result = told.data.context("no result")?;
            let result: ChatResult<'_> = serde_json::from_str(result.get())?;
            ensure!(is_own(result.msg.as_bytes()), "another message's result");
        }
        self.offset = offset;
        self.last = Some(told.event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{EventType, Following, JobId};

    const JOB: &str = "01KAT5X2M1RRD3Z8A0V5B9C7QE";

    fn event(place: &str, name: &str, more: &str) -> String {
        format!(
            "id: {place}\nevent: {name}\ndata: {{\"type\":\"{name}\",\"job\":\"{JOB}\",\"kind\":\"chat\",\"attempt\":1,\"time\":1{more}}}\n\n"
        )
    }

    fn follow(events: &[String]) -> anyhow::Result<bool> {
        let job: JobId = JOB.parse().unwrap();
        let mut following = Following::new(job);
        let mut is_over = false;
        for event in events {
            is_over = following.take(event.as_bytes(), |text| text == b"hi")?;
        }
        assert!(!is_over || following.last == Some(EventType::Completed));
        Ok(is_over)
    }

    fn result(msg: &str) -> String {
        format!(r#","data":{{"msg":"{msg}","time":1}}"#)
    }

    #[test]
    fn a_job_is_followed_to_its_end() {
        let all = [
            "retry: 2000\n\n".to_owned(),
            event("a:1", "queued", ""),
            event("a:2", "started", ""),
            event("a:3", "completed", &result("hi")),
        ];
        assert!(follow(&all).unwrap());
        assert!(!follow(&all[..3]).unwrap());
    }

    #[test]
    fn what_is_lost_or_comes_again_or_is_another_is_seen() {
        let queued = || event("a:1", "queued", "");
        let started = || event("a:2", "started", "");
        for wrong in [
            vec![started()],
            vec![queued(), queued()],
            vec![queued(), event("a:2", "completed", &result("hi"))],
            vec![queued(), event("a:3", "started", "")],
            vec![queued(), event("b:2", "started", "")],
            vec![
                queued(),
                started(),
                event("a:3", "completed", &result("ho")),
            ],
            vec![queued(), started(), event("a:3", "completed", "")],
            vec![queued(), started(), event("a:3", "started", "")],
            vec![
                queued(),
                "id: a:1\nevent: gap\ndata: {\"type\":\"gap\"}\n\n".to_owned(),
            ],
        ] {
            assert!(follow(&wrong).is_err(), "{wrong:?}");
        }
        let other = event("a:1", "queued", "").replace(JOB, "01KAT5X2M1RRD3Z8A0V5B9C7QF");
        assert!(follow(&[other]).is_err());
    }
}
