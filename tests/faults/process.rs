//! A process of the real binary, which ends with its test whatever happens.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

pub struct Process {
    child: Child,
    said: PathBuf,
}

/// How one run ended, and all it said.
pub struct Ended {
    pub status: ExitStatus,
    pub said: String,
}

pub fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enamel"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("ENAMEL_"))) {
        command.env_remove(name);
    }
    command
}

impl Process {
    /// `said` gets everything the process writes.
    pub fn start(mut command: Command, said: &Path) -> Process {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(said).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Process { child, said: said.to_owned() }
    }
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }
    /// Whether this text stands in what it may write to of its memory.
    pub fn remembers(&self, text: &str) -> bool {
        let of = std::path::PathBuf::from(format!("/proc/{}", self.child.id().expect("it runs")));
        let memory = std::fs::File::open(of.join("mem")).unwrap();
        let maps = std::fs::read_to_string(of.join("maps")).unwrap();
        let written = maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|may| may.starts_with("rw")));
        written.filter_map(|line| line.split_whitespace().next()?.split_once('-')).any(|(from, to)| {
            let [from, to] = [from, to].map(|place| u64::from_str_radix(place, 16).unwrap());
            let mut part = vec![0; (to - from) as usize];
            // A part that has gone meanwhile holds nothing.
            let read = std::os::unix::fs::FileExt::read_at(&memory, &mut part, from).unwrap_or(0);
            String::from_utf8_lossy(&part[..read]).contains(text)
        })
    }
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
        }
    }
    pub async fn kill_9(&mut self) {
        self.child.kill().await.unwrap();
    }
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
    /// Waits until it has said something.
    pub async fn says(&mut self, words: &str, within: Duration) {
        let began = Instant::now();
        while !self.said().contains(words) {
            assert!(self.is_running() && began.elapsed() < within, "it never said {words:?}:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    /// Waits for its end; one that does not come is a failure.
    pub async fn ended(mut self, within: Duration) -> Ended {
        let waited = tokio::time::timeout(within, self.child.wait()).await;
        let said = self.said();
        let status = waited.unwrap_or_else(|_| panic!("it still runs after {within:?}:\n{said}")).unwrap();
        Ended { status, said }
    }
    /// Waits until `url` answers 200.
    pub async fn answers(&mut self, url: &str, within: Duration) -> Duration {
        let began = Instant::now();
        let http = reqwest::Client::new();
        loop {
            let answer = http.get(url).timeout(Duration::from_secs(3)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return began.elapsed();
            }
            assert!(self.is_running(), "it ended:\n{}", self.said());
            assert!(began.elapsed() < within, "no 200 from {url} within {within:?}:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

/// Runs one command to its end.
pub async fn run(command: Command, said: &Path) -> Ended {
    Process::start(command, said).ended(Duration::from_secs(60)).await
}

/// `count` ports in a row that nobody listens on, below those the system gives to clients.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let from = 20_000 + u16::try_from(std::process::id() % 500).unwrap() * 20;
    loop {
        let first = from + NEXT.fetch_add(count, Ordering::Relaxed) % 2_000;
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
}

/// The processes a process started, and theirs.
pub fn family(pid: u32) -> Vec<u32> {
    let parent_of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let all: Vec<u32> =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(all.iter().copied().filter(|child| parent_of(*child) == Some(parent)));
        at += 1;
    }
    found
}

/// Sends to each; one that is gone already is fine.
pub fn signal_all(pids: &[u32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
    }
}

/// The first process of a cluster in `dir`, when there is one.
pub fn postmaster(dir: &Path) -> Option<u32> {
    let pid: u32 = std::fs::read_to_string(dir.join("postgres/data/postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()?;
    Path::new(&format!("/proc/{pid}")).exists().then_some(pid)
}
