//! Pages of other sites that may read our answers (CORS): those of applications that are registered here. Tokens are what they
//! show; no cookie of ours is ever sent along or looked at, so credentials are not allowed.

use futures_util::future::BoxFuture;
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use std::fmt;
use std::sync::Arc;

type Ask = dyn Fn(String) -> BoxFuture<'static, bool> + Send + Sync;

const READ: HeaderValue = HeaderValue::from_static(
    "content-location, etag, last-modified, location, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id",
);
const SENT: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, dpop, idempotency-key, if-match, if-modified-since, if-none-exist, if-none-match, prefer",
);
const KEPT_S: HeaderValue = HeaderValue::from_static("600");
const ORIGIN_MAX: usize = 200;

/// Below which paths, and who knows which origins are an application's.
#[derive(Clone, Default)]
pub struct Origins {
    roots: &'static [&'static str],
    ask: Option<Arc<Ask>>,
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origins").field("roots", &self.roots).finish_non_exhaustive()
    }
}

impl Origins {
    pub fn new(roots: &'static [&'static str], ask: impl Fn(String) -> BoxFuture<'static, bool> + Send + Sync + 'static) -> Self {
        Self { roots, ask: Some(Arc::new(ask)) }
    }

    /// The origin of the request, when it may read the answer.
    pub(super) async fn of(&self, request: &Request) -> Option<HeaderValue> {
        let (ask, path) = (self.ask.as_ref()?, request.uri().path());
        let origin = request.headers().get(header::ORIGIN)?;
        let text = origin.to_str().ok().filter(|text| text.len() <= ORIGIN_MAX && text.contains("://"))?;
        let below = |root: &&&str| path.strip_prefix(**root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.roots.iter().find(below)?;
        ask(text.to_owned()).await.then(|| origin.clone())
    }
}

/// What everybody may read says so itself and stays as it is.
pub(super) fn open(response: &mut Response, origin: HeaderValue, method: &Method) {
    let preflight = *method == Method::OPTIONS && response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ);
    if preflight {
        let methods = headers.get(header::ALLOW).cloned();
        let told: [(HeaderName, Option<HeaderValue>); 3] = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, Some(SENT)),
            (header::ACCESS_CONTROL_MAX_AGE, Some(KEPT_S)),
        ];
        headers.extend(told.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }
}
