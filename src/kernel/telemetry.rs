//! Logs, metrics and traces of the process. None of them may hold what a person said or what is stored about one:
//! a line has route templates, ids, counts and durations, never a path, a query, a body or a value.

mod export;
mod request;

use std::{error::Error, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, Registry, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::config::{LogFormat, TelemetryConfig};
pub use request::RequestTrace;

/// Upper bounds in seconds of every `…_seconds` histogram: from one indexed read to the request deadline.
const BUCKETS_S: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Histogram samples are kept in memory until they are folded into buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// What [`init`] started. Keep it until the end of the process and [`flush`](Self::flush) it there.
pub struct Telemetry {
    metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

/// Starts logging, metrics and, when an endpoint is configured, traces; call it once, inside the runtime.
pub fn init(config: &TelemetryConfig) -> Result<Telemetry, Box<dyn Error + Send + Sync>> {
    let filter = EnvFilter::try_new(&config.log_filter).map_err(|_| "telemetry.log_filter: is not a filter")?;
    let traces = config.otlp_endpoint.as_deref().map(export::provider).transpose()?;
    let spans = traces.as_ref().map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("enamel")));
    Registry::default().with(spans).with(filter).with(filter_fn(may_be_told)).with(lines(config.log_format)).try_init()?;
    log_panics();

    let recorder = recorder()?;
    let metrics = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| "metrics are started twice")?;
    tokio::spawn(upkeep(metrics.clone()));
    Ok(Telemetry { metrics, traces })
}

/// Whatever filter is set: below information, other crates repeat what they were given, parameters of statements among it.
fn may_be_told(metadata: &Metadata<'_>) -> bool {
    let own = metadata.target().split("::").next() == Some("enamel");
    own || *metadata.level() <= Level::INFO
}

impl Telemetry {
    /// The registry that renders `/metrics`.
    pub fn metrics(&self) -> PrometheusHandle {
        self.metrics.clone()
    }

    /// Sends the spans that are still waiting.
    pub async fn flush(self) {
        let Some(traces) = self.traces else { return };
        // shutdown() blocks while the exporter works on this very runtime.
        match tokio::task::spawn_blocking(move || traces.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "Could not send the last spans"),
            Err(_) => tracing::warn!("Sending the last spans panicked"),
        }
    }
}

/// A recorder with our buckets; tests make one for themselves instead of the global one.
pub fn recorder() -> Result<metrics_exporter_prometheus::PrometheusRecorder, Box<dyn Error + Send + Sync>> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS_S)?;
    Ok(builder.build_recorder())
}

async fn upkeep(metrics: PrometheusHandle) {
    let mut every = tokio::time::interval(UPKEEP);
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}

/// Log lines go to stderr: stdout belongs to what a command prints.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        LogFormat::Pretty => layer.compact().with_target(false).boxed(),
    }
}

/// A panic's message is often made from a value; its place in the source never is.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location();
        tracing::error!(
            panic.file = place.map(|place| place.file()),
            panic.line = place.map(|place| place.line()),
            thread = std::thread::current().name(),
            "A thread panicked"
        );
        metrics::counter!("panics_total").increment(1);
    }));
}

/// The text of an error that may be logged. PostgreSQL and serde_json repeat stored and sent values in theirs; of
/// those only the SQLSTATE with its table and constraint, or the place in the text, is kept.
pub fn loggable(error: &(dyn Error + 'static)) -> String {
    let mut parts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(postgres) = error.downcast_ref::<tokio_postgres::Error>() {
            parts.push(postgres_text(postgres));
            break;
        }
        if let Some(json) = error.downcast_ref::<serde_json::Error>() {
            parts.push(format!("JSON {:?} error at line {}, column {}", json.classify(), json.line(), json.column()));
            break;
        }
        if let Some(ours) = error.downcast_ref::<super::Error>() {
            parts.push(ours.code.code.to_owned());
        } else {
            parts.push(error.to_string());
        }
        next = error.source();
    }
    parts.join(": ")
}

fn postgres_text(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        // Without an answer of the server there is no row to repeat: a connection was lost or refused.
        return error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    };
    let mut text = format!("PostgreSQL {}", db.code().code());
    for (name, value) in [("table", db.table()), ("constraint", db.constraint()), ("routine", db.routine())] {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::error::{self, Error as OurError};

    #[test]
    fn what_serde_json_repeats_is_not_logged() {
        let json = serde_json::from_str::<u32>(r#""hunter2""#).unwrap_err();
        assert!(json.to_string().contains("hunter2"), "the trap is still there");
        let logged = loggable(&OurError::internal(json));
        assert_eq!(logged, "internal: JSON Data error at line 1, column 9");
    }

    #[test]
    fn faults_stay_out_of_the_log_too() {
        let error = OurError::new(&error::INVALID).fault("name", "length", "too long").detail("something");
        assert_eq!(loggable(&error), "field.invalid");
    }

    #[test]
    fn a_histogram_has_our_buckets() {
        let recorder = recorder().unwrap();
        metrics::with_local_recorder(&recorder, || metrics::histogram!("x_seconds").record(0.003));
        let text = recorder.handle().render();
        assert!(text.contains("x_seconds_bucket{le=\"0.005\"} 1"), "{text}");
    }
}
