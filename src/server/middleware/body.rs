//! Bodies are counted while they stream: a limit holds with and without Content-Length, and a body that nobody reads
//! (an unauthenticated one, say) is never held in memory.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::poll_fn, stream::BoxStream};
use poem::{
    Body, Request,
    http::{Method, Version, header},
};

use crate::kernel::error::{Error, Result, TOO_LARGE};

/// What is read and thrown away after a refusal, and for how long. A client that is still sending when the connection
/// closes sees a reset instead of the answer (RFC 9112 §9.6).
const DRAIN_MAX_BYTES: usize = 32 << 20;
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// Largest body by method and path.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    default: usize,
    rules: Vec<(Method, &'static str, usize)>,
}

impl BodyLimits {
    pub fn new(default: usize) -> Self {
        Self { default, rules: Vec::new() }
    }

    /// Another limit for `method` at `path`, or below it when the path ends in `/*`. The first rule that fits counts.
    pub fn at(mut self, method: Method, path: &'static str, bytes: usize) -> Self {
        self.rules.push((method, path, bytes));
        self
    }

    fn of(&self, method: &Method, path: &str) -> usize {
        let fits = |rule: &str| match rule.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path.strip_suffix('/').unwrap_or(path) == rule,
        };
        self.rules.iter().find(|(of, rule, _)| of == method && fits(rule)).map_or(self.default, |(_, _, bytes)| *bytes)
    }
}

/// One request's body and its limit, shared by the handler that reads it and the middleware that refuses.
pub(super) struct Gate {
    shared: Option<Arc<Shared>>,
    announced: Option<usize>,
    limit: usize,
    may_drain: bool,
}

struct Shared {
    limit: usize,
    overrun: AtomicBool,
    stream: Mutex<Counted>,
}

struct Counted {
    stream: BoxStream<'static, io::Result<Bytes>>,
    seen: usize,
}

impl Gate {
    /// Replaces the body by one that breaks off behind its limit.
    pub(super) fn attach(request: &mut Request, limits: &BodyLimits) -> Self {
        let limit = limits.of(request.method(), request.uri().path());
        let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        // HTTP/2 closes one stream without the others, and whoever asks `Expect: 100-continue` waits for our word.
        let may_drain = request.version() <= Version::HTTP_11 && request.header(header::EXPECT).is_none();
        let body = request.take_body();
        if body.is_empty() {
            return Self { shared: None, announced, limit, may_drain };
        }
        let stream = Mutex::new(Counted { stream: body.into_bytes_stream().boxed(), seen: 0 });
        let shared = Arc::new(Shared { limit, overrun: AtomicBool::new(false), stream });
        request.set_body(Body::from_bytes_stream(Limited(shared.clone())));
        Self { shared: Some(shared), announced, limit, may_drain }
    }

    /// Refuses at once what says itself that it is too large.
    pub(super) fn announced(&self) -> Result<()> {
        match self.announced {
            Some(length) if length > self.limit => Err(Error::new(&TOO_LARGE)),
            _ => Ok(()),
        }
    }

    pub(super) fn overrun(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.overrun.load(Ordering::Relaxed))
    }

    /// Reads on without keeping anything, within bounds.
    pub(super) async fn drain(&self) {
        let Some(shared) = self.shared.as_ref().filter(|_| self.may_drain) else { return };
        let rest = async {
            let mut thrown = 0;
            while let Some(Ok(chunk)) = poll_fn(|cx| shared.counted().stream.poll_next_unpin(cx)).await {
                thrown += chunk.len();
                if thrown > DRAIN_MAX_BYTES {
                    break;
                }
            }
        };
        // Out of patience is as good as done: the connection closes then.
        let _ = tokio::time::timeout(DRAIN_MAX, rest).await;
    }
}

impl Shared {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        // A panic while polling poisons it; the stream is then only drained.
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Limited(Arc<Shared>);

impl Stream for Limited {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut counted = self.0.counted();
        let next = counted.stream.poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            counted.seen += chunk.len();
            if counted.seen > self.0.limit {
                self.0.overrun.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(io::Error::other("the body is over its limit"))));
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_counts() {
        let limits = BodyLimits::new(10).at(Method::POST, "/fhir/r4", 200).at(Method::POST, "/dicomweb/*", 300);
        assert_eq!(limits.of(&Method::POST, "/fhir/r4"), 200);
        assert_eq!(limits.of(&Method::POST, "/fhir/r4/"), 200);
        assert_eq!(limits.of(&Method::POST, "/fhir/r4/Patient"), 10);
        assert_eq!(limits.of(&Method::PUT, "/fhir/r4"), 10);
        assert_eq!(limits.of(&Method::POST, "/dicomweb/studies"), 300);
        assert_eq!(limits.of(&Method::POST, "/dicomwebs"), 10);
    }
}
