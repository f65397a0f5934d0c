//! The names of keys. Every key of a queue carries the hash tag `{<queue>}`, so that all of them lie in one Cluster
//! slot and one script can change a job and publish its event together.

use protocol::{JobId, JobState, QueueName};

/// The keys of one queue.
#[derive(Clone, Debug)]
pub struct Keys {
    queue: QueueName,
    base: String,
}

impl Keys {
    /// The keys of a queue under a prefix.
    pub fn new(prefix: &str, queue: QueueName) -> Self {
        let base = format!("{prefix}{{{queue}}}:");
        Self { queue, base }
    }

    /// The queue whose keys these are.
    pub const fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// What every key of the queue begins with; what scripts get as `KEYS[1]`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A job.
    pub(crate) fn job(&self, id: JobId) -> String {
        format!("{}job:{id}", self.base)
    }

    /// The payload of a job that is too long to be written with it each time.
    pub(crate) fn body(&self, id: JobId) -> String {
        format!("{}body:{id}", self.base)
    }

    /// The sorted set of a state's jobs. Waiting jobs are in lists instead.
    pub(crate) fn state(&self, state: JobState) -> String {
        format!("{}{state}", self.base)
    }

    /// What is counted: what can't be told otherwise, and what happened since the queue began.
    pub(crate) fn count(&self) -> String {
        format!("{}count", self.base)
    }

    /// How jobs of each kind ended.
    pub(crate) fn kinds(&self) -> String {
        format!("{}kinds", self.base)
    }

    /// What the queue had done at the beginning of each minute of a day, which is counted from the Unix epoch.
    pub(crate) fn minutes(&self, day: u64) -> String {
        format!("{}minutes:{day}", self.base)
    }

    /// The tenants that have waiting jobs of a priority.
    pub(crate) fn ring(&self, line: u8) -> String {
        format!("{}ring:{line}", self.base)
    }

    /// The waiting jobs of a priority and tenant.
    pub(crate) fn line(&self, line: u8, tenant: &str) -> String {
        format!("{}wait:{line}:{tenant}", self.base)
    }

    /// The tenants that may have no job now, by when to look again.
    pub(crate) fn parked(&self) -> String {
        format!("{}parked", self.base)
    }

    /// The kinds of which jobs are set aside.
    pub(crate) fn asides(&self) -> String {
        format!("{}asides", self.base)
    }

    /// The waiting jobs of a kind that are set aside for a worker that has it.
    pub(crate) fn aside(&self, kind: &str) -> String {
        format!("{}aside:{kind}", self.base)
    }

    /// How many jobs each tenant has waiting (`w:`) and active (`a:`).
    pub(crate) fn tenants(&self) -> String {
        format!("{}tenants", self.base)
    }

    /// What an operator has set for the queue.
    pub(crate) fn settings(&self) -> String {
        format!("{}settings", self.base)
    }

    /// What an operator has set for single tenants.
    pub(crate) fn overrides(&self) -> String {
        format!("{}overrides", self.base)
    }

    /// The workers, by when they count as dead.
    pub(crate) fn workers(&self) -> String {
        format!("{}workers", self.base)
    }

    /// What is known of a worker.
    pub(crate) fn worker(&self, name: &str) -> String {
        format!("{}worker:{name}", self.base)
    }

    /// The list of messages to a worker.
    pub(crate) fn inbox(&self, worker: &str) -> String {
        format!("{}inbox:{worker}", self.base)
    }

    /// The list on which idle workers block.
    pub(crate) fn wake(&self) -> String {
        format!("{}wake", self.base)
    }

    /// The channel on which a worker hears what it is given, and the key that says what that was last.
    pub(crate) fn hand(&self, worker: &str) -> String {
        format!("{}hand:{worker}", self.base)
    }

    /// What is said of each schedule.
    pub(crate) fn schedules(&self) -> String {
        format!("{}schedules", self.base)
    }

    /// How far each schedule is.
    pub(crate) fn schedule_states(&self) -> String {
        format!("{}schedules:state", self.base)
    }

    /// The set of all queues under a prefix.
    pub(crate) fn queues(prefix: &str) -> String {
        format!("{prefix}:queues")
    }
}

#[cfg(test)]
mod tests {
    use protocol::{JobState, QueueName};

    use super::Keys;

    #[test]
    fn every_key_has_the_queue_as_hash_tag() {
        let keys = Keys::new("test", QueueName::new("chat").unwrap());
        for key in [
            keys.state(JobState::Failed),
            keys.count(),
            keys.ring(1),
            keys.line(1, "a"),
            keys.wake(),
        ] {
            assert!(key.starts_with("test{chat}:"), "{key}");
        }
    }
}
