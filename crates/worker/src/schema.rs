//! The JSON Schema of a payload, and the check that a payload fits it.

use std::{fmt::Write as _, sync::Arc};

use broker::{JobError, Output};
use futures_util::future::BoxFuture;
use jsonschema::{PatternOptions, Validator};
use protocol::FailureCode;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, value::RawValue};

use crate::{Handler, JobContext};

/// How many wrong places a message names.
const MAX_NAMED: usize = 8;

/// A schema that is ready to check payloads.
pub(crate) struct Schema {
    document: Value,
    validator: Validator,
}

impl Schema {
    /// The schema of what can be decoded into a type. Panics if it is none.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let document = settings.into_generator().into_root_schema_for::<T>();
        let document = Value::from(document);
        // Patterns that take linear time: payloads come from strangers.
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex())
            .build(&document)
            .unwrap_or_else(|error| panic!("the schema of {} is none: {error}", T::schema_name()));
        Self {
            document,
            validator,
        }
    }

    /// The schema itself.
    pub(crate) const fn document(&self) -> &Value {
        &self.document
    }

    /// A handler that gets only what fits.
    pub(crate) fn before<H: Handler>(self, handler: H) -> Validated<H> {
        Validated {
            schema: Arc::new(self),
            handler: Arc::new(handler),
        }
    }

    fn check(&self, payload: &RawValue) -> Result<(), JobError> {
        let undecodable = |message: String| JobError::fatal(FailureCode::Undecodable, message);
        let payload =
            serde_json::from_str(payload.get()).map_err(|error| undecodable(error.to_string()))?;
        let mut message = String::new();
        for (named, error) in self.validator.iter_errors(&payload).enumerate() {
            if named == MAX_NAMED {
                message.push_str("; and more");
                break;
            }
            let start = if named == 0 {
                "the payload does not fit: "
            } else {
                "; "
            };
            let place = match error.instance_path().as_str() {
                "" => "the whole",
                path => path,
            };
            // Without the value: it may be long, and it is nobody's business who reads the log.
            let _ = write!(message, "{start}{place}: {}", error.masked());
        }
        if message.is_empty() {
            Ok(())
        } else {
            Err(undecodable(message))
        }
    }
}

/// A handler behind a schema.
pub(crate) struct Validated<H> {
    schema: Arc<Schema>,
    handler: Arc<H>,
}

impl<H: Handler> Handler for Validated<H> {
    fn run(
        &self,
        context: JobContext,
        payload: Box<RawValue>,
    ) -> BoxFuture<'static, Result<Output, JobError>> {
        let (schema, handler) = (Arc::clone(&self.schema), Arc::clone(&self.handler));
        Box::pin(async move {
            schema.check(&payload)?;
            handler.run(context, payload).await
        })
    }
}
