//! Which functions can run jobs, and how one becomes a [`Handler`].

use std::{future::Future, marker::PhantomData, sync::Arc};

use broker::{JobError, Output};
use futures_util::future::BoxFuture;
use protocol::FailureCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use crate::{FromJob, Handler, JobContext};

/// An async function that can run jobs in a registry with state `S`.
///
/// Its last parameter is the payload, any [`DeserializeOwned`] type. Before that come up to four parameters that
/// are [`FromJob`]. It returns `Result<R, JobError>`, where `R` is [`Serialize`]:
///
/// ```
/// use worker::{JobContext, JobError, State};
///
/// # #[derive(Clone)] struct Shared;
/// async fn square(number: f64) -> Result<f64, JobError> {
///     Ok(number * number)
/// }
///
/// async fn greet(context: JobContext, State(shared): State<Shared>, name: String) -> Result<String, JobError> {
///     context.log("about to greet").await?;
///     Ok(format!("hello {name}"))
/// }
/// # worker::Registry::with_state(Shared).register("a".parse().unwrap(), square).register("b".parse().unwrap(), greet);
/// ```
///
/// Implemented for functions only; `Args` stands for their parameters, and the compiler finds it out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't run jobs of a registry with state `{S}`",
    label = "not such a function",
    note = "an `async fn(JobContext, State<{S}>, Payload) -> Result<R, JobError>`: the payload comes last and is `DeserializeOwned`, `R` is `Serialize`, and up to four parameters before it are `FromJob<{S}>`"
)]
pub trait JobFn<S, Args>: Send + Sync + 'static {
    /// What the function works on.
    type Payload: DeserializeOwned + Send + 'static;

    /// Starts the function for one attempt.
    fn start(
        &self,
        context: JobContext,
        state: &S,
        payload: Self::Payload,
    ) -> BoxFuture<'static, Result<Output, JobError>>;
}

macro_rules! job_fn {
    ($($part:ident),*) => {
        impl<S, F, Fut, R, T, $($part),*> JobFn<S, ($($part,)* T,)> for F
        where
            F: Fn($($part,)* T) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<R, JobError>> + Send + 'static,
            R: Serialize,
            T: DeserializeOwned + Send + 'static,
            $($part: FromJob<S>,)*
        {
            type Payload = T;

            #[allow(unused_variables, reason = "a function of its payload alone takes nothing from them")]
            fn start(
                &self,
                context: JobContext,
                state: &S,
                payload: T,
            ) -> BoxFuture<'static, Result<Output, JobError>> {
                let begin = || -> Result<Fut, JobError> {
                    Ok(self($($part::from_job(&context, state)?,)* payload))
                };
                let begun = begin();
                Box::pin(async move { output(&begun?.await?) })
            }
        }
    };
}

job_fn!();
job_fn!(A);
job_fn!(A, B);
job_fn!(A, B, C);
job_fn!(A, B, C, D);

/// A result as JSON. Another attempt would make the same one, so what is no JSON fails the job for good.
fn output<R: Serialize>(result: &R) -> Result<Output, JobError> {
    to_raw_value(result).map(Output).map_err(|error| {
        let message = format!("the result is not JSON: {error}");
        JobError::fatal(FailureCode::Error, message)
    })
}

/// A function with the state that it takes from.
pub(crate) struct Typed<F, S, Args> {
    function: Arc<F>,
    state: S,
    args: PhantomData<fn(Args)>,
}

impl<F, S, Args> Typed<F, S, Args> {
    pub(crate) fn new(function: F, state: S) -> Self {
        Self {
            function: Arc::new(function),
            state,
            args: PhantomData,
        }
    }
}

impl<F, S, Args> Handler for Typed<F, S, Args>
where
    F: JobFn<S, Args>,
    S: Clone + Send + Sync + 'static,
    Args: 'static,
{
    fn run(
        &self,
        context: JobContext,
        payload: Box<RawValue>,
    ) -> BoxFuture<'static, Result<Output, JobError>> {
        let (function, state) = (Arc::clone(&self.function), self.state.clone());
        Box::pin(async move {
            let payload = serde_json::from_str(payload.get())
                .map_err(|error| JobError::fatal(FailureCode::Undecodable, error.to_string()))?;
            function.start(context, &state, payload).await
        })
    }
}
