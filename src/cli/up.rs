//! `enamel up`: one command, a whole house on loopback.

use super::secrets::{Secrets, write_private};
use super::{Outcome, Up, asked_to_stop, demo, line, world};
use crate::kernel::config::Config;
use crate::kernel::db::Connector;
use crate::kernel::embedded::issuer::{Client, Issuer};
use crate::kernel::embedded::object_store::ObjectStore;
use crate::kernel::embedded::postgres::{Cluster, Options};
use crate::kernel::telemetry;
use crate::server::start::{self, Server};
use nix::unistd::Uid;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

const DATABASE: &str = "enamel";
pub const ISSUER_CLIENT: &str = "enamel";

/// Where each part listens.
#[derive(Clone, Copy)]
pub struct Ports {
    pub api: u16,
    pub probes: u16,
    pub issuer: u16,
    pub store: u16,
}

impl Ports {
    fn from(first: u16) -> Outcome<Ports> {
        let nth = |n: u16| first.checked_add(n).filter(|port| *port > 0).ok_or_else(|| line("--port is out of range"));
        Ok(Ports { api: nth(0)?, probes: nth(1)?, issuer: nth(2)?, store: nth(3)? })
    }
    /// One clear line before anything is started.
    fn refuse_taken(self) -> Outcome {
        for port in [self.api, self.probes, self.issuer, self.store] {
            if let Err(error) = TcpListener::bind(local(port)) {
                return Err(line(format!("port {port} is taken ({}); choose others with --port", error.kind())));
            }
        }
        Ok(())
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

pub async fn up(asked: Up) -> Outcome {
    let started = Instant::now();
    let ports = Ports::from(asked.port)?;
    let dir = data_dir(&asked.data_dir)?;
    ports.refuse_taken()?;
    let secrets = Secrets::of(&dir)?;
    let store = ObjectStore::start(&dir.join("objects"), local(ports.store), "enamel", &secrets.store.clone().into()).await?;
    let cluster = Cluster::start(&cluster_home(&dir)?, Options::default()).await?;
    let outcome = serve(&dir, ports, &secrets, &cluster, (started, asked.plain)).await;
    cluster.stop().await;
    store.stop().await;
    outcome
}

async fn serve(dir: &Path, ports: Ports, secrets: &Secrets, cluster: &Cluster, (started, plain): (Instant, bool)) -> Outcome {
    let mailbox = dir.join("mail");
    let config = configure(cluster, ports, secrets, &mailbox)?;
    let telemetry = telemetry::init(&config.telemetry).map_err(|error| line(error.to_string()))?;
    create_database(cluster).await?;
    start::migrate_as(cluster.superuser_config(DATABASE), &config).await?;
    let issuer = Issuer::start(local(ports.issuer), dir, demo::people(secrets), vec![issuer_client(ports, secrets)]).await?;
    let server = Server::start(config, telemetry.metrics()).await?;
    server.kernel.storage.ensure_bucket().await?;
    let made = demo::load(&server.kernel, plain, secrets, issuer.issuer_url()).await?;
    let described = world::describe(&server, issuer.issuer_url(), secrets).await?;
    write_private(&dir.join("dev.json"), &serde_json::to_vec_pretty(&described)?)?;
    world::greet(&described, made, started.elapsed(), &mailbox);
    let outcome = tokio::select! {
        () = asked_to_stop() => {
            println!("\nStopping …");
            Ok(())
        }
        () = cluster.ended() => Err(line("PostgreSQL ended by itself; its log is in the data directory")),
    };
    server.stop().await;
    issuer.stop().await?;
    telemetry.flush().await;
    outcome
}

/// Made for its owner; as root, an unprivileged PostgreSQL has to pass through it.
fn data_dir(asked: &Path) -> Outcome<PathBuf> {
    if !asked.exists() {
        fs::create_dir_all(asked).map_err(|error| line(format!("{}: {error}", asked.display())))?;
        let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
        fs::set_permissions(asked, fs::Permissions::from_mode(mode))?;
    }
    asked.canonicalize().map_err(|error| line(format!("{}: {error}", asked.display())))
}

/// Started by root, PostgreSQL runs as another user, who cannot enter a folder below root's home. The cluster then
/// lives under /var/lib/enamel, by a name that follows from the data directory, and a link in it leads there.
fn cluster_home(dir: &Path) -> Outcome<PathBuf> {
    if !Uid::effective().is_root() || enterable(dir) {
        return Ok(dir.to_owned());
    }
    use sha2::Digest;
    let name = crate::kernel::hex::hex(&sha2::Sha256::digest(dir.as_os_str().as_encoded_bytes())[..8]);
    let home = Path::new("/var/lib/enamel").join(name);
    fs::create_dir_all(&home)?;
    for folder in [Path::new("/var/lib/enamel"), &home] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
    }
    let link = dir.join("cluster");
    if !link.exists() {
        std::os::unix::fs::symlink(&home, &link)?;
        println!("PostgreSQL keeps its files in {} (its user may not enter {}).", home.display(), dir.display());
    }
    Ok(home)
}

fn enterable(dir: &Path) -> bool {
    dir.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|about| about.permissions().mode() & 0o001 != 0))
}

async fn create_database(cluster: &Cluster) -> Outcome {
    let admin = Connector { config: cluster.superuser_config("postgres"), tls: None }.connect().await?;
    if admin.query_opt("select from pg_database where datname = $1", &[&DATABASE]).await?.is_none() {
        admin.batch_execute("create database enamel").await?;
    }
    Ok(())
}

fn issuer_client(ports: Ports, secrets: &Secrets) -> Client {
    Client {
        client_id: ISSUER_CLIENT.to_owned(),
        client_secret: Some(secrets.issuer_client.clone()),
        redirect_uris: vec![format!("http://127.0.0.1:{}/signin/callback", ports.api)],
    }
}

fn configure(cluster: &Cluster, ports: Ports, secrets: &Secrets, mailbox: &Path) -> Outcome<Config> {
    let host = match cluster.superuser_config(DATABASE).get_hosts() {
        [tokio_postgres::config::Host::Unix(path)] => path.display().to_string(),
        _ => return Err(line("the private PostgreSQL listens nowhere")),
    };
    let text = toml_of(&[
        (
            "server",
            &[
                ("listen", format!("127.0.0.1:{}", ports.api)),
                ("admin_listen", format!("127.0.0.1:{}", ports.probes)),
                ("public_url", format!("http://127.0.0.1:{}", ports.api)),
            ],
        ),
        ("database", &[("url", format!("host='{host}' port=5432 dbname={DATABASE}")), ("secret", secrets.database.clone())]),
        (
            "secrets",
            &[
                ("seal_key", secrets.seal_key.clone()),
                ("envelope_key", secrets.envelope_key.clone()),
                ("audit_signing_key", secrets.audit_signing_key.clone()),
                ("password_pepper", secrets.password_pepper.clone()),
            ],
        ),
        (
            "storage",
            &[
                ("endpoint", format!("http://127.0.0.1:{}", ports.store)),
                ("access_key", "enamel".to_owned()),
                ("secret_key", secrets.store.clone()),
            ],
        ),
        ("mail", &[("folder", mailbox.display().to_string()), ("from", "Enamel <enamel@localhost>".to_owned())]),
        ("telemetry", &[("log_format", "pretty".to_owned()), ("log_filter", "warn,s3s=off".to_owned())]),
    ]);
    // What `up` decides wins over the environment of the shell it runs in, except for logging.
    let from_shell = std::env::vars().filter(|(name, _)| name.starts_with("ENAMEL_TELEMETRY__"));
    Ok(Config::from_parts(&(text + "[identity]\nallow_http_issuers = true\n[audit]\n"), from_shell)?)
}

fn toml_of(tables: &[(&str, &[(&str, String)])]) -> String {
    let mut text = String::new();
    for (table, keys) in tables {
        text.push_str(&format!("[{table}]\n"));
        for (key, value) in *keys {
            // A JSON string is a TOML basic string for what stands here: paths, URLs, base64.
            text.push_str(&format!("{key} = {}\n", serde_json::Value::String(value.clone())));
        }
    }
    text
}
