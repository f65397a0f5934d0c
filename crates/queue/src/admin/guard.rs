//! Who may use the API: whoever has the token, and only pages that may.
//!
//! A browser sends nothing along of itself, such as a cookie. Where no token is asked for, what a page of another origin
//! sends is refused by its `Origin`, what a name sends that was pointed at this machine by its `Host`, and what a form can
//! send by its content type (`body.rs`).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tracing::debug;

use super::{Admin, Problem};

/// Lets a request through, or refuses it.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match judge(&admin, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            debug!(?problem, "refused");
            problem.into_response()
        }
    };
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let never = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(never);
    response
}

fn judge(admin: &Admin, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let page = admin
        .origins
        .check(headers)
        .and_then(|()| match &admin.args.admin_token {
            Some(_) => Ok(()),
            None => admin.origins.check_host(headers),
        });
    if let Err(error) = page {
        let why = error
            .to_string()
            .replace("--allowed-origins", "--admin-origins");
        return Err(Problem::new(StatusCode::FORBIDDEN, "origin_refused", why));
    }
    if let Some(token) = &admin.args.admin_token {
        let sent = bearer(headers);
        if !sent.is_some_and(|sent| token.is(sent)) {
            return Err(Problem::unauthorized(sent.is_some()));
        }
    }
    Ok(())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (first, None) = (sent.next()?, sent.next()) else {
        return None;
    };
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}
