//! Which jobs a command is for: those with the given ids, or all that a filter lets through.

use broker::JobSummary;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use protocol::{FailureCode, JobId, JobState, Kind, QueueName, Tenant};

use super::verb::Verb;
use crate::{Millis, fault::Fault};

/// Which jobs.
#[derive(Args, Clone, Debug)]
pub struct Selection {
    /// The jobs; without any, those of --queue that the filters let through
    #[arg(value_name = "ID")]
    pub ids: Vec<JobId>,
    /// The queue that they are in; ids are searched in all without
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// Only jobs in this state, or in several with commas between
    #[arg(long, value_delimiter = ',', value_parser = states(), conflicts_with = "ids", help_heading = "Filters")]
    pub state: Vec<JobState>,
    /// Only jobs of this kind
    #[arg(long, conflicts_with = "ids", help_heading = "Filters")]
    pub kind: Option<Kind>,
    /// Only jobs of this tenant
    #[arg(long, conflicts_with = "ids", help_heading = "Filters")]
    pub tenant: Option<Tenant>,
    /// Only jobs whose latest attempt failed with this code, as `timeout` or `lease_lost`
    #[arg(long, value_name = "CODE", value_parser = code, conflicts_with = "ids", help_heading = "Filters")]
    pub error: Option<FailureCode>,
    /// Only jobs that have been over, or running, or else in the queue, for this long: 30s, 10m, 2h, 7d
    #[arg(
        long,
        value_name = "TIME",
        conflicts_with = "ids",
        help_heading = "Filters"
    )]
    pub older_than: Option<Millis>,
    /// Only so many, from the oldest that are over or the first in line
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "ids", help_heading = "Filters")]
    pub limit: Option<u64>,
    /// All of them: needed when nothing but the state says which
    #[arg(long, conflicts_with = "ids", help_heading = "Filters")]
    pub all: bool,
    /// Change nothing, and say how many it would be
    #[arg(long, conflicts_with = "ids")]
    pub dry_run: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// The names of all states.
pub(super) fn states() -> impl TypedValueParser<Value = JobState> {
    PossibleValuesParser::new(JobState::ALL.map(JobState::as_str))
        .try_map(|name| name.parse::<JobState>())
}

fn code(name: &str) -> Result<FailureCode, String> {
    // It lists the codes.
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

/// A filter over the jobs of one queue.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) queue: QueueName,
    pub(super) states: Vec<JobState>,
    pub(super) kind: Option<Kind>,
    pub(super) tenant: Option<Tenant>,
    pub(super) error: Option<FailureCode>,
    pub(super) older_than: Option<Millis>,
    pub(super) limit: Option<u64>,
}

impl Selection {
    /// The filter that takes the place of ids.
    pub(super) fn filter(&self, verb: Verb) -> Result<Filter, Fault> {
        let name = verb.name();
        let usage = |text: String| Err(Fault::Usage(text));
        let Some(queue) = self.queue.clone() else {
            return usage(format!("{name} what? Name jobs, or a --queue and filters"));
        };
        let allowed = verb.states();
        let names = || {
            let names: Vec<_> = allowed.iter().map(|state| state.as_str()).collect();
            names.join(", ")
        };
        let states = match self.state.as_slice() {
            [] if verb == Verb::Retry => vec![JobState::Failed],
            [] => {
                return usage(format!(
                    "{name} jobs in which --state? Say one or more of {}",
                    names()
                ));
            }
            states => states.to_vec(),
        };
        if let Some(state) = states.iter().find(|state| !allowed.contains(state)) {
            return usage(format!(
                "{name} can't be done to jobs that are {state}, only to those that are {}",
                names()
            ));
        }
        let filter = Filter {
            queue,
            states: allowed
                .iter()
                .copied()
                .filter(|state| states.contains(state))
                .collect(),
            kind: self.kind.clone(),
            tenant: self.tenant.clone(),
            error: self.error,
            older_than: self.older_than,
            limit: self.limit,
        };
        if !self.all && !filter.narrows() {
            return usage(format!(
                "this would {name} every such job of queue {}: narrow it by a filter, or say --all",
                filter.queue
            ));
        }
        Ok(filter)
    }
}

impl Filter {
    fn narrows(&self) -> bool {
        self.kind.is_some()
            || self.tenant.is_some()
            || self.error.is_some()
            || self.older_than.is_some()
            || self.limit.is_some()
    }

    pub(super) fn lets_through(&self, job: &JobSummary) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == job.kind)
            && self
                .tenant
                .as_ref()
                .is_none_or(|tenant| *tenant == job.tenant)
            && self.error.is_none_or(|code| job.error == Some(code))
            && self.older_than.is_none_or(|Millis(ms)| job.age_ms >= ms)
    }
}
