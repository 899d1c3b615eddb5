use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;
use crate::kernel::embedded::Scratch;

const THROWAWAY: Options = Options { throwaway: true, connections_max: 20 };

async fn ask(cluster: &Cluster, sql: &str) -> String {
    let (client, connection) = cluster.superuser_config("postgres").connect(NoTls).await.unwrap();
    let driving = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    drop(client);
    let _ = driving.await;
    let row = messages.into_iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.unwrap_or_default()
}

fn sockets(cluster: &Cluster) -> PathBuf {
    cluster.folder.sockets().to_owned()
}

#[tokio::test]
async fn a_cluster_keeps_what_was_committed_and_comes_back_quickly() {
    let dir = Scratch::new();
    let cluster = Cluster::start(dir.path(), Options::default()).await.unwrap();
    assert_eq!(ask(&cluster, "select current_user").await, SUPERUSER);
    ask(&cluster, "create table kept (n int); insert into kept values (36)").await;
    for (setting, value) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("server_encoding", "UTF8"),
    ] {
        assert_eq!(ask(&cluster, &format!("show {setting}")).await, value, "{setting}");
    }
    let wrong = cluster.config(SUPERUSER, "a guess", "postgres").connect(NoTls).await;
    assert!(wrong.is_err_and(|error| error.code() == Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD)));
    let password = cluster.folder.root().join("password");
    assert_eq!(password.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    cluster.stop().await;

    let began = Instant::now();
    let cluster = Cluster::start(dir.path(), Options::default()).await.unwrap();
    let took = began.elapsed();
    assert_eq!(ask(&cluster, "select n from kept").await, "36");
    assert!(took < Duration::from_secs(1), "the second start took {took:?}");
    println!("the second start took {took:?}");
    cluster.stop().await;
    assert!(!dir.path().join("postgres/data/postmaster.pid").exists());
}

#[tokio::test]
async fn one_folder_has_one_server_and_a_dropped_one_is_gone() {
    let dir = Scratch::new();
    let cluster = Cluster::start(dir.path(), THROWAWAY).await.unwrap();
    let second = Cluster::start(dir.path(), THROWAWAY).await.unwrap_err().to_string();
    assert!(second.ends_with("is in use by another running Enamel."), "{second}");
    let socket = sockets(&cluster).join(".s.PGSQL.5432");
    assert!(socket.exists());
    drop(cluster);
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_err());
    let again = Cluster::start(dir.path(), THROWAWAY).await.unwrap();
    assert_eq!(ask(&again, "select 1").await, "1");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_one_elsewhere() {
    let dir = Scratch::new();
    let long = dir.path().join("a".repeat(100));
    let cluster = Cluster::start(&long, THROWAWAY).await.unwrap();
    let sockets = sockets(&cluster);
    assert!(!sockets.starts_with(&long));
    assert_eq!(sockets.metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(ask(&cluster, "select 1").await, "1");
    cluster.stop().await;
    // SIGQUIT leaves the socket file; a fast stop removes it, and then the folder goes too.
    let cluster = Cluster::start(&long, Options::default()).await.unwrap();
    cluster.stop().await;
    assert!(!sockets.exists());
}

#[tokio::test]
async fn a_cluster_of_another_version_is_named() {
    let dir = Scratch::new();
    Cluster::start(dir.path(), THROWAWAY).await.unwrap().stop().await;
    std::fs::write(dir.path().join("postgres/data/PG_VERSION"), "9\n").unwrap();
    let error = Cluster::start(dir.path(), THROWAWAY).await.unwrap_err().to_string();
    assert!(error.contains("was made by PostgreSQL 9, but"), "{error}");
}

#[tokio::test]
async fn what_the_server_refuses_is_one_line() {
    let dir = Scratch::new();
    Cluster::start(dir.path(), THROWAWAY).await.unwrap().stop().await;
    std::fs::remove_dir_all(dir.path().join("postgres/data/global")).unwrap();
    let error = Cluster::start(dir.path(), THROWAWAY).await.unwrap_err().to_string();
    assert!(error.starts_with("unavailable: PostgreSQL did not start: ") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn started_by_root_a_closed_way_is_named() {
    if !nix::unistd::Uid::effective().is_root() {
        return; // Only root steps down.
    }
    let dir = Scratch::new();
    let closed = dir.path().join("closed");
    std::fs::DirBuilder::new().mode(0o700).create(&closed).unwrap();
    let error = Cluster::start(&closed.join("data"), THROWAWAY).await.unwrap_err().to_string();
    assert!(error.contains("closed cannot be entered by the user postgres"), "{error}");
}

/// kill -9 of the process: the server ends by itself, or the next start ends it, and nothing committed is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_takes_its_server_with_it() {
    let dir = Scratch::new();
    Cluster::start(dir.path(), Options::default()).await.unwrap().stop().await;
    for round in 0..3 {
        let mut twin = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kernel::embedded::postgres::tests::the_twin_that_is_killed", "--nocapture"])
            .env("ENAMEL_TEST_TWIN", dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let marker = dir.path().join("committed");
        while !marker.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::fs::remove_file(&marker).unwrap();
        twin.kill().unwrap();
        twin.wait().unwrap();
        // Once without waiting, so that the start meets the dying server; then by itself, told by the kernel.
        let pid_file = dir.path().join("postgres/data/postmaster.pid");
        while round > 0 && pid_file.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let cluster = Cluster::start(dir.path(), Options::default()).await.unwrap();
        assert_eq!(ask(&cluster, "select count(*) from kept").await, (round + 1).to_string());
        cluster.stop().await;
    }
}

#[tokio::test]
async fn the_twin_that_is_killed() {
    let Some(dir) = std::env::var_os("ENAMEL_TEST_TWIN") else { return };
    let cluster = Cluster::start(Path::new(&dir), Options::default()).await.unwrap();
    ask(&cluster, "create table if not exists kept (n int); insert into kept values (1)").await;
    std::fs::write(Path::new(&dir).join("committed"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// The server itself is killed with -9: its backends linger, and the next start waits for them.
#[tokio::test]
async fn a_killed_server_is_noticed_and_recovers() {
    let dir = Scratch::new();
    let cluster = Cluster::start(dir.path(), Options::default()).await.unwrap();
    ask(&cluster, "create table kept (n int); insert into kept values (36)").await;
    let pid_file = std::fs::read_to_string(dir.path().join("postgres/data/postmaster.pid")).unwrap();
    let pid = nix::unistd::Pid::from_raw(pid_file.lines().next().unwrap().parse().unwrap());
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    tokio::time::timeout(Duration::from_secs(5), cluster.ended()).await.unwrap();
    drop(cluster);
    let cluster = Cluster::start(dir.path(), Options::default()).await.unwrap();
    assert_eq!(ask(&cluster, "select n from kept").await, "36");
    cluster.stop().await;
}
