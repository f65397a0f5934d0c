//! Reads a body of JSON, bounded in length and in time; all bodies together are bounded too.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use protocol::ErrorCode;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use tokio::sync::OwnedSemaphorePermit;

use super::{Api, Problem};

/// How long a body may take to come.
const TIME: Duration = Duration::from_secs(10);

/// What was read, and the room that it takes until the request is answered.
pub(super) struct Read<T> {
    pub(super) value: T,
    pub(super) room: OwnedSemaphorePermit,
}

impl Api {
    /// Reads the body as an object.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        request: Request,
        most: usize,
    ) -> Result<Read<T>, Problem> {
        if !is_json(request.headers()) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let why = "the body must be JSON, with `Content-Type: application/json`";
            return Err(Problem::new(status, "unsupported_media_type", why));
        }
        let told = request.headers().get(header::CONTENT_LENGTH);
        let told = told.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if told.is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        // What is not told may be as much as may be.
        let kib = u32::try_from(told.unwrap_or(most).div_ceil(1024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.bodies).try_acquire_many_owned(kib);
        let room = room.map_err(|_| Problem::busy("too much is being handed in; try again"))?;
        let reading = tokio::time::timeout(TIME, collect(request.into_body(), most));
        let bytes = reading.await.map_err(|_| {
            let why = "the body did not come in time";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", why)
        })??;
        let object: Object<T> = serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?;
        let value = object.0;
        Ok(Read { value, room })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn collect(body: Body, most: usize) -> Result<BytesMut, Problem> {
    let mut all = BytesMut::new();
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Problem::malformed("the body broke off"))?;
        if all.len() + part.len() > most {
            return Err(too_large(most));
        }
        all.extend_from_slice(&part);
    }
    Ok(all)
}

fn too_large(most: usize) -> Problem {
    let why = format!("the body can have at most {most} bytes");
    Problem::of(ErrorCode::TooLarge, why)
}

/// What is wrong with a text: not JSON, or not what it should say.
pub(super) fn wrong(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        Problem::of(ErrorCode::InvalidJob, error.to_string())
    } else {
        Problem::malformed(error.to_string())
    }
}

/// A value that stands as an object: derived types would take a list of their fields as well.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfMap(PhantomData)).map(Self)
    }
}

struct OfMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::{Object, is_json, wrong};

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default)]
        raw: Option<Box<RawValue>>,
    }

    #[test]
    fn only_objects_are_taken_for_objects() {
        let read = serde_json::from_str::<Object<Sample>>;
        let sample = read(r#"{"raw":{"a" : [1.0]}}"#).unwrap();
        assert_eq!(sample.0.raw.unwrap().get(), r#"{"a" : [1.0]}"#);
        for other in ["[]", "[1]", "null", "\"\"", "1"] {
            assert_eq!(
                wrong(&read(other).unwrap_err()).code,
                "invalid_job",
                "{other}"
            );
        }
        assert_eq!(wrong(&read("{").unwrap_err()).code, "malformed");
    }

    #[test]
    fn json_is_told_by_its_type() {
        let json = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            is_json(&headers)
        };
        assert!(json("application/json") && json("Application/JSON; charset=utf-8"));
        assert!(!json("text/plain") && !json("application/jsonx") && !is_json(&HeaderMap::new()));
    }
}
