//! A PostgreSQL with the durable settings of `enamel up`, an object store, and the real server as a process of its own,
//! so that its memory is its own and the load generator's is not in it.

use enamel::kernel::config::Config;
use enamel::kernel::db::Connector;
use enamel::kernel::embedded::object_store::ObjectStore;
use enamel::kernel::embedded::postgres::{Cluster, Options};
use enamel::server::start;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio_postgres::config::Host;
use uuid::Uuid;

pub struct House {
    pub cluster: Cluster,
    store: ObjectStore,
    pub dir: PathBuf,
    secrets: [String; 6],
}

impl House {
    pub async fn start() -> House {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = std::env::temp_dir().join(format!("enamel-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let secrets = std::array::from_fn(|_| {
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat())
        });
        let cluster = Cluster::start(&dir, Options::default()).await.unwrap();
        let store =
            ObjectStore::start(&dir.join("objects"), "127.0.0.1:0".parse().unwrap(), "enamel", &secrets[5].clone().into()).await.unwrap();
        House { cluster, store, dir, secrets }
    }

    /// The folder of PostgreSQL's socket.
    pub fn sockets(&self) -> PathBuf {
        match self.cluster.superuser_config("postgres").get_hosts() {
            [Host::Unix(path)] => path.clone(),
            hosts => panic!("the cluster listens on {hosts:?}"),
        }
    }

    /// Everything not named here stands at its default, the pools and the log included. What one caller may spend is counted,
    /// and never refused: one of them asks for more here than a thousand would.
    fn toml(&self, database: &str, sockets: &Path, api: u16, probes: u16) -> String {
        let [database_secret, seal, envelope, audit, pepper, store] = &self.secrets;
        format!(
            "[server]\nlisten = \"127.0.0.1:{api}\"\nadmin_listen = \"127.0.0.1:{probes}\"\n\
             [database]\nurl = \"host='{}' port=5432 dbname={database}\"\nsecret = \"{database_secret}\"\n\
             [secrets]\nseal_key = \"{seal}\"\nenvelope_key = \"{envelope}\"\naudit_signing_key = \"{audit}\"\npassword_pepper = \"{pepper}\"\n\
             [storage]\nendpoint = \"{}\"\naccess_key = \"enamel\"\nsecret_key = \"{store}\"\n\
             [limits]\nuser_per_minute = 4000000000\naddress_per_minute = 4000000000\n[identity]\n[telemetry]\n[audit]\n",
            sockets.display(),
            self.store.endpoint()
        )
    }

    pub fn config(&self, database: &str) -> Config {
        Config::from_parts(&self.toml(database, &self.sockets(), 0, 0), []).unwrap()
    }

    /// A superuser on one of the databases.
    pub async fn truth(&self, database: &str) -> tokio_postgres::Client {
        Connector { config: self.cluster.superuser_config(database), tls: None }.connect().await.unwrap()
    }

    /// A new database at this binary's schema.
    pub async fn database(&self, name: &str) -> tokio_postgres::Client {
        self.truth("postgres").await.batch_execute(&format!("create database {name}")).await.unwrap();
        start::migrate_as(self.cluster.superuser_config(name), &self.config(name)).await.unwrap();
        self.truth(name).await
    }

    pub async fn stop(self) {
        self.cluster.stop().await;
        self.store.stop().await;
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// `enamel serve`, from a configuration file.
pub struct Serving {
    pub address: SocketAddr,
    /// From the command to the first connection.
    pub started: Duration,
    process: Child,
}

impl Serving {
    pub async fn start(house: &House, database: &str) -> Serving {
        Serving::through(house, database, &house.sockets()).await
    }

    /// With PostgreSQL reached through another folder's socket.
    pub async fn through(house: &House, database: &str, sockets: &Path) -> Serving {
        let (api, probes) = (free_port(), free_port());
        let file = house.dir.join(format!("{database}-{}.toml", api.port()));
        std::fs::write(&file, house.toml(database, sockets, api.port(), probes.port())).unwrap();
        let log = std::fs::File::create(house.dir.join(format!("{database}-{}.log", api.port()))).unwrap();
        let began = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_enamel"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut serving = Serving { address: api, started: Duration::ZERO, process };
        for _ in 0..1000 {
            if tokio::net::TcpStream::connect(api).await.is_ok() {
                serving.started = began.elapsed();
                return serving;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server did not start; its log is in {}", house.dir.display());
    }

    fn memory_mib(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let kib = status.lines().find_map(|text| text.strip_prefix(line)).and_then(|rest| rest.split_whitespace().next()).unwrap();
        kib.parse::<f64>().unwrap() / 1024.0
    }
    pub fn rss_mib(&self) -> f64 {
        self.memory_mib("VmRSS:")
    }
    /// The most it ever had.
    pub fn peak_rss_mib(&self) -> f64 {
        self.memory_mib("VmHWM:")
    }

    pub async fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().unwrap() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.process.wait().await.unwrap();
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
