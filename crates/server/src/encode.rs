//! What an event of a feed is to clients: encoded once, for as many as there are.

use std::borrow::Cow;

use broker::Envelope;
use protocol::{
    CHAT_KIND, EventType,
    centrifugo::{event_publication, push, room_publication},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Frame, run::Run};

/// What the events of a feed are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Events of jobs: each is a publication's data.
    Events,
    /// Publications of a room, comings and goings.
    Room,
}

/// Events of one channel as frames, which belong to each other by their place.
#[derive(Default)]
pub(crate) struct Encoded {
    /// The last one's offset; 0 if none has any.
    pub(crate) last: u64,
    /// For sessions.
    pub(crate) pushes: Vec<Frame>,
    /// The offsets of these.
    pub(crate) offsets: Vec<u64>,
    /// All for clients of the plain protocol, if they see any of them.
    pub(crate) plain: Option<Frame>,
    /// Whether these are comings and goings, which not all sessions want.
    pub(crate) comings: bool,
    /// For whom they are encoded: plain clients, and sessions.
    pub(crate) audience: (bool, bool),
    /// Whether the last event ends the job whose channel this is.
    pub(crate) over: bool,
}

/// An event of a room, as it is published.
#[derive(Deserialize)]
pub(crate) struct RoomEvent<'a> {
    #[serde(borrow, rename = "pub")]
    publication: Option<&'a RawValue>,
    #[serde(borrow)]
    join: Option<&'a RawValue>,
    #[serde(borrow)]
    leave: Option<&'a RawValue>,
}

impl Encoded {
    /// Encodes events of a channel, for plain clients and for sessions as far as there are any. Comings and goings are
    /// encoded apart from publications.
    pub(crate) fn of(
        channel: &str,
        encoding: Encoding,
        events: &[Envelope<'_>],
        (plain, sessions): (bool, bool),
    ) -> Vec<Self> {
        let own = is_own(channel);
        let mut run = Run::default();
        let mut all: Vec<Self> = Vec::new();
        for event in events {
            let (push, comes) = match encoding {
                Encoding::Events => (sessions.then(|| job_push(channel, event)), false),
                Encoding::Room => room_push(channel, event),
            };
            let group = match all.last_mut() {
                Some(group) if group.comings == comes => group,
                _ => {
                    all.push(Self {
                        comings: comes,
                        // What is said in a room is encoded anyway.
                        audience: match encoding {
                            Encoding::Events => (plain, sessions),
                            Encoding::Room => (true, true),
                        },
                        ..Self::default()
                    });
                    all.last_mut().expect("one was just added")
                }
            };
            group.last = group.last.max(event.offset);
            group.over = own && encoding == Encoding::Events && is_end(event.event.get());
            if let Some(push) = push {
                group.pushes.push(push);
                group.offsets.push(event.offset);
            }
            if plain && encoding == Encoding::Events {
                plain_text(&mut run, event);
            }
        }
        // Events of jobs are one group.
        if let Some(group) = all.last_mut() {
            group.plain = run.finish();
        }
        all
    }
}

/// Whether a channel is that of one job.
pub(crate) fn is_own(channel: &str) -> bool {
    let topic = channel.split_once(':').map(|(_, topic)| topic);
    topic.is_some_and(|topic| topic.parse::<protocol::JobId>().is_ok())
}

/// Whether no event of the same job follows this one. The script writes an event's type first.
pub(crate) fn is_end(event: &str) -> bool {
    let rest = event.strip_prefix(r#"{"type":""#).unwrap_or("");
    let name = rest.split('"').next().unwrap_or("");
    matches!(name, "completed" | "failed" | "cancelled")
}

/// The publication of an event in a log, for who catches up.
pub(crate) fn publication(encoding: Encoding, event: &str, offset: u64) -> Option<String> {
    match encoding {
        Encoding::Events => Some(event_publication(event, offset)),
        Encoding::Room => {
            let event: RoomEvent<'_> = serde_json::from_str(event).ok()?;
            Some(room_publication(event.publication?.get(), offset))
        }
    }
}

fn job_push(channel: &str, event: &Envelope<'_>) -> Frame {
    let json = event.event.get();
    let frame = Frame::text(&push(
        channel,
        "pub",
        &event_publication(json, event.offset),
    ));
    // Of a job's progress only the latest matters to who can't keep up. The script writes an event's members in this order.
    match json.strip_prefix(r#"{"type":"progress","job":""#) {
        Some(rest) => frame.superseded_by(channel, rest.get(..26).unwrap_or("")),
        None => frame,
    }
}

fn room_push(channel: &str, envelope: &Envelope<'_>) -> (Option<Frame>, bool) {
    let Ok(event) = serde_json::from_str::<RoomEvent<'_>>(envelope.event.get()) else {
        return (None, false);
    };
    let text = |kind: &str, body: &str| Some(Frame::text(&push(channel, kind, body)));
    match event {
        RoomEvent {
            publication: Some(publication),
            ..
        } => {
            let body = room_publication(publication.get(), envelope.offset);
            (text("pub", &body), false)
        }
        RoomEvent {
            join: Some(join), ..
        } => (text("join", join.get()), true),
        RoomEvent {
            leave: Some(leave), ..
        } => (text("leave", leave.get()), true),
        RoomEvent { .. } => (None, false),
    }
}

/// What of an event decides what a plain client sees of it. The rest is not looked at.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    event: EventType,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Adds what a plain client sees of an event, if anything.
fn plain_text(run: &mut Run, envelope: &Envelope<'_>) -> Option<()> {
    let shown: Shown<'_> = serde_json::from_str(envelope.event.get()).ok()?;
    let data = shown.data?.get();
    match shown.event {
        // As it was typed.
        EventType::Queued => run.text(&serde_json::from_str::<Text<'_>>(data).ok()?.0),
        // As the worker wrote it.
        EventType::Completed if shown.kind == CHAT_KIND => run.text(data),
        _ => {}
    }
    Some(())
}

/// A text that is copied only where something in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use broker::Envelope;

    use super::{Encoded, Encoding};
    use crate::Frame;

    fn plain(members: &str) -> Option<Frame> {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let json = format!(
            r#"{{"epoch":"a","offset":1,"event":{{"job":"{id}","attempt":1,"time":5,{members}}}}}"#
        );
        let event = serde_json::from_str(&json).unwrap();
        let all = Encoded::of("chat:lobby", Encoding::Events, &[event], (true, false));
        all.into_iter().next().unwrap().plain
    }

    #[test]
    fn an_announcement_is_shown_bare_and_a_result_verbatim() {
        let bare = plain(r#""type":"queued","kind":"chat","data":"say \"\u00e9\"""#);
        assert_eq!(bare, Some(Frame::text("say \"é\"")));
        let result = plain(r#""type":"completed","kind":"chat","data":{"msg":"\u00e9","time":4}"#);
        assert_eq!(result, Some(Frame::text(r#"{"msg":"\u00e9","time":4}"#)));
    }

    #[test]
    fn other_events_are_not_shown() {
        for members in [
            r#""type":"completed","kind":"report","data":{"a":1}"#,
            r#""type":"completed","kind":"chat""#,
            r#""type":"queued","kind":"chat""#,
            r#""type":"queued","kind":"chat","data":{"no":"text"}"#,
            r#""type":"progress","kind":"chat","data":"50%""#,
            r#""type":"failed","kind":"chat","error":{"code":"panic","message":"x"}"#,
        ] {
            assert_eq!(plain(members), None, "{members}");
        }
    }

    #[test]
    fn comings_are_apart_from_publications() {
        let lines = [
            r#"{"epoch":"a","offset":4,"event":{"pub":{"data":1}}}"#,
            r#"{"epoch":"","offset":0,"event":{"join":{"info":{"user":"7","client":"c"}}}}"#,
            r#"{"epoch":"a","offset":5,"event":{"pub":{"data":2}}}"#,
        ];
        let events: Vec<Envelope<'_>> = lines.map(|l| serde_json::from_str(l).unwrap()).into();
        let all = Encoded::of("r", Encoding::Room, &events, (true, true));
        let comings: Vec<_> = all.iter().map(|group| group.comings).collect();
        assert_eq!(comings, [false, true, false]);
        assert_eq!(
            all[2].pushes,
            [Frame::text(
                r#"{"push":{"channel":"r","pub":{"data":2,"offset":5}}}"#
            )]
        );
        assert_eq!(all[1].last, 0);
        assert!(all.iter().all(|group| group.plain.is_none()));
    }
}
