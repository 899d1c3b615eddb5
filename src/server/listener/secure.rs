//! TLS of a connection, and the certificate its client has shown. poem's own acceptor keeps that to itself, so this one
//! remembers it for as long as the connection lasts, by the two addresses that no other connection has meanwhile.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use futures_util::{StreamExt, stream::BoxStream};
use poem::{
    Endpoint, Request,
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

use super::Tcp;
use crate::kernel::certificate::Certificate;

type Addresses = (SocketAddr, SocketAddr);

/// What the clients of open connections have shown.
#[derive(Clone, Default)]
pub(super) struct Shown(Arc<Mutex<HashMap<Addresses, Arc<Certificate>>>>);

impl Shown {
    fn held(&self) -> MutexGuard<'_, HashMap<Addresses, Arc<Certificate>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn of(&self, request: &Request) -> Option<Arc<Certificate>> {
        self.held().get(&addresses(request.local_addr(), request.remote_addr())?).cloned()
    }
}

/// As the listener has told them of the connection: a client that is gone already has none to ask for.
fn addresses(local: &LocalAddr, remote: &RemoteAddr) -> Option<Addresses> {
    Some((*local.as_socket_addr()?, *remote.as_socket_addr()?))
}

/// Takes connections with the newest certificate of ours.
pub(super) struct Secure {
    tcp: Tcp,
    changes: BoxStream<'static, Arc<ServerConfig>>,
    acceptor: TlsAcceptor,
    shown: Shown,
}

impl Secure {
    pub(super) async fn new(tcp: Tcp, mut changes: BoxStream<'static, Arc<ServerConfig>>, shown: Shown) -> io::Result<Secure> {
        let first = changes.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Secure { tcp, changes, acceptor: first.into(), shown })
    }
}

impl Acceptor for Secure {
    type Io = Secured;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.tcp.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        loop {
            tokio::select! {
                Some(config) = self.changes.next() => self.acceptor = config.into(),
                accepted = self.tcp.accept() => {
                    let (stream, local, remote, _) = accepted?;
                    let addresses = addresses(&local, &remote).ok_or(io::ErrorKind::Unsupported)?;
                    let state = State::Greeting(Box::new(self.acceptor.accept(stream)));
                    return Ok((Secured { state, addresses, shown: self.shown.clone(), own: None }, local, remote, Scheme::HTTPS));
                }
            }
        }
    }
}

enum State {
    Greeting(Box<Accept<TcpStream>>),
    Open(Box<TlsStream<TcpStream>>),
    Failed,
}

/// A connection under TLS; its handshake happens with the first bytes that somebody wants.
pub(super) struct Secured {
    state: State,
    addresses: Addresses,
    shown: Shown,
    own: Option<Arc<Certificate>>,
}

impl Secured {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let State::Greeting(accept) = &mut self.state {
            match ready!(Pin::new(accept.as_mut()).poll(cx)) {
                Ok(stream) => self.open(stream),
                Err(error) => {
                    self.state = State::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Open(stream) => Ok(Pin::new(stream.as_mut())),
            _ => Err(io::ErrorKind::InvalidData.into()),
        })
    }

    /// What another connection of these addresses has left behind is not this client's.
    fn open(&mut self, stream: TlsStream<TcpStream>) {
        let chain = stream.get_ref().1.peer_certificates().map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect());
        self.own = chain.and_then(Certificate::new);
        let mut shown = self.shown.held();
        match &self.own {
            Some(own) => shown.insert(self.addresses, own.clone()),
            None => shown.remove(&self.addresses),
        };
        drop(shown);
        self.state = State::Open(Box::new(stream));
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let Some(own) = &self.own else { return };
        let mut shown = self.shown.held();
        if shown.get(&self.addresses).is_some_and(|held| Arc::ptr_eq(held, own)) {
            shown.remove(&self.addresses);
        }
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, bytes)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        matches!(&self.state, State::Open(stream) if stream.is_write_vectored())
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// The app, told of each request what certificate its client has shown.
pub(super) struct Told<E> {
    pub(super) app: E,
    pub(super) shown: Shown,
}

impl<E: Endpoint> Endpoint for Told<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> poem::Result<E::Output> {
        if let Some(certificate) = self.shown.of(&request) {
            request.extensions_mut().insert(certificate);
        }
        self.app.call(request).await
    }
}
