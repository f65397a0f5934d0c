//! Which jobs an operator or an owner asks for. Looks at what a list shows of a job, and never at payloads.

use protocol::{FailureCode, JobRecord, JobState, Kind, Tenant};

/// What must be true of a job; what is not said may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Which handler runs it.
    pub kind: Option<Kind>,
    /// Who it belongs to.
    pub tenant: Option<Tenant>,
    /// The class of what went wrong in its latest failed attempt.
    pub error: Option<FailureCode>,
    /// What must stand in its id, kind, tenant, key, worker or error, in capitals or not.
    pub text: Option<String>,
    /// It came into its state at this time or later; see [`since`].
    pub from: Option<u64>,
    /// It came into its state before this time.
    pub until: Option<u64>,
}

/// When a job ended, or its attempt began, or else when it came in, in milliseconds since the Unix epoch by Redis' clock.
pub fn since(job: &JobRecord) -> u64 {
    match job.state {
        JobState::Waiting | JobState::Delayed => Some(job.created_at),
        JobState::Active => job.started_at,
        _ => job.finished_at,
    }
    .unwrap_or(job.created_at)
}

impl JobFilter {
    /// Whether a job is one of those.
    pub fn fits(&self, job: &JobRecord) -> bool {
        let time = since(job);
        self.kind.as_ref().is_none_or(|kind| *kind == job.kind)
            && self.tenant.as_ref().is_none_or(|own| *own == job.tenant)
            && self.error.is_none_or(|code| {
                let error = job.error.as_ref();
                error.is_some_and(|error| error.code == code)
            })
            && self.from.is_none_or(|from| time >= from)
            && self.until.is_none_or(|until| time < until)
            && self.text.as_ref().is_none_or(|text| says(job, text))
    }
}

fn says(job: &JobRecord, text: &str) -> bool {
    let text = text.to_lowercase();
    let id = job.id.to_string();
    let key = job.key.as_ref().map(protocol::IdempotencyKey::as_str);
    let error = job.error.as_ref();
    let words = [
        Some(id.as_str()),
        Some(job.kind.as_str()),
        Some(job.tenant.as_str()),
        key,
        job.worker.as_deref(),
        error.map(|error| error.code.as_str()),
        error.map(|error| error.message.as_str()),
    ];
    words
        .into_iter()
        .flatten()
        .any(|word| word.to_lowercase().contains(&text))
}

#[cfg(test)]
mod tests {
    use protocol::{Failure, FailureCode, JobRecord};

    use super::JobFilter;

    fn job() -> JobRecord {
        let json = r#"{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","queue":"q","kind":"mail","state":"failed","tenant":"acme",
            "topic":"t","priority":"normal","attempt":1,"handed_back":0,"max_attempts":1,"created_at":10,
            "finished_at":20}"#;
        let mut job: JobRecord = serde_json::from_str(json).unwrap();
        job.error = Some(Failure::new(FailureCode::Panic, "no Route to host"));
        job
    }

    #[test]
    fn all_that_is_said_must_be_true() {
        let job = job();
        let fits = |change: fn(&mut JobFilter)| {
            let mut filter = JobFilter::default();
            change(&mut filter);
            filter.fits(&job)
        };
        assert!(fits(|_| {}));
        assert!(fits(|filter| filter.kind = "mail".parse().ok()));
        assert!(!fits(|filter| filter.kind = "post".parse().ok()));
        assert!(!fits(|filter| filter.tenant = "other".parse().ok()));
        assert!(fits(|filter| filter.error = Some(FailureCode::Panic)));
        assert!(!fits(|filter| filter.error = Some(FailureCode::Timeout)));
        for text in ["route", "MAIL", "acm", "panic", "01arz"] {
            let filter = JobFilter {
                text: Some(text.to_owned()),
                ..JobFilter::default()
            };
            assert!(filter.fits(&job), "{text}");
        }
        assert!(!fits(|filter| filter.text = Some("nowhere".to_owned())));
        assert!(fits(|filter| filter.from = Some(20)));
        assert!(!fits(|filter| filter.from = Some(21)));
        assert!(!fits(|filter| filter.until = Some(20)));
    }
}
