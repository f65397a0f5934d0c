//! The OpenAPI description, made from the handlers and the types that they read and write. What all of them have in common
//! is added here.

use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        ContentBuilder, HeaderBuilder, Info, LicenseBuilder, ObjectBuilder, OpenApi, Ref, Response,
        ResponseBuilder, SecurityRequirement,
        path::Operation,
        schema::{Schema, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::Problem;

/// What may be answered to anything: the status, and when.
const ALWAYS: [(u16, &str); 5] = [
    (400, "The request is not what it should be"),
    (403, "Pages of that origin may not use the API"),
    (404, "There is no such queue or job"),
    (500, "Redis answered in a way that is not understood"),
    (
        503,
        "Redis is away or full, or too many streams go on: try again later",
    ),
];
/// What may be answered to a request with a body.
const WITH_BODY: [(u16, &str); 4] = [
    (
        409,
        "The job's state does not allow this, or its key belongs to another job",
    ),
    (413, "The body or the payload is too long"),
    (415, "The body is not `application/json`"),
    (429, "The queue, or the tenant's share of it, is full"),
];

/// The description as a JSON text; `strict` says that nobody is let in without a token.
pub(super) fn document(mut api: OpenApi, strict: bool) -> String {
    let paths = std::mem::take(&mut api.paths.paths).into_iter();
    api.paths.paths = paths
        .map(|(path, item)| (format!("/api/v1{path}"), item))
        .collect();
    let mut info = Info::new("Queue manager", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Look at queues and jobs, and change them. Errors are `application/problem+json`; programs decide by their `code`."
            .to_owned(),
    );
    let license = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"));
    info.license = Some(license.build());
    api.info = info;
    for item in api.paths.paths.values_mut() {
        let all = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.delete,
        ];
        for operation in all.into_iter().flatten() {
            complete(operation, strict);
        }
    }
    let components = api.components.get_or_insert_default();
    let problem = (Problem::name().into_owned(), Problem::schema());
    components.schemas.extend([problem]);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    serde_json::to_string(&api).expect("a description is JSON")
}

fn complete(operation: &mut Operation, strict: bool) {
    let mut refusals = ALWAYS.to_vec();
    if operation.request_body.is_some() {
        refusals.extend(WITH_BODY);
    }
    if strict {
        refusals.push((401, "The admin token is needed, and this is not it"));
        let none: [&str; 0] = [];
        operation.security = Some(vec![SecurityRequirement::new("bearer", none)]);
    }
    for (status, description) in refusals {
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), refusal(status, description).into());
    }
}

fn refusal(status: u16, description: &str) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body.build());
    let header = |description: &str, schema: ObjectBuilder| {
        HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(Schema::Object(schema.build())))
            .build()
    };
    match status {
        401 => {
            let text = ObjectBuilder::new().schema_type(Type::String);
            response.header("WWW-Authenticate", header("`Bearer`", text))
        }
        429 | 503 => {
            let seconds = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1));
            let seconds = header("In how many seconds to try again", seconds);
            response.header("Retry-After", seconds)
        }
        _ => response,
    }
    .build()
}
