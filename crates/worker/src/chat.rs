//! The built-in handler: a chat message comes back with the time at which it was processed.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use broker::JobError;
use protocol::{CHAT_KIND, ChatPayload, ChatResult, Kind};

use crate::{JobContext, Registry};

/// Adds the `chat` handler, which takes `work` for each message.
#[must_use]
pub fn chat<S>(registry: Registry<S>, work: Duration) -> Registry<S>
where
    S: Clone + Send + Sync + 'static,
{
    let kind = Kind::new(CHAT_KIND).expect("the constant follows the rules of names");
    registry.register(kind, move |context, payload| run(context, payload, work))
}

async fn run(
    context: JobContext,
    payload: ChatPayload<'static>,
    work: Duration,
) -> Result<ChatResult<'static>, JobError> {
    if !work.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(work) => {}
            () = context.cancelled().cancelled() => return Err(JobError::retry("cancelled")),
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let time = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Ok(ChatResult {
        msg: Cow::Owned(payload.msg.into_owned()),
        time,
    })
}
