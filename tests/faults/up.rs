//! `enamel up`: what stops it is one clear line, and what it started goes when it goes.

use super::ground::superuser;
use super::process::{Ended, Process, command, family, free_ports, postmaster, run};
use crate::world;
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FIRST_START: Duration = Duration::from_secs(120);
const SECOND_START: Duration = Duration::from_secs(20);
const STOPPED: Duration = Duration::from_secs(20);

struct Up {
    dir: PathBuf,
    port: u16,
}

impl Up {
    fn new(name: &str) -> Up {
        Up { dir: world::scratch(name), port: free_ports(4) }
    }
    fn command(&self) -> tokio::process::Command {
        command(["up", "--plain", "--data-dir", self.dir.to_str().unwrap(), "--port", &self.port.to_string()])
    }
    /// Started, and the time until its probe answered.
    async fn start(&self, within: Duration) -> (Process, Duration) {
        let mut process = Process::start(self.command(), &self.dir.join(uuid::Uuid::now_v7().to_string()));
        let took = process.answers(&format!("http://127.0.0.1:{}/livez", self.port + 1), within).await;
        // It answers before its demo world is whole; dev.json and the greeting come last.
        process.says("Ctrl-C stops everything", within).await;
        (process, took)
    }
    async fn refused(&self) -> String {
        refusal(run(self.command(), &self.dir.join("refusal")).await)
    }
    fn described(&self) -> Json {
        serde_json::from_slice(&std::fs::read(self.dir.join("dev.json")).unwrap()).unwrap()
    }
}

/// The one line of a failure.
pub fn refusal(ended: Ended) -> String {
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    let mut lines = ended.said.lines().filter(|line| line.starts_with("enamel: "));
    let (line, more) = (lines.next().unwrap_or_else(|| panic!("no line:\n{}", ended.said)), lines.next());
    assert!(more.is_none() && line.len() < 400, "{}", ended.said);
    line.to_owned()
}

/// How many rows each table has; what signing in leaves aside is not touched here.
async fn census(dir: &Path) -> BTreeMap<String, i64> {
    let truth = superuser(dir).await;
    let mut counts = BTreeMap::new();
    for row in truth.query("select c.relname::text from pg_class c where relnamespace = 'enamel'::regnamespace and relkind in ('r', 'p') and relname not like 'audit%'", &[]).await.unwrap() {
        let table: String = row.get(0);
        let count = truth.query_one(&format!("select count(*) from enamel.{table}"), &[]).await.unwrap().get(0);
        counts.insert(table, count);
    }
    counts
}

#[test]
fn a_second_start_keeps_everything_and_either_signal_stops_all() {
    world::runtime().block_on(async {
        let up = Up::new("again");
        let (house, _) = up.start(FIRST_START).await;
        let (before, described) = (census(&up.dir).await, up.described());
        assert!(before["patients"] > 0);
        let started = family(postmaster(&up.dir).unwrap());
        assert!(started.len() > 3);
        house.signal(Signal::SIGINT);
        stopped(house, &up, &started).await;

        let (house, took) = up.start(FIRST_START).await;
        println!("the second start took {took:?}");
        // A debug build beside other tests; alone it takes about a second.
        assert!(took < SECOND_START, "the second start took {took:?}");
        assert_eq!(census(&up.dir).await, before);
        assert_eq!(up.described(), described);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(up.dir.join("dev.json")).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let started = family(postmaster(&up.dir).unwrap());
        house.signal(Signal::SIGTERM);
        stopped(house, &up, &started).await;
    });
}

/// It ended well, and neither a process nor a port of it is left.
async fn stopped(house: Process, up: &Up, started: &[u32]) {
    let ended = house.ended(STOPPED).await;
    assert!(ended.status.success(), "{}", ended.said);
    let left: Vec<&u32> = started.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
    assert!(left.is_empty(), "{left:?} still run");
    for port in up.port..up.port + 4 {
        std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn a_taken_port_is_one_line_and_starts_nothing() {
    world::runtime().block_on(async {
        for taken in 0..4 {
            let up = Up::new("taken");
            let _listener = std::net::TcpListener::bind(("127.0.0.1", up.port + taken)).unwrap();
            let line = up.refused().await;
            assert!(line.contains(&format!("port {} is taken", up.port + taken)) && line.contains("--port"), "{line}");
            assert!(!up.dir.join("postgres").exists());
        }
    });
}

#[test]
fn a_data_directory_of_another_version_is_one_line() {
    world::runtime().block_on(async {
        let up = Up::new("version");
        let data = up.dir.join("postgres/data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();
        // As `up` makes it: a private folder of the user PostgreSQL runs as.
        let root = up.dir.join("postgres");
        if nix::unistd::Uid::effective().is_root() {
            let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
            std::os::unix::fs::chown(&root, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        std::fs::set_permissions(&root, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let line = up.refused().await;
        assert!(line.contains("was made by PostgreSQL 9, but") && line.contains("install 9 or take another data folder"), "{line}");
    });
}

/// Seen from a mount namespace in which Debian's folder is empty; who may not make one cannot hide it either.
#[test]
fn a_machine_without_postgresql_is_one_line() {
    world::runtime().block_on(async {
        let up = Up::new("without");
        let empty = up.dir.join("empty");
        std::fs::create_dir(&empty).unwrap();
        let hide = format!("mount --bind {} /usr/lib/postgresql", empty.display());
        let hidden = |then: &str| {
            let mut unshare = tokio::process::Command::new("unshare");
            unshare.args(["--mount", "sh", "-c", &format!("{hide} && {then}")]).stdin(std::process::Stdio::null()).kill_on_drop(true);
            unshare
        };
        if !hidden("true").output().await.is_ok_and(|output| output.status.success()) {
            return;
        }
        let run_up = format!("exec {} up --data-dir {} --port {}", env!("CARGO_BIN_EXE_enamel"), up.dir.display(), up.port);
        let line = refusal(run(hidden(&run_up), &up.dir.join("refusal")).await);
        assert!(line.contains("PostgreSQL is not installed: run `apt-get install postgresql`"), "{line}");
    });
}

#[test]
fn one_data_directory_has_one_house() {
    world::runtime().block_on(async {
        let up = Up::new("twice");
        let (house, _) = up.start(FIRST_START).await;
        let second = Up { dir: up.dir.clone(), port: free_ports(4) };
        let line = second.refused().await;
        assert!(line.contains("is in use by another running Enamel"), "{line}");
        // The first is not disturbed.
        let probe = reqwest::get(format!("http://127.0.0.1:{}/readyz", up.port + 1)).await.unwrap();
        assert_eq!(probe.status(), 200, "{}", probe.text().await.unwrap());
        house.signal(Signal::SIGTERM);
        assert!(house.ended(STOPPED).await.status.success());
    });
}

#[test]
fn a_database_that_dies_ends_the_house() {
    world::runtime().block_on(async {
        let up = Up::new("orphaned");
        let (house, _) = up.start(FIRST_START).await;
        super::process::signal_all(&family(postmaster(&up.dir).unwrap()), Signal::SIGKILL);
        let ended = house.ended(STOPPED).await;
        let line = refusal(ended);
        assert!(line.contains("PostgreSQL ended by itself"), "{line}");
    });
}

#[test]
fn where_nothing_can_be_written_is_one_line() {
    world::runtime().block_on(async {
        let up = Up::new("file");
        let file = up.dir.join("file");
        std::fs::write(&file, "no folder").unwrap();
        let up = Up { dir: file, port: up.port };
        let said = world::scratch("file-said").join("said");
        let line = refusal(run(up.command(), &said).await);
        assert!(line.contains("file") && line.contains("irectory"), "{line}");
    });
}
