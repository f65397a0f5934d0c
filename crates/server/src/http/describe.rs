//! The OpenAPI description, made from the handlers and the types that they read and write.
//!
//! What all of them have in common, such as refusals, is added here; what a schema of the library can't say, too.

use super::record::JobEvent;
use serde_json::{Value, json};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Info, LicenseBuilder, ObjectBuilder, OpenApi, Paths, Ref,
    Response, ResponseBuilder, SecurityRequirement,
    path::Operation,
    schema::{Schema, Type},
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa::{PartialSchema as _, ToSchema as _};

/// What may be answered to anything: the status, and when.
const ALWAYS: [(u16, &str); 6] = [
    (400, "The request is not what it should be"),
    (
        401,
        "A token is needed, or this one is not valid (any more)",
    ),
    (
        403,
        "Your token does not allow this, or the page's origin is not allowed",
    ),
    (404, "There is no such job of yours, or no such queue"),
    (429, "You ask too often: try again later"),
    (
        503,
        "Redis is away or full, or the server is stopping or busy: try again later",
    ),
];
/// What may be answered to a request with a body.
const WITH_BODY: [(u16, &str); 4] = [
    (408, "The body did not come in time"),
    (413, "The body, a payload or an announcement is too long"),
    (415, "The body is not `application/json`"),
    (
        429,
        "The queue, or your share of it, is full, or you ask or hand in too often: try again later",
    ),
];
/// What may be answered to a request that lasts.
const LASTING: &str =
    "You ask too often, or you or your address have as many connections as you may";
/// What may be answered to a request for a change.
const CONFLICT: &str =
    "The job's state does not allow this, or its id or idempotency key belongs to another job";

/// The description as a JSON text. Its paths begin with `under`; `strict` says that nobody is let in without a token.
pub(super) fn document(mut api: OpenApi, under: &str, strict: bool) -> String {
    let paths = std::mem::take(&mut api.paths.paths).into_iter();
    api.paths.paths = paths
        .map(|(path, item)| (format!("{under}{path}"), item))
        .collect();
    let license = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"));
    let mut info = Info::new(
        "Distributed WebSocket job gateway",
        env!("CARGO_PKG_VERSION"),
    );
    info.description = Some(
        "Hand in durable jobs, look at them, and follow their events. Errors are `application/problem+json`; programs \
         decide by their `code`. The same over WebSocket is described by AsyncAPI."
            .to_owned(),
    );
    info.license = Some(license.build());
    api.info = info;
    for operation in operations(&mut api.paths) {
        complete(operation, strict);
    }
    let components = api.components.get_or_insert_default();
    let event = (JobEvent::name().into_owned(), JobEvent::schema());
    components.schemas.extend([event]);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT");
    let query = ApiKeyValue::with_description(
        "token",
        "Where no header can be set, as in a browser's EventSource",
    );
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Query(query)));
    let mut value = serde_json::to_value(api).expect("a description is JSON");
    say_what_the_library_can_not(&mut value);
    value.to_string()
}

fn operations(paths: &mut Paths) -> impl Iterator<Item = &mut Operation> {
    let items = paths.paths.values_mut();
    items.flat_map(|item| [&mut item.get, &mut item.post].into_iter().flatten())
}

fn complete(operation: &mut Operation, strict: bool) {
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let stream = id == "followJob";
    let mut refusals = ALWAYS.to_vec();
    if operation.request_body.is_some() {
        refusals.extend(WITH_BODY);
    }
    if stream || id == "getJob" {
        refusals.push((429, LASTING));
    }
    if matches!(id, "submitJob" | "cancelJob" | "retryJob") {
        refusals.push((409, CONFLICT));
    }
    for (status, description) in refusals {
        let response = refusal(status, description);
        operation
            .responses
            .responses
            .insert(status.to_string(), response.into());
    }
    let none: [&str; 0] = [];
    let mut security = vec![SecurityRequirement::new("bearer", none)];
    if !strict {
        security.push(SecurityRequirement::default());
    }
    if stream {
        security.push(SecurityRequirement::new("token", none));
    }
    operation.security = Some(security);
}

fn refusal(status: u16, description: &str) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body.build());
    let header = |description: &str, schema: Schema| {
        HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(schema))
            .build()
    };
    if status == 429 || status == 503 {
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1));
        let seconds = Schema::Object(seconds.build());
        response = response.header(
            "Retry-After",
            header("In how many seconds to try again", seconds),
        );
    }
    if status == 401 {
        let text = Schema::Object(ObjectBuilder::new().schema_type(Type::String).build());
        response = response.header("WWW-Authenticate", header("`Bearer`", text));
    }
    response.build()
}

fn say_what_the_library_can_not(description: &mut Value) {
    // A delay and a time exclude each other.
    description["components"]["schemas"]["JobOptions"]["anyOf"] = json!([
        {"properties": {"run_at": {"type": "null"}}},
        {"properties": {"delay_ms": {"maximum": 0}}},
    ]);
    // An event's data is JSON in a text.
    let data = &mut description["components"]["schemas"]["StreamedEvent"]["properties"]["data"];
    data["contentMediaType"] = json!("application/json");
    data["contentSchema"] = json!({"$ref": "#/components/schemas/JobEvent"});
    // Nor is there more in a policy than it has.
    let policies = description["components"]["schemas"]["Retry"]["oneOf"].as_array_mut();
    for policy in policies.into_iter().flatten() {
        policy["additionalProperties"] = json!(false);
    }
}
