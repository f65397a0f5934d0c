//! What the description says of parameters. They are read where they are used; these only describe.

use utoipa::IntoParams;

use super::schema;

/// A queue in the address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct QueuePath {
    /// The queue: one of those that this server serves (`--queues`).
    #[param(inline, value_type = schema::Name, example = "chat")]
    queue: String,
}

/// A job in the address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct JobPath {
    /// The queue that it is in.
    #[param(inline, value_type = schema::Name, example = "chat")]
    queue: String,
    /// Its id.
    #[param(inline, value_type = schema::Id)]
    id: String,
}

/// What makes handing in again safe.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(super) struct KeyHeader {
    /// The idempotency key, as `options.key`.
    #[param(rename = "Idempotency-Key", required = false, inline, value_type = schema::Key)]
    key: String,
}

/// How long to wait.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(super) struct WaitQuery {
    /// How long to wait for the end of the job: from `1ms` to `60s`.
    #[param(required = false, inline, value_type = schema::Wait, example = "5s")]
    wait: String,
}

/// Which jobs to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(super) struct ListQuery {
    /// Only jobs in this state.
    #[param(required = false, inline, value_type = schema::State)]
    state: String,
    /// Only jobs of this kind.
    #[param(required = false, inline, value_type = schema::Name)]
    kind: String,
    /// How many jobs a page has at most.
    #[param(required = false, inline, value_type = schema::Limit)]
    limit: u32,
    /// `next` of the page before.
    #[param(required = false, value_type = String)]
    cursor: String,
}

/// Where the client was, in a query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(super) struct PlaceQuery {
    /// The same as the header `Last-Event-ID`, which takes precedence.
    #[param(required = false, inline, value_type = schema::Place)]
    last_event_id: String,
}

/// Where the client was, as a browser says it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(super) struct PlaceHeader {
    /// The `id` of the last event that you have: the stream goes on after it.
    #[param(rename = "Last-Event-ID", required = false, inline, value_type = schema::Place)]
    last_event_id: String,
}
