//! Times for people: an instant as RFC 3339 in UTC, and how long ago or ahead it is.
//!
//! All times are milliseconds since the Unix epoch. Never fails: an impossible time is shown as its number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first millisecond of the year 10000, which RFC 3339 can't write.
const END: u64 = 253_402_300_800_000;

/// Now, by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// `2024-05-06T07:08:09.123Z`
pub(crate) fn rfc3339(ms: u64) -> String {
    if ms >= END {
        return format!("{ms} ms");
    }
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

/// A length of time in its two largest units: `0s`, `59s`, `3m 5s`, `2h 5m`, `4d 3h`.
pub(crate) fn span(ms: u64) -> String {
    let secs = ms / 1000;
    let pair = |large: u64, large_unit: char, small: u64, small_unit: char| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit} {small}{small_unit}"),
    };
    match secs {
        0..60 => format!("{secs}s"),
        60..3_600 => pair(secs / 60, 'm', secs % 60, 's'),
        3_600..86_400 => pair(secs / 3_600, 'h', secs % 3_600 / 60, 'm'),
        _ => pair(secs / 86_400, 'd', secs % 86_400 / 3_600, 'h'),
    }
}

/// A length of time that may be short: `7ms`, `1.2s`, and from a minute on as [`span`].
pub(crate) fn brief(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => span(ms),
    }
}

/// An instant as seen from `now`: `2024-05-06T07:08:09.123Z (3m 5s ago)`.
pub(crate) fn seen_from(now: u64, ms: u64) -> String {
    let instant = rfc3339(ms);
    match ms.abs_diff(now) {
        0..1000 => format!("{instant} (now)"),
        distance if ms < now => format!("{instant} ({} ago)", span(distance)),
        distance => format!("{instant} (in {})", span(distance)),
    }
}

#[cfg(test)]
mod tests {
    use super::{END, brief, rfc3339, seen_from, span};

    #[test]
    fn instants_are_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_714_979_289_123), "2024-05-06T07:08:09.123Z");
        assert_eq!(rfc3339(END - 1), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(END), "253402300800000 ms");
        assert_eq!(rfc3339(u64::MAX), "18446744073709551615 ms");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (0, "0s"),
            (999, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (185_000, "3m 5s"),
            (3_600_000, "1h"),
            (7_500_000, "2h 5m"),
            (86_400_000, "1d"),
            (356_400_000, "4d 3h"),
        ];
        for (ms, text) in cases {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn short_spans_have_a_fraction() {
        for (ms, text) in [(7, "7ms"), (1_299, "1.2s"), (185_000, "3m 5s")] {
            assert_eq!(brief(ms), text);
        }
    }

    #[test]
    fn an_instant_is_before_or_after_now() {
        let now = 1_714_979_289_123;
        assert_eq!(
            seen_from(now, now - 185_000),
            "2024-05-06T07:05:04.123Z (3m 5s ago)"
        );
        assert_eq!(
            seen_from(now, now + 60_000),
            "2024-05-06T07:09:09.123Z (in 1m)"
        );
        assert_eq!(seen_from(now, now + 999), "2024-05-06T07:08:10.122Z (now)");
    }
}
