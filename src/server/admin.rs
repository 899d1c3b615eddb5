//! Probes and metrics, on a listener of their own that is not reachable from outside.

use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use metrics_exporter_prometheus::PrometheusHandle;
use poem::{Endpoint, IntoResponse, Response, Route, endpoint::make, get, http::StatusCode, web::Json};
use serde_json::json;

use crate::kernel::telemetry::loggable;

/// Longest time a check may take; a probe must answer before its prober gives up.
const CHECK_MAX: Duration = Duration::from_secs(2);

pub type CheckResult = Result<(), Box<dyn StdError + Send + Sync>>;
type Check = Arc<dyn Fn() -> BoxFuture<'static, CheckResult> + Send + Sync>;

/// What the probes look at. Clones share the draining mark.
#[derive(Clone)]
pub struct Admin {
    checks: Vec<(&'static str, Check)>,
    metrics: PrometheusHandle,
    draining: Arc<AtomicBool>,
    check_max: Duration,
}

impl Admin {
    pub fn new(metrics: PrometheusHandle) -> Self {
        Self { checks: Vec::new(), metrics, draining: Arc::default(), check_max: CHECK_MAX }
    }

    /// Adds what must work for the server to be ready. The name is public, the error goes to the log.
    pub fn check<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = CheckResult> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || check().boxed())));
        self
    }

    /// From now on `/readyz` says 503, so that a load balancer sends nobody here any more.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub fn endpoint(&self) -> impl Endpoint + use<> {
        let (ready, metrics) = (self.clone(), self.metrics.clone());
        let ready = make(move |_| {
            let ready = ready.clone();
            async move { ready.readiness().await }
        });
        let metrics = make(move |_| std::future::ready(metrics.render().with_content_type("text/plain; version=0.0.4")));
        let live = make(|_| std::future::ready("alive\n"));
        Route::new().at("/livez", get(live)).at("/readyz", get(ready)).at("/metrics", get(metrics))
    }

    async fn readiness(&self) -> Response {
        if self.draining.load(Ordering::Relaxed) {
            return answer(&["shutdown"]);
        }
        let failing = join_all(self.checks.iter().map(|(name, check)| self.fails(name, check))).await;
        answer(&failing.into_iter().flatten().collect::<Vec<_>>())
    }

    async fn fails(&self, name: &'static str, check: &Check) -> Option<&'static str> {
        // In a task of its own: a check that panics fails, and takes no probe with it.
        let run = tokio::spawn(check());
        let abort = run.abort_handle();
        match tokio::time::timeout(self.check_max, run).await {
            Ok(Ok(Ok(()))) => return None,
            Ok(Ok(Err(error))) => {
                tracing::warn!(check = name, error = loggable(error.as_ref()), "A readiness check failed")
            }
            Ok(Err(_)) => tracing::warn!(check = name, "A readiness check panicked"),
            Err(_) => {
                abort.abort();
                tracing::warn!(check = name, "A readiness check took too long");
            }
        }
        Some(name)
    }
}

fn answer(failing: &[&str]) -> Response {
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Json(json!({"ready": failing.is_empty(), "failing": failing})).with_status(status).into_response()
}

#[cfg(test)]
mod tests {
    use poem::Request;

    use super::*;
    use crate::kernel::telemetry::recorder;

    fn admin() -> Admin {
        Admin::new(recorder().unwrap().handle())
    }

    async fn get(admin: &Admin, path: &str) -> String {
        let response = admin.endpoint().get_response(Request::builder().uri_str(path).finish()).await;
        let status = response.status().as_u16();
        format!("{status} {}", response.into_body().into_string().await.unwrap())
    }

    async fn readyz(admin: &Admin) -> String {
        get(admin, "/readyz").await
    }

    #[tokio::test]
    async fn ready_when_every_check_passes() {
        let admin = admin().check("database", || async { Ok(()) });
        assert_eq!(readyz(&admin).await, r#"200 {"ready":true,"failing":[]}"#);
        admin.drain();
        assert_eq!(readyz(&admin).await, r#"503 {"ready":false,"failing":["shutdown"]}"#);
    }

    #[tokio::test]
    async fn failing_slow_and_panicking_checks_are_named_and_nothing_else() {
        let mut admin = admin()
            .check("database", || async { Err("password hunter2 is wrong".into()) })
            .check("works", || async { Ok(()) })
            .check("store", std::future::pending)
            .check("sealer", || async { panic!("hunter2") });
        admin.check_max = Duration::from_millis(50);
        assert_eq!(readyz(&admin).await, r#"503 {"ready":false,"failing":["database","store","sealer"]}"#);
    }

    #[tokio::test]
    async fn metrics_are_rendered_and_life_needs_no_check() {
        let recorder = recorder().unwrap();
        metrics::with_local_recorder(&recorder, || metrics::counter!("seen_total").increment(2));
        let admin = Admin::new(recorder.handle()).check("database", || async { Err("gone".into()) });
        assert_eq!(get(&admin, "/livez").await, "200 alive\n");
        let text = get(&admin, "/metrics").await;
        assert!(text.contains("seen_total 2"), "{text}");
    }
}
