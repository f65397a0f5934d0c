//! Reads the history of a channel, as clients and backends ask for it. Whether they may is not decided here.

use broker::{Feed, Part, Position, Redis};
use protocol::centrifugo::{ClientError, History, HistoryResult};
use serde_json::value::RawValue;

use crate::encode::{Encoding, publication};

/// The part of a history that is asked for: at most `most` publications, and of about so many bytes.
pub(crate) async fn read(
    redis: &Redis,
    feed: &Feed,
    encoding: Encoding,
    asked: &History<'_>,
    most: usize,
    bytes: usize,
) -> Result<HistoryResult, ClientError> {
    // A negative limit means all.
    let most = usize::try_from(asked.limit).map_or(most, |limit| limit.min(most));
    let since = asked.since.as_ref();
    let part = match (asked.reverse, since) {
        (true, Some(since)) if since.offset == 0 => return Err(ClientError::bad_request()),
        (true, since) => Part::Before(since.map_or(0, |since| since.offset)),
        (false, since) => Part::After(since.map_or(0, |since| since.offset)),
    };
    let page = redis.log(feed, part, most, bytes).await.map_err(|error| {
        tracing::debug!(%error, "a history could not be read");
        ClientError::internal()
    })?;
    if let Some(since) = since.filter(|since| !since.epoch.is_empty()) {
        let at = Position {
            epoch: since.epoch.clone().into_owned(),
            offset: since.offset,
        };
        if !page.top.goes_on_from(&at) {
            return Err(ClientError::unrecoverable_position());
        }
    }
    let publications = page
        .entries
        .iter()
        .filter_map(|(offset, event)| publication(encoding, event, *offset))
        .filter_map(|json| RawValue::from_string(json).ok())
        .collect();
    Ok(HistoryResult {
        publications,
        epoch: page.top.position.epoch,
        offset: page.top.position.offset,
    })
}
