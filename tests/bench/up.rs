//! `enamel up` on a data directory that has its world already.

use crate::house::House;
use nix::sys::signal::{Signal, kill};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// From the command to its greeting, the first start and the second.
pub async fn starts(house: &House) -> (Duration, Duration) {
    let dir = house.dir.join("up");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711)).unwrap();
    (start(&dir).await, start(&dir).await)
}

async fn start(dir: &Path) -> Duration {
    let began = Instant::now();
    let mut process = Command::new(env!("CARGO_BIN_EXE_enamel"))
        .args(["up", "--port", &free_ports().to_string(), "--data-dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    while !said.next_line().await.unwrap().expect("enamel up goes on").contains("Ctrl-C stops everything") {}
    let took = began.elapsed();
    kill(nix::unistd::Pid::from_raw(process.id().unwrap() as i32), Signal::SIGINT).unwrap();
    while said.next_line().await.unwrap().is_some() {}
    process.wait().await.unwrap();
    took
}

/// The first of four that follow each other.
fn free_ports() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (21_000..32_000).step_by(4).find(|first| (*first..first + 4).all(free)).unwrap()
}
