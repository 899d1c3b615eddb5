//! An S3 endpoint inside the process, for one machine: `enamel up` and the tests drive it by the same client code as
//! a production store. s3s speaks the protocol and verifies signatures; the files are ours, because an X-ray that was
//! acknowledged must be there after a power cut, and one whose checksum failed must not.

/// The labels in the input of any operation that writes an object: s3s gives each its own type with the same fields.
macro_rules! labels {
    ($input:expr) => {
        Labels {
            content_type: $input.content_type,
            content_disposition: $input.content_disposition,
            content_encoding: $input.content_encoding,
            content_language: $input.content_language,
            cache_control: $input.cache_control,
            user: $input.metadata.unwrap_or_default().into_iter().collect(),
        }
    };
}
/// The checksums in the input of any operation with a body.
macro_rules! sums {
    ($input:expr) => {
        Checksum {
            checksum_crc32: $input.checksum_crc32,
            checksum_crc32c: $input.checksum_crc32c,
            checksum_crc64nvme: $input.checksum_crc64nvme,
            checksum_sha1: $input.checksum_sha1,
            checksum_sha256: $input.checksum_sha256,
            ..Default::default()
        }
    };
}

mod backend;
mod files;
mod gate;
#[cfg(test)]
mod gate_tests;
mod incoming;
mod list;
mod multipart;
mod objects;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::backend::Backend;
use self::files::Folders;
use self::gate::Gate;
use super::{Claim, claim, line};
use crate::kernel::Result;

/// As S3's own limit for one PUT.
const OBJECT_SIZE_MAX: u64 = 5 * 1024 * 1024 * 1024;
const CONNECTIONS_MAX: usize = 256;
const HEADER_READ_MAX: Duration = Duration::from_secs(10);
/// Requests under way at `stop` get this long.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// A running endpoint. Dropped, it stops without waiting for requests under way.
#[derive(Debug)]
pub struct ObjectStore {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<()>>,
}

impl ObjectStore {
    /// Serves `dir` on a loopback address; port 0 takes a free one.
    pub async fn start(dir: &Path, addr: SocketAddr, access_key: &str, secret_key: &SecretString) -> Result<Self> {
        Self::start_limited(dir, addr, access_key, secret_key, OBJECT_SIZE_MAX).await
    }

    async fn start_limited(dir: &Path, addr: SocketAddr, access_key: &str, secret_key: &SecretString, size_max: u64) -> Result<Self> {
        if !addr.ip().is_loopback() {
            return Err(line("The embedded object store listens on loopback addresses only."));
        }
        let (folders, claim) = open(dir).await?;
        let listener = TcpListener::bind(addr).await.map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::AddrInUse => "it is taken by another program".to_owned(),
                _ => error.to_string(),
            };
            line(format!("The object store cannot listen on {addr}: {why}."))
        })?;
        let address = listener.local_addr().map_err(|error| line(format!("The object store has no address: {error}.")))?;
        let mut builder = S3ServiceBuilder::new(Backend::new(folders, size_max));
        builder.set_auth(SimpleAuth::from_single(access_key, secret_key.expose_secret()));
        builder.set_access(Gate);
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(limits()))));
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, builder.build(), stopped, claim));
        Ok(Self { address, stop, serving: Some(serving) })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections, lets requests under way finish (bounded), and gives the folder free.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(serving) = self.serving.take() {
            // Fails only when the task panicked, and then nothing serves any more either.
            let _ = serving.await;
        }
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn open(dir: &Path) -> Result<(Folders, Claim)> {
    let root = dir.to_owned();
    let opened = blocking(move || {
        std::fs::create_dir_all(&root)?;
        let Some(claim) = claim(&root)? else { return Ok(None) };
        Ok(Some((Folders::open(&root)?, claim)))
    });
    match opened.await {
        Ok(Some(opened)) => Ok(opened),
        Ok(None) => Err(line(format!("{} is in use by another running Enamel.", dir.display()))),
        Err(error) => Err(line(format!("The object store cannot use {}: {error}.", dir.display()))),
    }
}

fn limits() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = 2 * 1024 * 1024;
    // Form uploads are not served, and s3s reads them into memory before it asks the gate.
    config.post_object_max_file_size = 0;
    config.form_max_field_size = 1024;
    config.form_max_fields_size = 8 * 1024;
    config.form_max_parts = 8;
    config
}

async fn serve(listener: TcpListener, service: S3Service, mut stopped: watch::Receiver<bool>, claim: Claim) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // A place first: what exceeds the limit waits in the listener's queue.
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = accepted => match (place, accepted) {
                (Ok(place), Ok((stream, _))) => {
                    let (service, stopped) = (service.clone(), stopped.clone());
                    connections.spawn(async move {
                        connection(stream, service, stopped).await;
                        drop(place);
                    });
                }
                // Out of file descriptors, most likely: without a pause this would spin.
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN_MAX, drained).await;
    connections.shutdown().await;
    drop(claim);
}

async fn connection(stream: TcpStream, service: S3Service, mut stopped: watch::Receiver<bool>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(16).max_header_list_size(16 * 1024);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // The client's failures are its own; s3s has logged ours.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// File work off the async threads. It runs to its end even when the caller goes away.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// An I/O failure as S3 speaks it; the cause stays in the log.
fn io_failed(error: io::Error) -> S3Error {
    tracing::error!(error = %error, "The object store's disk failed");
    S3Error::new(S3ErrorCode::InternalError)
}
