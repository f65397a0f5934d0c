//! Which jobs a command is for: those with the given ids, or all that a filter lets through.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use protocol::{JobId, JobState, QueueName};

use super::{filters::Filters, verb::Verb};
use crate::fault::Fault;

/// Which jobs.
#[derive(Args, Clone, Debug)]
pub struct Selection {
    /// The jobs; without any, those of --queue that the filters let through
    #[arg(value_name = "ID", conflicts_with_all = FILTERS)]
    pub ids: Vec<JobId>,
    /// The queue that they are in; ids are searched in all without
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// Only jobs in this state, or in several with commas between
    #[arg(long, value_delimiter = ',', value_parser = states(), help_heading = "Filters")]
    pub state: Vec<JobState>,
    /// What must be true of them.
    #[command(flatten)]
    pub filters: Filters,
    /// Only so many, from the oldest that are over or the first in line
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Filters")]
    pub limit: Option<u64>,
    /// All of them: needed when nothing but the state says which
    #[arg(long, help_heading = "Filters")]
    pub all: bool,
    /// Change nothing, and say how many it would be
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// What says which jobs, where ids do not.
const FILTERS: [&str; 9] = [
    "state",
    "kind",
    "tenant",
    "error",
    "text",
    "older_than",
    "newer_than",
    "limit",
    "all",
];

/// The names of all states.
pub(super) fn states() -> impl TypedValueParser<Value = JobState> {
    PossibleValuesParser::new(JobState::ALL.map(JobState::as_str))
        .try_map(|name| name.parse::<JobState>())
}

/// Jobs of one queue that something is done to.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) queue: QueueName,
    pub(super) states: Vec<JobState>,
    pub(super) filters: Filters,
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
            [] if !verb.usual().is_empty() => verb.usual().to_vec(),
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
            filters: self.filters.clone(),
            limit: self.limit,
        };
        if !self.all && self.limit.is_none() && !self.filters.narrow() {
            return usage(format!(
                "{name} would be for every such job of queue {}: narrow it by a filter, or say --all",
                filter.queue
            ));
        }
        Ok(filter)
    }
}
