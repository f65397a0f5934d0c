//! What goes through the layers to a handler.

use serde_json::value::RawValue;

use crate::JobContext;

/// One attempt of one job: the request of every tower service in a worker. The response is an
/// [`Output`](crate::Output).
///
/// A layer may look at all of it, and may pass another payload on.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The job, and the way to speak about it.
    pub context: JobContext,
    /// What the handler works on: any JSON value, at most
    /// [`MAX_PAYLOAD_BYTES`](protocol::limits::MAX_PAYLOAD_BYTES) bytes as it was handed in.
    pub payload: Box<RawValue>,
}
