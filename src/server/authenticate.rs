//! Who is asking: from the bearer token to a [`Caller`], before any route sees the request.

use crate::identity::Shown;
use crate::identity::oauth::Proof;
use crate::identity::scim;
use crate::kernel::certificate::Certificate;
use crate::kernel::context::{Context, Origin, Plane};
use crate::kernel::error::{self, Error};
use crate::kernel::telemetry::RequestTrace;
use crate::kernel::{Caller, Kernel};
use crate::server::limits::{Limits, cost};
use poem::http::header;
use poem::{Endpoint, Middleware, Request};
use std::sync::Arc;
use uuid::Uuid;

const USER_AGENT_CHARS_MAX: usize = 200;

pub struct Authenticate(pub Arc<Kernel>);

impl<E: Endpoint> Middleware<E> for Authenticate {
    type Output = Authenticated<E>;
    fn transform(&self, inner: E) -> Authenticated<E> {
        Authenticated { inner, kernel: self.0.clone() }
    }
}

pub struct Authenticated<E> {
    inner: E,
    kernel: Arc<Kernel>,
}

impl<E: Endpoint> Endpoint for Authenticated<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> poem::Result<E::Output> {
        let trace = request.data::<Arc<RequestTrace>>().cloned();
        let (limits, kind) = (Limits::of(&self.kernel)?, cost::kind(request.method(), request.uri().path()));
        let origin = Arc::new(Origin { ip: trace.as_ref().and_then(|trace| trace.client), user_agent: user_agent(&request) });
        let id = trace.as_ref().map_or_else(Uuid::now_v7, |trace| trace.id);
        let caller = match shown(&request, &self.kernel.config.server.public_url)? {
            // A tenant's directory, whose own handler knows it.
            Some(_) if request.uri().path().starts_with(scim::ROOT) => anonymous(&self.kernel, id, origin),
            Some(shown) => {
                let caller = match crate::identity::resolve(&self.kernel, &shown, id, origin.clone()).await {
                    Ok(caller) => caller,
                    // Whoever guesses tokens spends what their network may.
                    Err(refusal) => {
                        limits.admit(&anonymous(&self.kernel, id, origin).context, kind).await?;
                        return Err(refusal.into());
                    }
                };
                if let (Some(trace), Some(tenant)) = (&trace, caller.context.tenant) {
                    trace.set_tenant(tenant);
                }
                caller
            }
            None => anonymous(&self.kernel, id, origin),
        };
        let context = caller.context.clone();
        let outcome = match limits.admit(&context, kind).await {
            Ok(()) => {
                request.extensions_mut().insert(caller);
                self.inner.call(request).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        if let Some((trace, fields)) = trace.zip(limits.fields(&context)) {
            trace.set_limits(fields.policy, fields.left);
        }
        outcome
    }
}

/// Nobody yet: may call what needs no token, on the auth plane.
pub fn anonymous(kernel: &Arc<Kernel>, request: Uuid, origin: Arc<Origin>) -> Caller {
    let mut context = Context::system(Plane::Auth, None);
    (context.request, context.origin) = (request, Some(origin));
    Caller { kernel: kernel.clone(), context, reads_subtree: false, scopes: Arc::from([]) }
}

/// RFC 6750 §2.1, RFC 9449 §7.1. Tokens in queries or bodies are not taken.
fn shown(request: &Request, public_url: &str) -> Result<Option<Shown>, Error> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Error::new(&error::UNAUTHENTICATED))?;
    let certificate = request.data::<Arc<Certificate>>().cloned();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(Shown { token: token.trim().to_owned(), proof: None, certificate }))
        }
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => {
            let proof = Proof::of(request, public_url).ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
            Ok(Some(Shown { token: token.trim().to_owned(), proof: Some(proof), certificate }))
        }
        // Client credentials at the token endpoint; its own handler reads them.
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") && request.uri().path().starts_with("/oauth2/") => Ok(None),
        _ => Err(Error::new(&error::UNAUTHENTICATED)),
    }
}

fn user_agent(request: &Request) -> Option<String> {
    let text = request.headers().get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect())
}
