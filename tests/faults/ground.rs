//! Where faults are tried: a PostgreSQL that is not the shared world's, and throw-away databases cloned in it in no time.

use super::people::Staff;
use super::process::{Process, command, free_ports};
use crate::world;
use base64::Engine;
use enamel::kernel::config::{Config, StorageConfig};
use enamel::kernel::db::Connector;
use enamel::kernel::embedded::object_store::ObjectStore;
use enamel::kernel::embedded::postgres::{Cluster, Options};
use enamel::kernel::storage::Store;
use enamel::server::start;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;

const STORE_SECRET: &str = "kept-by-the-ground-0123456789abcdef";
const TEMPLATE: &str = "ground";

/// One PostgreSQL for all throw-away databases, and the keys every one of them is sealed with.
pub struct Ground {
    cluster: Cluster,
    keys: Keys,
}

struct Keys {
    four: [String; 4],
    database: String,
}

/// A database, a configuration for it, and where its servers listen.
pub struct House {
    pub dir: PathBuf,
    pub config: PathBuf,
    pub base_url: String,
    pub admin_url: String,
    pub superuser: tokio_postgres::Config,
    pub store_address: SocketAddr,
}

static GROUND: OnceCell<Ground> = OnceCell::const_new();

fn random_key() -> String {
    base64::prelude::BASE64_STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat())
}

impl Ground {
    pub async fn get() -> &'static Ground {
        GROUND.get_or_init(Ground::make).await
    }
    async fn make() -> Ground {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = world::scratch("ground");
        let cluster = Cluster::start(&dir, Options { throwaway: true, connections_max: 200 }).await.unwrap();
        // Its socket is ours alone. SCRAM costs an unoptimized build most of a start, and a hundred starts are tested.
        std::fs::write(dir.join("postgres/data/pg_hba.conf"), "local all all trust\n").unwrap();
        let ground = Ground { cluster, keys: Keys::new() };
        world::database(&ground.cluster, TEMPLATE).await;
        ground.admin().await.batch_execute("select pg_reload_conf()").await.unwrap();
        ground.keys.migrate(&ground.cluster, TEMPLATE).await;
        ground
    }
    async fn admin(&self) -> tokio_postgres::Client {
        Connector { config: self.cluster.superuser_config("postgres"), tls: None }.connect().await.unwrap()
    }
    /// A house whose database nobody else uses.
    pub async fn house(&self, name: &str) -> House {
        self.admin().await.batch_execute(&format!("create database {name} template {TEMPLATE}")).await.unwrap();
        self.keys.house(&self.cluster, name)
    }
    /// Databases of this cluster, each migrated from nothing while the others are.
    pub async fn migrate_at_once(&self, names: &[&str]) {
        for name in names {
            world::database(&self.cluster, name).await;
        }
        futures_util::future::join_all(names.iter().map(|name| self.keys.migrate(&self.cluster, name))).await;
    }
    /// As [`Self::house`], with nothing in its database yet.
    pub async fn bare_house(&self, name: &str) -> House {
        world::database(&self.cluster, name).await;
        self.keys.house(&self.cluster, name)
    }
}

/// A PostgreSQL of one test alone, to be killed.
pub struct Doomed {
    pub dir: PathBuf,
    pub cluster: Cluster,
    pub house: House,
}

impl Doomed {
    pub async fn new(name: &str) -> Doomed {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = world::scratch(name);
        let (cluster, keys) = (Doomed::start(&dir).await, Keys::new());
        world::database(&cluster, name).await;
        keys.migrate(&cluster, name).await;
        let house = keys.house(&cluster, name);
        Doomed { dir, cluster, house }
    }
    pub async fn start(dir: &Path) -> Cluster {
        Cluster::start(dir, Options { throwaway: false, connections_max: 60 }).await.unwrap()
    }
}

impl Keys {
    fn new() -> Keys {
        Keys { four: [random_key(), random_key(), random_key(), random_key()], database: random_key() }
    }
    async fn migrate(&self, cluster: &Cluster, name: &str) {
        let house = self.house(cluster, name);
        let config = Config::from_parts(&std::fs::read_to_string(&house.config).unwrap(), []).unwrap();
        start::migrate_as(house.superuser, &config).await.unwrap();
    }
    fn house(&self, cluster: &Cluster, name: &str) -> House {
        let dir = world::scratch(name);
        let superuser = cluster.superuser_config(name);
        let first = free_ports(3);
        let store_address = SocketAddr::from(([127, 0, 0, 1], first + 2));
        let config = dir.join("enamel.toml");
        std::fs::write(&config, self.text(&superuser, name, first)).unwrap();
        let (base_url, admin_url) = (format!("http://127.0.0.1:{first}"), format!("http://127.0.0.1:{}", first + 1));
        House { dir, config, base_url, admin_url, superuser, store_address }
    }
    fn text(&self, superuser: &tokio_postgres::Config, name: &str, first: u16) -> String {
        let host = socket(superuser);
        let [seal, envelope, audit, pepper] = &self.four;
        format!(
            r#"
[server]
listen = "127.0.0.1:{first}"
admin_listen = "127.0.0.1:{}"
public_url = "http://127.0.0.1:{first}"
request_deadline_s = 5
[database]
url = "host={host} port=5432 dbname={name}"
secret = "{}"
[database.pools]
staff = 4
group = 1
patient = 1
share = 1
audit = 1
auth = 2
jobs = 1
platform = 1
log = 2
keys = 1
sealer = 1
[secrets]
seal_key = "{seal}"
envelope_key = "{envelope}"
audit_signing_key = "{audit}"
password_pepper = "{pepper}"
[storage]
endpoint = "http://127.0.0.1:{}"
access_key = "enamel"
secret_key = "{STORE_SECRET}"
[telemetry]
log_filter = "warn,s3s=off"
"#,
            first + 1,
            self.database,
            first + 2
        )
    }
}

/// The folder of the cluster's socket.
pub fn socket(superuser: &tokio_postgres::Config) -> String {
    match superuser.get_hosts() {
        [tokio_postgres::config::Host::Unix(path)] => path.display().to_string(),
        hosts => panic!("the cluster listens on {hosts:?}"),
    }
}

/// A superuser on the PostgreSQL of `enamel up`, by the password beside it.
pub async fn superuser(dir: &Path) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    let password = std::fs::read_to_string(dir.join("postgres/password")).unwrap();
    config.host_path(dir.join("postgres/run")).port(5432).user("enamel_super").password(password.trim()).dbname("enamel");
    Connector { config, tls: None }.connect().await.unwrap()
}

impl House {
    /// `enamel serve`, once it answers.
    pub async fn serve(&self) -> Process {
        let mut process = self.launch();
        process.answers(&format!("{}/livez", self.admin_url), Duration::from_secs(20)).await;
        process
    }
    pub fn launch(&self) -> Process {
        Process::start(command(["serve", "--config", self.config.to_str().unwrap()]), &self.dir.join("said"))
    }
    pub async fn store(&self) -> ObjectStore {
        let store = ObjectStore::start(&self.dir.join("objects"), self.store_address, "enamel", &STORE_SECRET.into()).await.unwrap();
        let of = StorageConfig {
            endpoint: store.endpoint(),
            region: "us-east-1".to_owned(),
            bucket: "enamel".to_owned(),
            access_key: "enamel".to_owned(),
            secret_key: STORE_SECRET.into(),
            public_endpoint: None,
        };
        Store::new(&of).ensure_bucket().await.unwrap();
        store
    }
    pub async fn truth(&self) -> tokio_postgres::Client {
        Connector { config: self.superuser.clone(), tls: None }.connect().await.unwrap()
    }
    pub async fn staff(&self) -> Staff {
        Staff::new(&self.truth().await, &self.base_url).await
    }
}
