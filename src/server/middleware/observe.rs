//! One request as logs, metrics and traces see it: template, status, time, ids. No path, query, body or address.

use std::sync::Arc;

use opentelemetry::Context;
use poem::{
    PathPattern, Request, Response,
    http::{Method, StatusCode},
};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::AllowTable;
use crate::kernel::{
    error::Error,
    telemetry::{RequestTrace, loggable},
};

/// Shown for a path no route has: the path itself may hold anything.
const UNMATCHED: &str = "unmatched";

/// Gathers what is known and tells it once, also when the request is dropped because its client went away.
pub(super) struct Observed {
    trace: Arc<RequestTrace>,
    method: &'static str,
    route: Option<Arc<str>>,
    status: Option<StatusCode>,
    span: Span,
}

impl Observed {
    pub(super) fn start(request: &Request, trace: Arc<RequestTrace>) -> Self {
        Self { trace, method: known(request.method()), route: None, status: None, span: Span::none() }
    }

    /// The span everything below runs in.
    pub(super) fn span(&mut self, parent: Option<Context>) -> Span {
        self.span = tracing::info_span!(
            "request", request_id = %self.trace.id, method = self.method, route = Empty, otel.kind = "server",
            otel.name = Empty, otel.status_code = Empty, tenant.id = Empty, http.response.status_code = Empty,
        );
        if let Some(parent) = parent {
            // Without a collector there is no span to hang it on, which is no failure.
            let _ = self.span.set_parent(parent);
        }
        self.span.clone()
    }

    /// poem's router leaves the template on answers and errors alike, except where the handler never came back.
    pub(super) fn route(&mut self, outcome: &poem::Result<Response>, path: &str, table: &AllowTable) {
        let pattern = match outcome {
            Ok(response) => response.data::<PathPattern>(),
            Err(error) => error.data::<PathPattern>(),
        };
        self.route = match pattern {
            Some(pattern) => table.declared(&pattern.0).or_else(|| Some(pattern.0.clone())),
            None => table.of_path(path),
        };
    }

    pub(super) fn pattern(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Logs the cause of an error that is ours; what a client did wrong is no event of the log.
    pub(super) fn failed(&self, error: &Error) {
        if error.code.status < 500 {
            return;
        }
        let _in_span = self.span.enter();
        let cause = error.cause.as_deref().map(|cause| loggable(cause));
        tracing::error!(code = error.code.code, cause, request_id = %self.trace.id, "A request failed");
    }

    pub(super) fn finish(mut self, response: &Response) {
        self.status = Some(response.status());
    }

    fn tell(&self) {
        let elapsed = self.trace.started.elapsed();
        let route = self.route.clone().unwrap_or_else(|| UNMATCHED.into());
        // 499 is what nginx made customary for a client that did not wait.
        let status = self.status.map_or(499, |status| status.as_u16());
        let tenant = self.trace.tenant().map(tracing::field::display);
        self.span.record("route", &*route).record("http.response.status_code", status).record("tenant.id", &tenant);
        self.span.record("otel.name", format!("{} {route}", self.method));
        if status >= 500 {
            self.span.record("otel.status_code", "ERROR");
        }
        let duration_ms = elapsed.as_micros() as f64 / 1000.0;
        tracing::info!(
            target: "enamel::access", method = self.method, route = &*route, status, duration_ms,
            request_id = %self.trace.id, tenant.id = tenant, "Answered"
        );
        let labels = [("method", self.method.into()), ("route", metrics::SharedString::from(route))];
        metrics::histogram!("http_request_duration_seconds", &labels).record(elapsed.as_secs_f64());
        let [method, route] = labels;
        let class = ["1xx", "2xx", "3xx", "4xx", "5xx"][(usize::from(status) / 100 - 1).min(4)];
        metrics::counter!("http_requests_total", &[method, route, ("status", class.into())]).increment(1);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.tell();
    }
}

/// A method nobody registered is a client's text, and every text is another time series.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}
