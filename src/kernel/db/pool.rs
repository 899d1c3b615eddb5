//! One pool per plane, each on its own LOGIN role.
//!
//! Recycling is cheap and sure: a connection returns to its pool only when its transaction was seen to end. Anything
//! else (a dropped future, a cancelled request, a panic, a lost reply) marks it dirty, and a dirty one is closed.
//! Session state never exists: the context is transaction-local.

use super::shapes::{Met, Shapes};
use crate::kernel::error::{Error, Result};
use crate::kernel::fair::{Fair, Place, Size};
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult, Timeouts};
use deadpool_postgres::{ClientWrapper, ManagerConfig, RecyclingMethod};
use std::collections::HashMap;
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, CancelToken, Client, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

/// Payloads that wait for whoever listens; PostgreSQL keeps the rest.
const HEARD_MAX: usize = 1_000;

/// A connection that knows its backend and whether it may be used again.
pub struct Conn {
    pub client: ClientWrapper,
    pub pid: i32,
    shapes: Shapes,
    dirty: AtomicBool,
}

impl Conn {
    /// Prepared once per connection. Only text made of our own constants may come here.
    pub async fn prepared(&self, text: &str, types: &[Type]) -> Result<Statement, tokio_postgres::Error> {
        self.client.prepare_typed_cached(text, types).await
    }
    /// The statement of a shape that this connection meets again; nothing at the first time.
    pub async fn shaped(&self, text: &str, types: &[Type]) -> Result<Option<Statement>, tokio_postgres::Error> {
        match self.shapes.meet(text, types) {
            Met::First => Ok(None),
            Met::Again => self.prepare_shape(text, types).await.map(Some),
            Met::Prepared(statement) => Ok(Some(statement)),
        }
    }
    /// The same for one that is about to be met many times.
    pub async fn shape(&self, text: &str, types: &[Type]) -> Result<Statement, tokio_postgres::Error> {
        match self.shapes.meet(text, types) {
            Met::Prepared(statement) => Ok(statement),
            Met::First | Met::Again => self.prepare_shape(text, types).await,
        }
    }
    async fn prepare_shape(&self, text: &str, types: &[Type]) -> Result<Statement, tokio_postgres::Error> {
        let statement = self.client.prepare_typed(text, types).await?;
        self.shapes.prepared(text, types, &statement);
        Ok(statement)
    }
    pub fn mark_dirty(&self, dirty: bool) {
        self.dirty.store(dirty, Ordering::Release);
    }
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }
}

/// How to reach the database; TLS when a connector is given.
#[derive(Clone)]
pub struct Connector {
    pub config: tokio_postgres::Config,
    pub tls: Option<MakeRustlsConnect>,
}

impl Connector {
    fn manager(&self) -> deadpool_postgres::Manager {
        let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        match &self.tls {
            Some(tls) => deadpool_postgres::Manager::from_config(self.config.clone(), tls.clone(), how),
            None => deadpool_postgres::Manager::from_config(self.config.clone(), NoTls, how),
        }
    }
    /// A connection outside the pools: migrations and start-up checks.
    pub async fn connect(&self) -> Result<Client> {
        async fn drive<C: Future<Output = Result<(), tokio_postgres::Error>>>(connection: C) {
            if let Err(error) = connection.await {
                tracing::warn!(error = %error, "A database connection ended");
            }
        }
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(Error::unavailable)?;
                tokio::spawn(drive(connection));
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(Error::unavailable)?;
                tokio::spawn(drive(connection));
                Ok(client)
            }
        }
    }
    /// A connection of its own that hears one channel; the payloads end when it is lost.
    pub async fn listen(&self, channel: &'static str) -> Result<(Client, mpsc::Receiver<String>)> {
        async fn hear<S, T>(mut connection: tokio_postgres::Connection<S, T>, heard: mpsc::Sender<String>)
        where
            S: AsyncRead + AsyncWrite + Unpin,
            T: AsyncRead + AsyncWrite + Unpin,
        {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(said) = message
                    && heard.send(said.payload().to_owned()).await.is_err()
                {
                    return;
                }
            }
        }
        let (sender, heard) = mpsc::channel(HEARD_MAX);
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(Error::unavailable)?;
                tokio::spawn(hear(connection, sender));
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(Error::unavailable)?;
                tokio::spawn(hear(connection, sender));
                client
            }
        };
        client.batch_execute(&format!("listen {channel}")).await?;
        Ok((client, heard))
    }
    pub async fn cancel(&self, token: CancelToken) {
        let asked = match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        };
        if let Err(error) = asked {
            tracing::debug!(error = %error, "Could not cancel an abandoned statement");
        }
    }
}

pub struct ConnManager(deadpool_postgres::Manager);

impl Manager for ConnManager {
    type Type = Conn;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Conn, Self::Error> {
        let client = self.0.create().await?;
        let pid = client.query_typed("select pg_backend_pid()", &[]).await?;
        let pid = pid.first().map(|row| row.get(0)).unwrap_or_default();
        Ok(Conn { client, pid, shapes: Shapes::default(), dirty: AtomicBool::new(false) })
    }

    async fn recycle(&self, conn: &mut Conn, metrics: &Metrics) -> RecycleResult<Self::Error> {
        if conn.is_dirty() {
            return Err(RecycleError::message("its last transaction was not seen to end"));
        }
        self.0.recycle(&mut conn.client, metrics).await
    }
}

/// A connection that is held, and the place of its tenant in the pool, which comes free after it.
pub struct Connection {
    object: Object<ConnManager>,
    _place: Place<Uuid>,
}

impl Connection {
    /// Never goes back to its pool.
    pub fn close(self) {
        drop(Object::take(self.object));
    }
}

impl Deref for Connection {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.object
    }
}

struct Shared {
    pool: Pool<ConnManager>,
    places: Fair<Uuid>,
}

/// The pools of a running server.
pub struct Pools {
    by_name: HashMap<&'static str, Shared>,
    connectors: HashMap<&'static str, Connector>,
    acquire: Duration,
}

impl Pools {
    /// `pools`: name (`staff`, `log`, …), how to connect, and how many connections it may hold. `tenant_percent`: the part of
    /// them that one tenant may hold at once.
    pub fn new(pools: Vec<(&'static str, Connector, usize)>, acquire: Duration, tenant_percent: u32) -> Result<Pools> {
        let mut by_name = HashMap::new();
        let mut connectors = HashMap::new();
        for (name, connector, size) in pools {
            let timeouts = Timeouts { wait: Some(acquire), create: Some(acquire), recycle: Some(acquire) };
            let pool = Pool::builder(ConnManager(connector.manager()))
                .max_size(size)
                .timeouts(timeouts)
                .runtime(deadpool::Runtime::Tokio1)
                .build()
                .map_err(Error::internal)?;
            by_name.insert(name, Shared { pool, places: Fair::new(Size::shared(size, tenant_percent)) });
            connectors.insert(name, connector);
        }
        Ok(Pools { by_name, connectors, acquire })
    }

    /// A connection of that pool; 503 when none is free in time or PostgreSQL is away. Who holds one already may wait
    /// for one of `keys` or `log` only, whose holders wait for nobody: anything else could end in a ring.
    pub async fn take(&self, name: &'static str) -> Result<Connection> {
        self.take_for(name, None).await
    }
    /// The same for a tenant, which takes turns with the others and has its share.
    pub async fn take_for(&self, name: &'static str, tenant: Option<Uuid>) -> Result<Connection> {
        let shared = self.by_name.get(name).ok_or_else(|| Error::internal(format!("no pool {name}")))?;
        let place = tokio::time::timeout(self.acquire, shared.places.place(tenant)).await;
        let _place = place.ok().and_then(Result::ok).ok_or_else(|| Error::unavailable(format!("pool {name}: no place came free")))?;
        let object = shared.pool.get().await.map_err(|failure| Error::unavailable(format!("pool {name}: {failure}")))?;
        Ok(Connection { object, _place })
    }
    pub fn connector(&self, name: &'static str) -> Result<&Connector> {
        self.connectors.get(name).ok_or_else(|| Error::internal(format!("no connector for {name}")))
    }
    /// `(pool, in use, size)` for the metrics.
    pub fn stand(&self) -> Vec<(&'static str, usize, usize)> {
        self.by_name
            .iter()
            .map(|(name, shared)| (*name, shared.pool.status()))
            .map(|(name, status)| (name, status.size.saturating_sub(status.available), status.max_size))
            .collect()
    }
    pub fn close(&self) {
        self.by_name.values().for_each(|shared| shared.pool.close());
    }
}
