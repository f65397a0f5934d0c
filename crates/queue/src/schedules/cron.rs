//! A cron text on the clocks of a zone, also in the nights when those are changed.
//!
//! Where the text names its hours (`2`, `1-3`, `9,17`), each of its times on the clock is one run: what a change leaves out
//! runs when the clock goes on, together with whatever else was left out, and what comes twice runs the first time. Where
//! it takes hours as they come (`*`, `*/2`), it means a rhythm: what comes twice runs twice, and what is left out does not.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::InvalidPlan;

/// Times on the clocks of a zone.
#[derive(Clone, Debug)]
pub(super) struct ClockTimes {
    cron: Box<Cron>,
    zone: TimeZone,
    /// Whether the hours are named.
    named: bool,
}

impl ClockTimes {
    pub(super) fn of(cron: &str, zone: &str) -> Result<Self, InvalidPlan> {
        let parsed = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build()
            .parse(cron)
            .map_err(|error| InvalidPlan::Cron(cron.to_owned(), error.to_string()))?;
        let hours = &parsed.pattern.hours;
        let times = Self {
            named: hours.step == 1 && !hours.from_wildcard,
            cron: Box::new(parsed),
            zone: TimeZone::get(zone).map_err(|_| InvalidPlan::Zone(zone.to_owned()))?,
        };
        // A 30th of February would be looked for at each turn.
        match times.after(0) {
            Some(_) => Ok(times),
            None => Err(InvalidPlan::Never(cron.to_owned())),
        }
    }

    /// The first time after one, in milliseconds since the Unix epoch.
    pub(super) fn after(&self, time: u64) -> Option<u64> {
        // Between two seconds there is none.
        let second = i64::try_from(time / 1_000).ok()?;
        let second = Timestamp::from_second(second).ok()?;
        let next = if self.named {
            self.named_after(second)?
        } else {
            let start = second.to_zoned(self.zone.clone());
            let next = self.cron.find_next_occurrence(&start, false).ok()?;
            next.timestamp()
        };
        u64::try_from(next.as_millisecond()).ok()
    }

    /// Goes on along the clock's face, until what it shows comes after a time.
    fn named_after(&self, time: Timestamp) -> Option<Timestamp> {
        let mut shown = self.zone.to_datetime(time);
        loop {
            let start = shown.to_zoned(TimeZone::UTC).ok()?;
            let next = self.cron.find_next_occurrence(&start, false).ok()?;
            shown = next.datetime();
            let at = self.first_showing(shown)?;
            if at > time {
                return Some(at);
            }
        }
    }

    /// When the clock first shows this, or goes on beyond it.
    fn first_showing(&self, shown: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                let before_it = after.to_timestamp(shown).ok()?;
                let change = self.zone.following(before_it).next()?;
                Some(change.timestamp())
            }
        }
    }
}
