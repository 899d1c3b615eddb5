//! From a configuration to a running server: pools, checks, kernel, app, listeners.

use super::limits::{self, exchange::Exchange};
use super::worker::Worker;
use super::{Admin, Contract, Origins, bind, bind_admin, guard};
use crate::governance;
use crate::identity::oauth::is_app;
use crate::kernel::Kernel;
use crate::kernel::audit::AuditLog;
use crate::kernel::config::{Config, DatabaseTls};
use crate::kernel::context::{Plane, Sealer};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Connector, Door, Pools, SharedDoor, check, migrate};
use crate::kernel::error::{Error, Result};
use crate::kernel::group::{self, Writer};
use crate::kernel::post::Post;
use crate::kernel::storage::Store;
use crate::kernel::{audit_store, telemetry};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Every role the server signs in as. The word is its pool, the role is `enamel_<word>`.
pub const ROLES: [&str; 10] = ["staff", "group", "patient", "share", "audit", "auth", "jobs", "platform", "log", "sealer"];

/// A kernel and what must be ended with it.
pub struct Prepared {
    pub kernel: Arc<Kernel>,
    audit_writer: Writer,
}

impl Prepared {
    /// Writes the last audit events and closes the pools.
    pub async fn stop(self) {
        self.audit_writer.shutdown().await;
        self.kernel.door.pools.close();
    }
}

/// The passwords the migration gives the roles.
pub fn passwords(config: &Config) -> migrate::Passwords {
    ROLES.iter().map(|role| (*role, config.database.plane_password(&format!("enamel_{role}")).expose_secret().to_owned())).collect()
}

pub fn sealer(config: &Config) -> Result<Sealer> {
    Sealer::new(config.secrets.seal_key.expose())
}

fn tls(config: &Config) -> Result<Option<MakeRustlsConnect>> {
    match config.database.tls {
        DatabaseTls::Disable => Ok(None),
        mode => super::database_tls::connector(mode, config.database.tls_ca.as_deref()).map(Some),
    }
}

/// How one role reaches the configured database.
fn connector(config: &Config, role: &str, tls: Option<&MakeRustlsConnect>) -> Result<Connector> {
    let mut to: tokio_postgres::Config = config.database.url.parse().map_err(|_| Error::internal("database.url cannot be read"))?;
    if to.get_user().is_some() || to.get_password().is_some() {
        return Err(Error::internal("database.url names a user or a password: the server signs in as its own roles only"));
    }
    let user = format!("enamel_{role}");
    to.user(&user)
        .password(config.database.plane_password(&user).expose_secret())
        .application_name(&user)
        .connect_timeout(Duration::from_millis(config.database.acquire_timeout_ms))
        .keepalives_idle(Duration::from_secs(30));
    Ok(Connector { config: to, tls: tls.cloned() })
}

/// Brings the database to this binary's schema as `admin`, who may create roles.
pub async fn migrate_as(admin: tokio_postgres::Config, config: &Config) -> Result<usize> {
    migrate::migrate(&as_admin(admin, config)?, &sealer(config)?, &passwords(config)).await
}

/// The administrator's way in, with the transport the configuration asks for.
pub fn as_admin(admin: tokio_postgres::Config, config: &Config) -> Result<Connector> {
    Ok(Connector { config: admin, tls: tls(config)? })
}

/// Pools, checks and keys. Refuses an unsafe database before anything is served.
pub async fn prepare(config: Config) -> Result<Prepared> {
    let sizes = &config.database.pools;
    let sizes = [
        sizes.staff,
        sizes.group,
        sizes.patient,
        sizes.share,
        sizes.audit,
        sizes.auth,
        sizes.jobs,
        sizes.platform,
        sizes.log,
        sizes.sealer,
    ];
    let tls = tls(&config)?;
    let mut pools = Vec::with_capacity(ROLES.len() + 1);
    for (role, size) in ROLES.into_iter().zip(sizes) {
        pools.push((role, connector(&config, role, tls.as_ref())?, size as usize));
    }
    for (name, size) in [("keys", config.database.pools.keys as usize), ("limits", 1)] {
        pools.push((name, connector(&config, Plane::Jobs.word(), tls.as_ref())?, size));
    }
    check::refuse_unsafe(&pools.iter().map(|(_, connector, _)| connector).collect::<Vec<_>>()).await?;
    let pools = Pools::new(pools, Duration::from_millis(config.database.acquire_timeout_ms), config.limits.tenant_share_percent)?;
    let door: SharedDoor = Arc::new(Door { pools, sealer: sealer(&config)? });
    let keys = Keyring::new(&config.secrets, door.clone())?;
    let sink_door = door.clone();
    let patience = group::Limits::within(Duration::from_millis(config.database.audit_timeout_ms));
    let (audit, audit_writer) = AuditLog::start(patience, move |events| audit_store::append(sink_door.clone(), events));
    let storage = Store::new(&config.storage);
    let mut services = http::Extensions::new();
    crate::identity::scope::ask(super::scopes::kinds);
    services.insert(crate::identity::service::Service::start(&config, &door)?);
    services.insert(limits::Limits::new(&config.limits));
    services.insert(crate::kernel::bell::Bell::default());
    services.insert(crate::messaging::hub::Hub::start());
    if let Some(post) = Post::of(&config.mail)? {
        services.insert(Arc::new(post));
    }
    let kernel = Arc::new(Kernel { door, keys, audit, storage, config, services });
    Ok(Prepared { kernel, audit_writer })
}

/// A server that answers.
pub struct Server {
    pub kernel: Arc<Kernel>,
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    stop: watch::Sender<bool>,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    audit_writer: Writer,
    worker: Worker,
    exchange: Exchange,
    pub sealer: governance::sealer::Sealer,
}

impl Server {
    pub async fn start(config: Config, metrics: PrometheusHandle) -> Result<Server> {
        let Prepared { kernel, audit_writer } = prepare(config).await?;
        let api = bind(&kernel.config.server).await.map_err(Error::unavailable)?;
        let probes = bind_admin(&kernel.config.server).await.map_err(Error::unavailable)?;
        let (address, admin_address) = (api.address(), probes.address());
        let exchange = Exchange::start(kernel.clone()).await?;
        let (stop, mut stopped) = watch::channel(false);
        let guarded = guard(super::app::app(kernel.clone()), contract(&kernel), &kernel.config.server);
        let admin = admin(&kernel, metrics);
        let shutdown = async move {
            // A sender that is gone ends the server too.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let running = tokio::spawn(super::run(api, guarded, probes, admin, shutdown));
        let worker = Worker::start(kernel.clone());
        let sealer = governance::sealer::Sealer::start(kernel.clone())?;
        Ok(Server { kernel, address, admin_address, stop, running, audit_writer, worker, exchange, sealer })
    }

    /// Takes no more requests, lets the running ones end, writes and seals the last audit events, closes the pools.
    pub async fn stop(self) {
        // Streams would outlast any patience of the listener.
        if let Ok(hub) = crate::messaging::hub::Hub::of(&self.kernel) {
            hub.stop();
        }
        self.stop.send_replace(true);
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "A listener ended with an error"),
            Err(error) => tracing::error!(error = %error, "The server's task failed"),
        }
        self.worker.stop().await;
        self.exchange.stop().await;
        self.audit_writer.shutdown().await;
        self.sealer.stop().await;
        self.kernel.door.pools.close();
    }
}

fn contract(kernel: &Arc<Kernel>) -> Contract {
    let asked = kernel.clone();
    let mut contract = super::app::describe(Contract::new(&kernel.config.server));
    contract.origins = Origins::new(super::app::OPEN_TO_APPS, move |origin| is_app(asked.clone(), origin));
    contract
}

fn admin(kernel: &Arc<Kernel>, metrics: PrometheusHandle) -> Admin {
    let (database, store) = (kernel.clone(), kernel.storage.clone());
    Admin::new(metrics)
        .check("database", move || {
            let kernel = database.clone();
            async move {
                let conn = kernel.door.pools.take("staff").await?;
                conn.client.query_typed("select", &[]).await?;
                Ok(())
            }
        })
        .check("object_store", move || {
            let store = store.clone();
            async move { Ok(store.ready().await?) }
        })
}

/// The recorder every metric goes to.
pub fn recorder() -> Result<PrometheusHandle> {
    let recorder = telemetry::recorder().map_err(Error::internal)?;
    Ok(recorder.handle())
}
