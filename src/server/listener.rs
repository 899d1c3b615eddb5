//! Sockets: TCP and TLS, how many connections and how patient with each, and how the last ones end.

mod connection;
mod secure;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{
    IntoEndpoint,
    http::uri::Scheme,
    listener::{Acceptor, AcceptorExt, BoxAcceptor},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::kernel::config::ServerConfig;
use connection::Connection;
use secure::{Secure, Shown, Told};
use tls::TlsFiles;

/// Requests one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 100;
/// How long running requests may take after shutdown was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// Pause after accept(2) failed, when the process has no file descriptor left, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Patience with a connection. hyper under poem has none of its own.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections_max: usize,
    /// From the connection to the end of the first request's head, TLS handshake included.
    pub head_max: Duration,
    /// Bytes a first head may have before the connection is cut without an answer.
    pub head_bytes_max: usize,
    /// Without a byte of ours being sent. Longer than any request runs, so it only ends connections that are idle or
    /// drip a later head.
    pub silence_max: Duration,
    /// A client that does not take what we send.
    pub stall_max: Duration,
    pub header_list_bytes: u32,
    /// How often the certificate's files are looked at.
    pub certificate_check: Duration,
}

impl Limits {
    pub fn new(config: &ServerConfig) -> Self {
        Self {
            connections_max: config.connections_max as usize,
            head_max: Duration::from_secs(10),
            // Heads a little too large shall get their 431.
            head_bytes_max: (config.header_limit_bytes as usize).saturating_mul(4).max(64 << 10),
            silence_max: Duration::from_secs(u64::from(config.request_deadline_s) + 75),
            stall_max: Duration::from_secs(30),
            header_list_bytes: config.header_limit_bytes,
            certificate_check: Duration::from_secs(5),
        }
    }
}

/// A bound socket that nobody serves yet.
pub struct Bound {
    address: SocketAddr,
    acceptor: BoxAcceptor,
    limits: Limits,
    shown: Shown,
}

/// Binds the API's address, with TLS when the configuration names a certificate. Errors are one line.
pub async fn bind(config: &ServerConfig) -> io::Result<Bound> {
    bind_with(config, Limits::new(config)).await
}

/// As [`bind`], with other patience.
pub async fn bind_with(config: &ServerConfig, limits: Limits) -> io::Result<Bound> {
    let tcp = listen(config.listen).await?;
    let (address, shown) = (tcp.local_addr()?, Shown::default());
    let acceptor = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => {
            let files = TlsFiles::new(cert.clone(), key.clone(), config.client_certificates);
            let changes = files.changes(limits.certificate_check).await?;
            Guarded::new(Secure::new(Tcp(tcp), changes, shown.clone()).await?, &limits).boxed()
        }
        _ => Guarded::new(Tcp(tcp), &limits).boxed(),
    };
    Ok(Bound { address, acceptor, limits, shown })
}

/// Binds a plain socket for the probes.
pub async fn bind_admin(config: &ServerConfig) -> io::Result<Bound> {
    let limits = Limits { connections_max: 64, ..Limits::new(config) };
    let tcp = listen(config.admin_listen).await?;
    Ok(Bound { address: tcp.local_addr()?, acceptor: Guarded::new(Tcp(tcp), &limits).boxed(), limits, shown: Shown::default() })
}

async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {}", error.kind()));
    TcpListener::bind(address).await.map_err(failed)
}

impl Bound {
    /// The address with the port the kernel chose when it was asked for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` resolves; then takes no more connections and gives running requests 30 s.
    pub async fn serve<E>(self, app: E, shutdown: impl Future<Output = ()>) -> io::Result<()>
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        poem::Server::new_with_acceptor(self.acceptor)
            .http2_max_concurrent_streams(STREAMS_MAX)
            .http2_max_header_list_size(self.limits.header_list_bytes)
            .run_with_graceful_shutdown(Told { app: app.into_endpoint(), shown: self.shown }, shutdown, Some(DRAIN_MAX))
            .await
    }
}

struct Tcp(TcpListener);

impl Acceptor for Tcp {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr().map(|address| LocalAddr(address.into())).into_iter().collect()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let (stream, peer) = self.0.accept().await?;
        // Answers are written whole; waiting for more to send only delays them.
        stream.set_nodelay(true)?;
        let local = LocalAddr(stream.local_addr()?.into());
        Ok((stream, local, RemoteAddr(peer.into()), Scheme::HTTP))
    }
}

/// Bounds the number of connections and puts each under its [`Limits`].
struct Guarded<A> {
    inner: A,
    places: Arc<Semaphore>,
    limits: Limits,
}

impl<A> Guarded<A> {
    fn new(inner: A, limits: &Limits) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(limits.connections_max)), limits: limits.clone() }
    }
}

impl<A: Acceptor> Acceptor for Guarded<A> {
    type Io = Connection<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let place = self.places.clone().acquire_owned().await.map_err(io::Error::other)?;
        loop {
            match self.inner.accept().await {
                Ok((io, local, remote, scheme)) => {
                    return Ok((Connection::new(io, &self.limits, place), local, remote, scheme));
                }
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "Could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
