//! Which jobs a client is shown when it asks for its own.

use broker::{Browse, InvalidPlace, JobFilter, JobPage, JobPlace};
use protocol::{JobState, Kind};

use super::{Jobs, Refused};
use crate::identity::Identity;

/// Which of the client's jobs are to be listed.
#[derive(Debug)]
pub(crate) struct List<'a> {
    /// The queue that they are in.
    pub(crate) queue: &'a str,
    /// The state, or all.
    pub(crate) state: Option<JobState>,
    /// The kind, or all.
    pub(crate) kind: Option<Kind>,
    /// How many at most.
    pub(crate) limit: usize,
}

impl Jobs {
    /// The client's own jobs, from a place on.
    pub(crate) async fn list(
        &self,
        who: &Identity,
        list: &List<'_>,
        after: Option<JobPlace>,
    ) -> Result<Result<JobPage, InvalidPlace>, Refused> {
        let queue = self.queue(who, list.queue)?;
        let filter = JobFilter {
            kind: list.kind.clone(),
            tenant: Some(who.tenant.clone()),
            ..JobFilter::default()
        };
        let browse = Browse {
            queue: &queue,
            states: list.state.as_slice(),
            filter: &filter,
            limit: list.limit,
        };
        Ok(self.inspector.browse_whole(&browse, after).await?)
    }
}
