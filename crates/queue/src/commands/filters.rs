//! What must be true of jobs that are listed, or that something is done to. Looks at what a list shows of a job, and never at
//! payloads.

use broker::JobFilter;
use clap::Args;
use protocol::{FailureCode, Kind, Tenant};

use crate::Millis;

/// What must be true of a job; what is not said may be anything.
#[derive(Args, Clone, Debug, Default)]
pub struct Filters {
    /// Only jobs of this kind
    #[arg(long, help_heading = "Filters")]
    pub kind: Option<Kind>,
    /// Only jobs of this tenant
    #[arg(long, help_heading = "Filters")]
    pub tenant: Option<Tenant>,
    /// Only jobs whose latest attempt failed with this code, as `timeout` or `lease_lost`
    #[arg(long, value_name = "CODE", value_parser = code, help_heading = "Filters")]
    pub error: Option<FailureCode>,
    /// Only jobs with this in their id, kind, tenant, key, worker or error; capitals do not matter
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new(), help_heading = "Filters")]
    pub text: Option<String>,
    /// Only jobs that have been over, or running, or else in the queue, for this long: 30s, 10m, 2h, 7d
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub older_than: Option<Millis>,
    /// Only jobs that have not been so for this long
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub newer_than: Option<Millis>,
}

fn code(name: &str) -> Result<FailureCode, String> {
    // It lists the codes.
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

impl Filters {
    /// Whether anything is said.
    pub(super) const fn narrow(&self) -> bool {
        self.kind.is_some()
            || self.tenant.is_some()
            || self.error.is_some()
            || self.text.is_some()
            || self.older_than.is_some()
            || self.newer_than.is_some()
    }

    /// What is said, as of a time of Redis'.
    pub(super) fn at(&self, now: u64) -> JobFilter {
        let ago = |Millis(ms)| now.saturating_sub(ms);
        JobFilter {
            kind: self.kind.clone(),
            tenant: self.tenant.clone(),
            error: self.error,
            text: self.text.clone(),
            from: self.newer_than.map(|time| ago(time) + 1),
            until: self.older_than.map(|time| ago(time) + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filters;
    use crate::Millis;

    #[test]
    fn ages_are_times_ago() {
        let filters = Filters {
            older_than: Some(Millis(10)),
            newer_than: Some(Millis(30)),
            ..Filters::default()
        };
        assert!(filters.narrow() && !Filters::default().narrow());
        let filter = filters.at(1_000);
        // Exactly so old is older, and not newer.
        assert_eq!((filter.from, filter.until), (Some(971), Some(991)));
        assert_eq!(filters.at(5).from, Some(1));
    }
}
