//! Traces to an OTLP/HTTP collector.

use std::{error::Error, sync::Arc, time::Duration};

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SdkTracerProvider, SpanData, SpanExporter as Export},
};
use tokio::runtime::Handle;

const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// A provider that sends batches to `endpoint`; needs a running runtime.
pub(super) fn provider(endpoint: &str) -> Result<SdkTracerProvider, Box<dyn Error + Send + Sync>> {
    let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_TIMEOUT)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()?;
    let resource = Resource::builder().with_service_name("enamel").build();
    let exporter = OnRuntime { exporter: Arc::new(exporter), runtime: Handle::try_current()? };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The SDK exports from a thread of its own, where reqwest finds no reactor: hand the batch to our runtime.
#[derive(Debug)]
struct OnRuntime {
    exporter: Arc<SpanExporter>,
    runtime: Handle,
}

impl Export for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = self.exporter.clone();
        let sent = self.runtime.spawn(async move { exporter.export(batch).await });
        sent.await.unwrap_or_else(|_| Err(OTelSdkError::InternalFailure("the export was dropped".to_owned())))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The Arc is shared only while a batch is on its way, and the SDK sets the resource before the first.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use poem::{Endpoint, EndpointExt, endpoint::make_sync, listener::TcpAcceptor};
    use tokio::sync::mpsc;

    use super::*;

    fn collector(seen: mpsc::UnboundedSender<String>) -> impl Endpoint {
        make_sync(move |request| seen.send(request.uri().path().to_owned()).unwrap()).map_to_response()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn spans_arrive_at_the_collector() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, mut requests) = mpsc::unbounded_channel();
        let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        tokio::spawn(server.run(collector(seen)));

        let provider = provider(&format!("http://{address}")).unwrap();
        provider.tracer("test").start("a span");
        tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
        let path = tokio::time::timeout(Duration::from_secs(5), requests.recv()).await.unwrap();
        assert_eq!(path.as_deref(), Some("/v1/traces"));
    }
}
