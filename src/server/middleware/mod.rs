//! What every request passes through, in this order: its id and log span, limits of head and body, a deadline, the
//! contracts, and on the way back the one form of errors, security headers, metrics and a log line.

mod allow;
mod body;
mod headers;
mod identify;
mod in_flight;
mod observe;
mod origins;

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use poem::{
    Endpoint, IntoEndpoint, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};
use tracing::Instrument;

use super::problem::{Refusal, Renderers, respond, translate};
use crate::kernel::{
    config::{Network, ServerConfig},
    error::{self, Error},
    telemetry::RequestTrace,
};
pub use allow::AllowTable;
pub use body::BodyLimits;
use body::Gate;
use identify::Origin;
pub use in_flight::InFlight;
use observe::Observed;
pub use origins::Origins;

/// What the contracts say about themselves, so that the middleware need not know them.
#[derive(Debug, Clone)]
pub struct Contract {
    pub renderers: Renderers,
    pub allow: AllowTable,
    pub bodies: BodyLimits,
    pub origins: Origins,
}

impl Contract {
    /// No paths yet, and the configured limit for every body.
    pub fn new(config: &ServerConfig) -> Self {
        let bodies = BodyLimits::new(config.body_limit_bytes);
        Self { renderers: Renderers::default(), allow: AllowTable::default(), bodies, origins: Origins::default() }
    }
}

/// Puts the whole middleware around `app`.
pub fn guard<E>(app: E, contract: Contract, config: &ServerConfig) -> Guarded<E::Endpoint>
where
    E: IntoEndpoint,
    E::Endpoint: 'static,
{
    let rules = Rules {
        app: app.into_endpoint(),
        contract,
        trusted: config.trusted_proxies.clone(),
        certificates_of_proxies: config.client_certificates_of_proxies,
        deadline: Duration::from_secs(config.request_deadline_s.into()),
        header_limit: config.header_limit_bytes as usize,
        https: config.tls_cert.is_some() || config.public_url.starts_with("https://"),
        in_flight: InFlight::default(),
    };
    Guarded(Arc::new(rules))
}

/// An app with the middleware around it.
pub struct Guarded<E>(Arc<Rules<E>>);

impl<E> Guarded<E> {
    /// The requests that still run, those among them whose client went away.
    pub fn in_flight(&self) -> InFlight {
        self.0.in_flight.clone()
    }
}

struct Rules<E> {
    app: E,
    contract: Contract,
    trusted: Vec<Network>,
    certificates_of_proxies: bool,
    deadline: Duration,
    header_limit: usize,
    https: bool,
    in_flight: InFlight,
}

impl<E: Endpoint + 'static> Endpoint for Guarded<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let trace = Arc::new(Origin::of(&request, &self.0.trusted).trace());
        if request.method().is_safe() {
            return Ok(self.0.serve(request, trace).await);
        }
        // A change runs to its end or to its deadline in a task of its own: a client that goes away drops only our
        // waiting for it, so nothing stops half way between two statements, and its log line is still written.
        let rules = self.0.clone();
        let running = tokio::spawn(async move { rules.serve(request, trace).await });
        running.await.map_err(|_| Error::internal("the middleware panicked").into())
    }
}

impl<E: Endpoint> Rules<E> {
    async fn serve(&self, mut request: Request, trace: Arc<RequestTrace>) -> Response {
        let _running = self.in_flight.enter();
        request.set_data(trace.clone());
        if self.certificates_of_proxies {
            identify::take_certificate(&mut request, &self.trusted);
        }
        let mut observed = Observed::start(&request, trace.clone());
        let span = observed.span(Origin::of(&request, &self.trusted).parent());
        let render = self.contract.renderers.pick(&request);
        let (method, target) = (request.method().clone(), request.uri().clone());
        let origin = self.contract.origins.of(&request).await;
        let gate = Gate::attach(&mut request, &self.contract.bodies);

        let outcome = match headers::within(&request, self.header_limit).and_then(|()| gate.announced()) {
            Ok(()) => self.run(request).instrument(span.clone()).await,
            Err(error) => Err(error.into()),
        };
        observed.route(&outcome, target.path(), &self.contract.allow);
        let outcome = match outcome {
            // Whoever read the body saw only that it broke off; the gate knows why.
            Ok(answer) if gate.overrun() && failed(&answer) => Err(Error::new(&error::TOO_LARGE).into()),
            Err(_) if gate.overrun() => Err(Error::new(&error::TOO_LARGE).into()),
            outcome => outcome,
        };
        let mut response = match outcome {
            Ok(response) => response,
            Err(refused) => match self.refusal(refused, &method, target.path(), &observed) {
                Refusal::Answer(answer) => answer,
                Refusal::Error(error) => {
                    observed.failed(&error);
                    let mut response = respond(&error, trace.id, render);
                    self.name_methods(&mut response, target.path(), &observed);
                    response
                }
            },
        };
        headers::secure(&mut response, &trace, self.https);
        if let Some(origin) = origin {
            origins::open(&mut response, origin, &method);
        }
        if failed(&response) {
            gate.drain().await;
        }
        observed.finish(&response);
        response
    }

    /// The contracts under the deadline. A panic ends this request and no other.
    async fn run(&self, request: Request) -> poem::Result<Response> {
        let called = async { self.app.call(request).await.map(poem::IntoResponse::into_response) };
        match tokio::time::timeout(self.deadline, AssertUnwindSafe(called).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(after_panic(panic)),
            Err(_) => Err(Error::new(&error::DEADLINE).into()),
        }
    }

    fn refusal(&self, refused: poem::Error, method: &Method, path: &str, observed: &Observed) -> Refusal {
        match translate(refused) {
            Refusal::Error(error) if error.code == &error::METHOD_NOT_ALLOWED && method == Method::OPTIONS => {
                match self.contract.allow.at(path, observed.pattern()) {
                    Some(allow) => {
                        let answer = Response::builder().status(StatusCode::NO_CONTENT);
                        Refusal::Answer(answer.header(header::ALLOW, allow).finish())
                    }
                    None => Refusal::Error(error),
                }
            }
            other => other,
        }
    }

    /// RFC 9110 §15.5.6: a 405 has an `Allow`, an empty one where nothing is allowed.
    fn name_methods(&self, response: &mut Response, path: &str, observed: &Observed) {
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let allow = self.contract.allow.at(path, observed.pattern()).unwrap_or(HeaderValue::from_static(""));
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
}

fn failed(response: &Response) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

/// The panic hook has logged the place; the payload may hold a value and goes nowhere.
fn after_panic(payload: Box<dyn Any + Send>) -> poem::Error {
    drop(payload);
    Error::internal("a handler panicked").into()
}

#[cfg(test)]
mod tests;
