//! Why a request is refused, as RFC 9457 has it: `application/problem+json`.
//!
//! Holds a code for programs and a sentence for people, and never an internal error.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use protocol::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{NoPlace, auth::Denied, jobs::Refused};

/// How many seconds a client that can't be served now is asked to wait.
const RETRY_AFTER: u64 = 5;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the code says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(super) status: u16,
    /// What is wrong, for people.
    pub(super) detail: String,
    /// What is wrong, for programs: an error code of the protocol, or one of HTTP's own.
    pub(super) code: &'static str,
    /// After how many seconds another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            retry_after: None,
        }
    }

    pub(super) fn after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    pub(super) fn of(code: ErrorCode, detail: impl Into<String>) -> Self {
        let status = match code {
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::QueueFull => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let problem = Self::new(status, code.as_str(), detail);
        if code.is_temporary() {
            problem.after(RETRY_AFTER)
        } else {
            problem
        }
    }

    /// The request is not what it should be.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// The same request may be served in a moment.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::of(ErrorCode::Unavailable, detail)
    }

    /// There are limits to what one client may take.
    pub(super) fn too_many(detail: impl Into<String>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "too_many", detail).after(RETRY_AFTER)
    }

    pub(super) fn no_route() -> Self {
        Self::of(ErrorCode::NotFound, "there is nothing at this address")
    }

    pub(super) fn method() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let why = "this address does not know the method; `Allow` says which it knows";
        Self::new(status, "method_not_allowed", why)
    }

    /// Which item of a list is meant.
    pub(super) fn within(self, place: usize) -> Self {
        Self {
            detail: format!("jobs[{place}]: {}", self.detail),
            ..self
        }
    }
}

impl From<Refused> for Problem {
    fn from(error: Refused) -> Self {
        match error {
            Refused::Denied => Self::new(
                StatusCode::FORBIDDEN,
                "permission_denied",
                "your token does not allow this",
            ),
            Refused::Full(ms) => {
                let problem = Self::of(ErrorCode::QueueFull, error.to_string());
                problem.after(ms.div_ceil(1000).max(1))
            }
            Refused::Job(code, why) => Self::of(code, why),
        }
    }
}

impl From<Denied> for Problem {
    fn from(error: Denied) -> Self {
        let code = match error {
            Denied::TokenRequired => "token_required",
            Denied::Expired | Denied::Ended => "token_expired",
            Denied::Unavailable => return Self::busy(error.to_string()),
            Denied::Invalid(_) => "token_invalid",
        };
        Self::new(StatusCode::UNAUTHORIZED, code, error.to_string())
    }
}

impl From<NoPlace> for Problem {
    fn from(error: NoPlace) -> Self {
        Self::busy(error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("texts and numbers are JSON");
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use protocol::ErrorCode;

    use super::Problem;
    use crate::{auth::Denied, jobs::Refused};

    #[test]
    fn every_code_has_its_status() {
        for code in ErrorCode::ALL {
            let problem = Problem::of(code, "x");
            assert_eq!(problem.retry_after.is_some(), code.is_temporary(), "{code}");
            assert_eq!(problem.code, code.as_str());
        }
        let status = |error: Refused| Problem::from(error).status;
        assert_eq!(status(Refused::Denied), 403);
        assert_eq!(status(Refused::Full(1)), 429);
        assert_eq!(
            status(Refused::Job(ErrorCode::TooLarge, String::new())),
            413
        );
    }

    #[test]
    fn what_to_do_stands_in_the_headers() {
        let full = Problem::from(Refused::Full(1001)).into_response();
        assert_eq!(full.headers()["retry-after"], "2");
        assert_eq!(full.headers()["content-type"], "application/problem+json");
        let who = Problem::from(Denied::TokenRequired).into_response();
        assert_eq!(
            (
                who.status().as_u16(),
                who.headers()["www-authenticate"].as_bytes()
            ),
            (401, &b"Bearer"[..])
        );
    }
}
