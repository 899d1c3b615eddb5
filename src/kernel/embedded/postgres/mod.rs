//! A private PostgreSQL: its own cluster in a folder, its own sockets, nobody else's server.
//!
//! ```text
//! DIR/postgres/data       the cluster (PGDATA)
//! DIR/postgres/run        its socket; below /tmp when the path would be too long for one
//! DIR/postgres/password   of the superuser, mode 0600
//! DIR/postgres/log        what the server says: no statements, no parameters
//! ```
//! The system's binaries run as a direct child of ours, never through pg_ctl, which would let them outlive us.

mod binaries;
mod folder;
mod keeper;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Config, NoTls};

use self::binaries::Binaries;
use self::folder::Folder;
use self::keeper::Keeper;
use super::{Claim, claim, line};
use crate::kernel::error::{Error, Result};

/// Owns every database of the cluster. Nothing that serves requests connects as it.
pub const SUPERUSER: &str = "enamel_super";
/// Only part of the socket's name: the server listens on no network address.
const PORT: u16 = 5432;
/// Recovery after a crash may take this long before the server answers.
const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// Backends of a killed server need a moment to notice, and init one to reap it; until then its shared memory or its
/// process counts as in use.
const STARTS_MAX: u32 = 10;
const LINGERS: [&str; 2] = ["shared memory block", "\"postmaster.pid\" already exists"];
const LOG_LINE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Clone)]
pub struct Options {
    /// For tests: as fast as can be, and worthless after a crash of the machine.
    pub throwaway: bool,
    pub connections_max: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { throwaway: false, connections_max: 60 }
    }
}

/// A running server. Dropped without [`Cluster::stop`], it is stopped there and then.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the server, its socket's folder, the claim on both.
    keeper: Keeper,
    folder: Folder,
    password: SecretString,
    _claim: Claim,
}

impl Cluster {
    /// Starts the cluster in `DIR/postgres`, which is made where it is missing. Every failure is one line.
    pub async fn start(dir: &Path, options: Options) -> Result<Self> {
        let (dir, throwaway) = (dir.to_owned(), options.throwaway);
        let prepared = tokio::task::spawn_blocking(move || prepare(&dir, throwaway)).await.map_err(Error::internal)?;
        let (binaries, folder, password, claim) = prepared?;
        let superuser = config(&folder, SUPERUSER, password.expose_secret(), "postgres");
        let mut starts = 0;
        let keeper = loop {
            let log_from = folder.log_size();
            let keeper = launch(&binaries, &folder, &options)?;
            let Err(why) = answers(&keeper, &superuser).await else { break keeper };
            keeper.end(STOP_MAX).await;
            let why = why.unwrap_or_else(|| last_words(&folder.log(), log_from));
            starts += 1;
            let lingers = LINGERS.iter().any(|words| why.contains(words));
            if starts == STARTS_MAX || !lingers {
                return Err(line(format!("PostgreSQL did not start: {why} (its log is {}).", folder.log().display())));
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        Ok(Self { keeper, folder, password, _claim: claim })
    }

    /// How a role reaches a database of this cluster.
    pub fn config(&self, user: &str, password: &str, dbname: &str) -> Config {
        config(&self.folder, user, password, dbname)
    }

    pub fn superuser_config(&self, dbname: &str) -> Config {
        self.config(SUPERUSER, self.password.expose_secret(), dbname)
    }

    /// Comes back when the server has ended, whoever ended it.
    pub async fn ended(&self) {
        self.keeper.ended().await;
    }

    /// Open transactions are rolled back, everything committed is on the disk, and the folder is free for the next.
    pub async fn stop(self) {
        self.keeper.end(STOP_MAX).await;
    }
}

/// All that happens before the server runs.
fn prepare(dir: &Path, throwaway: bool) -> Result<(Binaries, Folder, SecretString, Claim)> {
    let folder = Folder::open(dir)?;
    let claim = claim(folder.root()).map_err(|error| line(format!("{}: {error}.", folder.root().display())))?;
    let claim = claim.ok_or_else(|| line(format!("{} is in use by another running Enamel.", folder.root().display())))?;
    let binaries = binaries::find(folder.version()?.as_deref(), &folder.data())?;
    let password = if folder.version()?.is_some() {
        folder.stop_orphan(STOP_MAX)?;
        folder.password()?
    } else {
        folder.init(&binaries, throwaway)?
    };
    Ok((binaries, folder, password, claim))
}

fn launch(binaries: &Binaries, folder: &Folder, options: &Options) -> Result<Keeper> {
    let failed = |error: io::Error| line(format!("PostgreSQL cannot be run: {error}."));
    let log = folder.open_log().map_err(failed)?;
    let mut command = folder.command(&binaries.program("postgres"));
    command.arg("-D").arg(folder.data()).args(settings(folder, options));
    command.stdout(log.try_clone().map_err(failed)?).stderr(log);
    // Immediate where nothing is worth a checkpoint, else fast.
    let stop = if options.throwaway { Signal::SIGQUIT } else { Signal::SIGINT };
    Keeper::spawn(command, stop).map_err(failed)
}

/// On the command line, not in postgresql.conf: an older cluster gets today's settings too.
fn settings(folder: &Folder, options: &Options) -> Vec<String> {
    let sockets = format!("unix_socket_directories={}", folder.sockets().display());
    let (port, connections) = (format!("port={PORT}"), format!("max_connections={}", options.connections_max));
    let mut settings = vec![folder::MARK, "listen_addresses=", "unix_socket_permissions=0700", &sockets, &port];
    settings.extend([&connections, "password_encryption=scram-sha-256", "wal_level=replica", "max_wal_size=2GB"]);
    // After a checkpoint each leaf of each tenant's indexes goes to the log whole.
    settings.push("wal_compression=lz4");
    settings.extend(["checkpoint_timeout=15min", "shared_buffers=256MB", "jit=off", "timezone=UTC", "log_timezone=UTC"]);
    // Nothing a patient's data could be in: no statement, no parameter, no "Key (…)=(…)" detail, no error text of a
    // request (they sort below LOG and quote what they were given).
    settings.extend(["logging_collector=off", "log_destination=stderr", "log_statement=none"]);
    settings.extend(["log_parameter_max_length=0", "log_parameter_max_length_on_error=0"]);
    settings.extend(["log_min_error_statement=panic", "log_min_messages=log", "log_error_verbosity=terse"]);
    settings.extend(match options.throwaway {
        true => ["fsync=off", "full_page_writes=off", "synchronous_commit=off"],
        false => ["fsync=on", "full_page_writes=on", "synchronous_commit=on"],
    });
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting.to_owned()]).collect()
}

fn config(folder: &Folder, user: &str, password: &str, dbname: &str) -> Config {
    let mut config = Config::new();
    config.host_path(folder.sockets()).port(PORT).user(user).password(password).dbname(dbname);
    config.connect_timeout(Duration::from_secs(5));
    config
}

/// Err: it will not answer, with the reason unless its log has it.
async fn answers(keeper: &Keeper, superuser: &Config) -> Result<(), Option<String>> {
    let began = Instant::now();
    loop {
        let error = match superuser.connect(NoTls).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if keeper.has_ended() {
            return Err(None);
        }
        // Wrong password and the like: it answers, and always will answer so. 57P03 means "starting up".
        if error.code().is_some_and(|code| *code != tokio_postgres::error::SqlState::CANNOT_CONNECT_NOW) {
            return Err(Some(error.to_string()));
        }
        if began.elapsed() > START_MAX {
            return Err(Some(format!("no answer within {} s", START_MAX.as_secs())));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The last FATAL line of the log after `from`, else its last line.
fn last_words(log: &Path, from: u64) -> String {
    let mut said = String::new();
    let read = std::fs::File::open(log).and_then(|mut log| {
        log.seek(SeekFrom::Start(from))?;
        log.take(LOG_LINE_BYTES_MAX).read_to_string(&mut said)
    });
    let fatal = said.lines().rev().find_map(|line| line.split_once("FATAL:"));
    match (read, fatal, said.lines().last()) {
        (Err(error), _, _) => format!("its log cannot be read: {error}"),
        (_, Some((_, why)), _) => why.trim().to_owned(),
        (_, None, Some(last)) => last.trim().to_owned(),
        _ => "it ended without a word".to_owned(),
    }
}
