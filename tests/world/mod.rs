//! The world the tests share: one throw-away PostgreSQL, one object store, one server, started on first use. Each test
//! makes its own DSO in it, so the whole run is itself an isolation test. Everything runs on the world's own runtime.

use enamel::kernel::config::Config;
use enamel::kernel::context::{Caps, Context, Permission, Plane};
use enamel::kernel::db::Connector;
use enamel::kernel::embedded::object_store::ObjectStore;
use enamel::kernel::embedded::postgres::{Cluster, Options};
use enamel::kernel::{Caller, Kernel};
use enamel::server::start::{self, Server};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

pub mod dice;
pub mod files;
pub mod logins;
pub mod operations;
pub mod packages;
pub mod people;
pub mod tenants;

pub struct World {
    pub kernel: Arc<Kernel>,
    pub base_url: String,
    pub config: Config,
    /// A superuser on the world's database: the attacker's opposite, who sees what is really there.
    pub superuser: tokio_postgres::Config,
    pub http: reqwest::Client,
    cluster: Cluster,
}

static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
static WORLD: tokio::sync::OnceCell<World> = tokio::sync::OnceCell::const_new();

pub fn runtime() -> &'static tokio::runtime::Runtime {
    RUNTIME.get_or_init(|| {
        // What a thread of the runtime prints is taken for the output of the test that was first, and shown only if that one fails.
        std::panic::set_hook(Box::new(|panic| {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{panic}\n").as_bytes());
        }));
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

/// Runs one test against the world.
pub fn with<T, F>(test: impl FnOnce(&'static World) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let runtime = runtime();
    let world = runtime.block_on(WORLD.get_or_init(World::start));
    runtime.block_on(runtime.spawn(test(world))).unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

/// A committed file says what is; `ENAMEL_GOLDEN=write` writes it anew, and its diff is the change.
pub fn golden(path: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("ENAMEL_GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(&file, text).unwrap();
    }
    let held = std::fs::read_to_string(&file).unwrap_or_default();
    let differ = |one: &str, other: &str, sign: char| {
        let others: HashSet<&str> = other.lines().collect();
        one.lines().filter(|line| !others.contains(line)).map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    assert!(
        held == text,
        "{path} changed (`make openapi` or ENAMEL_GOLDEN=write):\n{}{}",
        differ(&held, text, '-'),
        differ(text, &held, '+')
    );
}

/// A folder that PostgreSQL may enter as another user, below the one folder of this run.
pub fn scratch(name: &str) -> PathBuf {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let run = RUN.get_or_init(|| {
        let own = std::env::temp_dir().join(format!("{RUNS}{}", std::process::id()));
        // Of an earlier process with our id.
        let _ = std::fs::remove_dir_all(&own);
        remove_runs_of_the_dead();
        enterable(own)
    });
    enterable(run.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))))
}

const RUNS: &str = "enamel-tests-";

fn enterable(dir: PathBuf) -> PathBuf {
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    dir
}

/// A run cannot remove its own folder: it ends by `exit`, or by a kill that some of its tests are about, and its servers end
/// after it. So the next run removes those of processes that are no more.
fn remove_runs_of_the_dead() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let Some(of) = name.to_str().and_then(|name| name.strip_prefix(RUNS)).and_then(|id| id.parse::<u32>().ok()) else { continue };
        if !std::path::Path::new(&format!("/proc/{of}")).exists() {
            // Another run may be removing it too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[test]
fn folders_of_dead_runs_go_and_those_of_living_ones_stay() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = enterable(std::env::temp_dir().join(format!("{RUNS}{}", child.id())));
    child.wait().unwrap();
    let living = enterable(std::env::temp_dir().join(format!("{RUNS}{}", std::os::unix::process::parent_id())));
    let own = scratch("own");
    std::fs::write(dead.join("left"), "x").unwrap();
    remove_runs_of_the_dead();
    assert_eq!((dead.exists(), living.exists(), own.exists()), (false, true, true));
    std::fs::remove_dir_all(living).unwrap();
}

/// A configuration for a test server, on free ports. Every pool has one connection: a request that holds one and waits
/// for another of its pool fails here each time, not once a year under load.
pub fn config(database: &Cluster, name: &str, store: &ObjectStore) -> Config {
    let host = match database.superuser_config(name).get_hosts() {
        [tokio_postgres::config::Host::Unix(path)] => path.display().to_string(),
        hosts => panic!("the cluster listens on {hosts:?}"),
    };
    let keys: Vec<String> =
        (1..=4u8).map(|byte| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [byte.wrapping_mul(37); 32])).collect();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let records = scratch("records").join("txt");
    std::fs::write(&records, "").unwrap();
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:{port}"
request_deadline_s = 120
[database]
url = "host={host} port=5432 dbname={name}"
acquire_timeout_ms = 15000
audit_timeout_ms = 15000
secret = "the test world's secret, longer than 32 characters"
[database.pools]
staff = 1
group = 1
patient = 1
share = 1
audit = 1
auth = 1
jobs = 1
platform = 1
log = 1
keys = 1
[secrets]
seal_key = "{}"
envelope_key = "{}"
audit_signing_key = "{}"
password_pepper = "{}"
[storage]
endpoint = "{}"
bucket = "enamel"
access_key = "enamel"
secret_key = "{STORE_SECRET}"
[identity]
allow_http_issuers = true
txt_records_file = "{}"
[telemetry]
[audit]
"#,
        keys[0],
        keys[1],
        keys[2],
        keys[3],
        store.endpoint(),
        records.display(),
    );
    Config::from_parts(&text, []).unwrap()
}

const STORE_SECRET: &str = "enamel-test-secret-0123456789abcdef";

impl World {
    async fn start() -> World {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = scratch("world");
        let cluster = Cluster::start(&dir, Options { throwaway: true, connections_max: 200 }).await.unwrap();
        let store = ObjectStore::start(&dir.join("objects"), "127.0.0.1:0".parse().unwrap(), "enamel", &STORE_SECRET.into()).await.unwrap();
        database(&cluster, "world").await;
        let config = config(&cluster, "world", &store);
        let superuser = cluster.superuser_config("world");
        start::migrate_as(superuser.clone(), &config).await.unwrap();
        let server = Server::start(config.clone(), start::recorder().unwrap()).await.unwrap();
        server.kernel.storage.ensure_bucket().await.unwrap();
        let world = World {
            kernel: server.kernel.clone(),
            base_url: format!("http://{}", server.address),
            config,
            superuser,
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            cluster,
        };
        // They live as long as the process.
        std::mem::forget(store);
        std::mem::forget(server);
        world
    }

    /// A name server says so from now on.
    pub fn publish(&self, name: &str, text: &str) {
        let path = self.config.identity.txt_records_file.as_ref().unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("{name} {text}\n").as_bytes()).unwrap();
    }
    /// It says so no more. Others add lines meanwhile, so the line stays, under a name that nobody asks for.
    pub fn withdraw(&self, name: &str) {
        let path = self.config.identity.txt_records_file.as_ref().unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        for (at, _) in std::fs::read_to_string(path).unwrap().match_indices(&format!("{name} ")) {
            std::os::unix::fs::FileExt::write_all_at(&file, b"-", at as u64).unwrap();
        }
    }
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
    /// Connected as superuser: forced row-level security does not bind it.
    pub async fn truth(&self) -> tokio_postgres::Client {
        Connector { config: self.superuser.clone(), tls: None }.connect().await.unwrap()
    }
    /// Superuser of a new, empty database.
    pub async fn empty_database(&self, name: &str) -> tokio_postgres::Client {
        database(&self.cluster, name).await;
        Connector { config: self.cluster.superuser_config(name), tls: None }.connect().await.unwrap()
    }
    /// A caller made by hand, for tests below HTTP.
    pub fn caller(&self, plane: Plane, tenant: Uuid, actor: Option<Uuid>, permissions: &[Permission]) -> Caller {
        let mut context = Context::system(plane, Some(tenant));
        context.actor = actor;
        context.caps = Caps::of(permissions);
        Caller { kernel: self.kernel.clone(), context, reads_subtree: false, scopes: Arc::from([]) }
    }
}

/// An empty database beside the world's.
pub async fn database(cluster: &Cluster, name: &str) {
    let admin = Connector { config: cluster.superuser_config("postgres"), tls: None }.connect().await.unwrap();
    admin.batch_execute(&format!("create database {name}")).await.unwrap();
}
