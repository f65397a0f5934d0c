//! A job as it is stored: one string, a head line and what follows it. `lua/job.lua` says how.

use std::str::FromStr;

/// What can be read of a stored job. Borrows from the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// The part that changes: state, attempts and options, up to and with the semicolon.
    pub(crate) front: &'a str,
    pub(crate) state: &'a str,
    pub(crate) attempt: u32,
    pub(crate) back: u32,
    pub(crate) max: u32,
    pub(crate) priority: u8,
    pub(crate) created: u64,
    /// Which run of Redis it was stored in.
    pub(crate) born: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) tenant: &'a str,
    /// `None` where it is the job's own id.
    pub(crate) topic: Option<&'a str>,
    /// Whether its payload is in a key of its own.
    pub(crate) is_apart: bool,
    payload_bytes: usize,
    changing: &'a str,
    fixed: &'a str,
    body: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads a record, or as much of it as there is; `None` if its head is damaged.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let end = record.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&record[..end]).ok()?;
        let (front, rest) = head.split_once(';')?;
        let mut words = front.splitn(4, ' ');
        // What was not begun yet has no state and no numbers.
        let state = words.next().filter(|state| !state.is_empty());
        let mut number = || words.next().unwrap_or("0").parse().ok();
        let (attempt, back, changing) = if state.is_some() {
            (number()?, number()?, words.next().unwrap_or_default())
        } else {
            (0, 0, front)
        };
        let mut words = rest.splitn(9, ' ');
        let mut word = || words.next();
        let (created, born, how, kind) = (word()?, word()?, word()?, word()?);
        let (max, priority, tenant, topic) = (word()?, word()?, word()?, word()?);
        let (how, payload_bytes) = how.split_at_checked(3)?;
        Some(Self {
            front: &head[..=front.len()],
            state: state.unwrap_or("waiting"),
            attempt,
            back,
            max: max.parse().ok()?,
            priority: priority.parse().ok()?,
            created: created.parse().ok()?,
            born,
            kind,
            tenant,
            topic: (topic != "=").then_some(topic),
            is_apart: how.as_bytes()[1] == b'x',
            payload_bytes: payload_bytes.parse().ok()?,
            changing,
            fixed: word().unwrap_or_default(),
            body: &record[end + 1..],
        })
    }

    /// The name of its own log while nothing has been written to that.
    pub(crate) fn first_epoch(&self) -> String {
        format!("{}{}", self.created, self.born)
    }

    /// How many bytes its payload has, and what only workers read.
    pub(crate) fn bytes(&self) -> usize {
        self.payload_bytes + self.parsed::<usize>("extra").unwrap_or(0)
    }

    /// An option, if the job has it.
    pub(crate) fn option(&self, name: &str) -> Option<&'a str> {
        let mut options = self.changing.split(' ').chain(self.fixed.split(' '));
        options.find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    /// The same, as a number or a name.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.option(name)?.parse().ok()
    }

    /// From when to when it waited for its first attempt, if that is the current one.
    pub(crate) fn wait(&self) -> Option<(u64, u64)> {
        if self.attempt != 1 {
            return None;
        }
        let (mut from, mut to) = (self.created, None);
        for option in self.changing.split(' ') {
            if let Some(text) = option.strip_prefix("started=") {
                to = text.parse().ok();
            } else if let Some(text) = option.strip_prefix("due=") {
                from = text.parse().ok()?;
            }
        }
        Some((from, to?))
    }

    /// How many bytes of the payload stand in the record: all, or none where it is in a key of its own.
    fn payload_inside(&self) -> usize {
        if self.is_apart { 0 } else { self.payload_bytes }
    }

    /// The payload, which is `apart` if it has a key of its own. Empty where it is not all there.
    pub(crate) fn payload(&self, apart: &'a [u8]) -> &'a [u8] {
        let inside = self.payload_inside();
        let from = if inside < self.payload_bytes {
            apart
        } else {
            self.body
        };
        from.get(..self.payload_bytes).unwrap_or_default()
    }

    /// What only workers read.
    pub(crate) fn extra(&self) -> &'a [u8] {
        let bytes: usize = self.parsed("extra").unwrap_or(0);
        let from = self.payload_inside();
        self.body.get(from..from + bytes).unwrap_or_default()
    }

    /// The result or the error, whichever is asked for and there.
    pub(crate) fn outcome(&self, name: &str) -> Option<&'a [u8]> {
        let bytes: usize = self.parsed(name)?;
        self.body.get(self.body.len().checked_sub(bytes)?..)
    }
}

#[cfg(test)]
mod tests {
    use super::Stored;

    #[test]
    fn a_record_is_read_as_scripts_write_it() {
        let record = b"failed 3 1 place=7 error=4;1700000000000 a1b2c3 aif8 chat 5 2 alice = extra=2 key=a=b\n{\"a\":\n}xxoops";
        let stored = Stored::read(record).unwrap();
        assert_eq!(
            (stored.state, stored.attempt, stored.back),
            ("failed", 3, 1)
        );
        assert_eq!(
            (stored.front, stored.max),
            ("failed 3 1 place=7 error=4;", 5)
        );
        assert_eq!((stored.priority, stored.bytes()), (2, 10));
        assert_eq!(stored.first_epoch(), "1700000000000a1b2c3");
        assert_eq!(stored.created, 1_700_000_000_000);
        assert_eq!(
            (stored.kind, stored.tenant, stored.topic),
            ("chat", "alice", None)
        );
        assert_eq!(stored.option("key"), Some("a=b"));
        assert_eq!(stored.parsed("place"), Some(7));
        assert_eq!(stored.option("due"), None);
        assert_eq!(stored.payload(b""), b"{\"a\":\n}x");
        assert_eq!(stored.extra(), b"xo");
        assert_eq!(stored.outcome("error"), Some(&b"oops"[..]));
        assert_eq!(stored.outcome("result"), None);
    }

    #[test]
    fn the_wait_is_that_for_the_first_attempt() {
        let wait = |front: &str| {
            let record = format!("active {front};100 r aif0 chat 5 1 a =\n");
            Stored::read(record.as_bytes()).unwrap().wait()
        };
        assert_eq!(wait("1 0 worker=w started=130 place=1"), Some((100, 130)));
        assert_eq!(
            wait("1 0 worker=w started=130 place=1 due=120"),
            Some((120, 130))
        );
        assert_eq!(wait("2 0 worker=w started=130 place=1"), None);
        assert_eq!(wait("1 0 worker=w"), None);
    }

    #[test]
    fn a_payload_may_be_apart() {
        let record = b";1 r axf3 chat 5 1 alice room extra=2\nxo";
        let stored = Stored::read(record).unwrap();
        assert_eq!(stored.topic, Some("room"));
        assert_eq!(stored.payload(b"\"a\""), b"\"a\"");
        assert_eq!(stored.payload(b""), b"");
        assert_eq!(stored.extra(), b"xo");
    }

    #[test]
    fn damage_is_seen() {
        for record in [
            &b""[..],
            b"waiting",
            b"waiting;0 0\n",
            b"waiting x 0;1 r aif0 chat 5 1 a =\n",
            b";1 r ai chat 5 1 a =\n",
            b"\xff\n",
        ] {
            assert!(Stored::read(record).is_none(), "{record:?}");
        }
    }
}
