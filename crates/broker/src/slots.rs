//! Which node of a Cluster has which slot. Asks nobody: reads what a node says.

use std::sync::Arc;

use redis::Value;

/// How many slots a Cluster has.
const SLOTS: u16 = 16_384;

/// The slot of a key, or of a sharded channel: of what stands between its first braces, if anything does.
pub(crate) fn slot(key: &[u8]) -> u16 {
    let tagged = || {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    };
    crc16::State::<crc16::XMODEM>::calculate(tagged().unwrap_or(key)) % SLOTS
}

/// A range of slots and the address of their primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) primary: (Arc<str>, u16),
}

/// Reads the answer to `CLUSTER SLOTS` of a node that was reached at `host`. What can't be read is left out.
pub(crate) fn ranges(answer: &Value, host: &str) -> Vec<Range> {
    let Value::Array(rows) = answer else {
        return Vec::new();
    };
    rows.iter().filter_map(|row| range(row, host)).collect()
}

fn range(row: &Value, host: &str) -> Option<Range> {
    let Value::Array(row) = row else { return None };
    let [first, last, primary, ..] = &row[..] else {
        return None;
    };
    let Value::Array(primary) = primary else {
        return None;
    };
    Some(Range {
        first: number(first)?,
        last: number(last)?,
        primary: (place(primary.first()?, host)?, number(primary.get(1)?)?),
    })
}

/// A node that does not know its own name means the one by which it was reached; `?` means that nobody knows.
fn place(value: &Value, host: &str) -> Option<Arc<str>> {
    let name = match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        Value::Nil => "",
        _ => return None,
    };
    match name {
        "?" => None,
        "" => Some(host.into()),
        name => Some(name.into()),
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Range, ranges, slot};

    #[test]
    fn keys_have_the_slots_that_redis_gives_them() {
        // From `CLUSTER KEYSLOT`.
        for (key, at) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("dwb{foo}:job:1", 12_182),
            ("{}foo", 9_500),
            ("{foo", 13_308),
            ("", 0),
        ] {
            assert_eq!(slot(key.as_bytes()), at, "{key}");
        }
    }

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port)])
    }

    #[test]
    fn what_a_node_says_is_read() {
        let named = |name: &str| Value::BulkString(name.into());
        let row = |first, last, primary| {
            Value::Array(vec![
                Value::Int(first),
                Value::Int(last),
                primary,
                node(named("replica"), 1),
            ])
        };
        let answer = Value::Array(vec![
            row(0, 99, node(named("a"), 7000)),
            row(100, 199, node(named(""), 7001)),
            row(200, 299, node(Value::Nil, 7002)),
            row(300, 399, node(named("?"), 7003)),
            row(400, 70_000, node(named("b"), 7004)),
            Value::Int(1),
        ]);
        let range = |first, last, host: &str, port| Range {
            first,
            last,
            primary: (host.into(), port),
        };
        assert_eq!(
            ranges(&answer, "me"),
            [
                range(0, 99, "a", 7000),
                range(100, 199, "me", 7001),
                range(200, 299, "me", 7002)
            ]
        );
        assert_eq!(ranges(&Value::Nil, "me"), []);
    }
}
