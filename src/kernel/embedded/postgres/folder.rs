//! The cluster's folder: whose it is, how it is made, what a dead process left in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User, syncfs};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::binaries::Binaries;
use super::{PORT, SUPERUSER};
use crate::kernel::embedded::{line, sync_folder};
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;

/// By this setting we know our own servers in the list of processes.
pub(super) const MARK: &str = "cluster_name=enamel";
/// sockaddr_un holds 108 bytes, the last of them NUL (unix(7)).
const SOCKET_PATH_MAX: usize = 107;
/// A larger log starts anew.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// As whom the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    name: String,
    uid: Uid,
    gid: Gid,
}

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    owner: Owner,
    /// We are root and step down for it.
    steps_down: bool,
    sockets: PathBuf,
    sockets_elsewhere: bool,
}

impl Folder {
    pub fn open(dir: &Path) -> Result<Self> {
        let failed = |error: io::Error| line(format!("{} cannot be used: {error}.", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        // Resolved: the server's processes and its pid file speak of the real path.
        let dir = dir.canonicalize().map_err(failed)?;
        let root = dir.join("postgres");
        let owner = owner(&root)?;
        let steps_down = Uid::effective().is_root();
        if steps_down {
            can_enter(&owner, &dir)?;
        }
        let mut folder = Self { sockets: root.join("run"), root, owner, steps_down, sockets_elsewhere: false };
        folder.make(&folder.root).map_err(failed)?;
        if folder.sockets.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() > SOCKET_PATH_MAX {
            let name = hex(&Sha256::digest(folder.root.as_os_str().as_encoded_bytes()));
            folder.sockets = std::env::temp_dir().join(format!("enamel-{}", &name[..16]));
            folder.sockets_elsewhere = true;
        }
        folder.make(&folder.sockets).map_err(failed)?;
        Ok(folder)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }
    pub fn sockets(&self) -> &Path {
        &self.sockets
    }
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }
    fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }
    pub fn log_size(&self) -> u64 {
        self.log().metadata().map_or(0, |metadata| metadata.len())
    }

    pub fn open_log(&self) -> io::Result<File> {
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(self.log())?;
        if log.metadata()?.len() > LOG_BYTES_MAX {
            log.set_len(0)?;
        }
        Ok(log)
    }

    /// The major version that made the cluster; None: there is none yet.
    pub fn version(&self) -> Result<Option<String>> {
        match fs::read_to_string(self.data().join("PG_VERSION")) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(line(format!("{} cannot be read: {error}.", self.data().display()))),
        }
    }

    pub fn password(&self) -> Result<SecretString> {
        let failed = |error: io::Error| line(format!("{} cannot be read: {error}.", self.password_file().display()));
        Ok(fs::read_to_string(self.password_file()).map_err(failed)?.trim().into())
    }

    /// Makes the cluster. It gets its name last, so a half-made one is never taken for a whole one.
    pub fn init(&self, binaries: &Binaries, throwaway: bool) -> Result<SecretString> {
        let failed = |error: io::Error| line(format!("The cluster cannot be made: {error}."));
        let half = self.root.join("data.new");
        if half.try_exists().map_err(failed)? {
            fs::remove_dir_all(&half).map_err(failed)?;
        }
        let password = self.write_password()?;
        let mut initdb = self.command(&binaries.program("initdb"));
        initdb.arg("-D").arg(&half).arg("--pwfile").arg(self.password_file());
        initdb.args(["-U", SUPERUSER, "--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
        // There is nothing to lose before the one sync at the end: 0.7 s instead of 4.
        initdb.args(["--data-checksums", "--no-locale", "-E", "UTF8", "--no-sync", "--no-instructions"]);
        let said = initdb.output().map_err(failed)?;
        if !said.status.success() {
            let words = String::from_utf8_lossy(&said.stderr);
            let why = words.lines().find(|line| line.contains("error:")).or(words.lines().last()).unwrap_or_default();
            return Err(line(format!("The cluster cannot be made: {}.", why.trim())));
        }
        if !throwaway {
            syncfs(File::open(&half).map_err(failed)?).map_err(|errno| failed(errno.into()))?;
        }
        fs::rename(&half, self.data()).and_then(|()| sync_folder(&self.root)).map_err(failed)?;
        Ok(password)
    }

    fn write_password(&self) -> Result<SecretString> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(Error::internal)?;
        let (path, password) = (self.password_file(), hex(&random));
        let write = || {
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            self.give(&path)?;
            file.write_all(password.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| line(format!("{} cannot be written: {error}.", path.display())))?;
        Ok(password.into())
    }

    /// A program of PostgreSQL's, as the owner, with nothing of our environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
        if self.steps_down {
            command.uid(self.owner.uid.as_raw()).gid(self.owner.gid.as_raw());
        }
        command
    }

    /// Ends a server that outlived the process that started it. The caller holds the claim on the folder, so that
    /// process is dead; a server we did not start is left alone.
    pub fn stop_orphan(&self, patience: Duration) -> Result<()> {
        let Some(pid) = self.living_server() else { return Ok(()) };
        let ours = fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|arguments| arguments.split(|byte| *byte == 0).any(|argument| argument == MARK.as_bytes()));
        if !ours {
            return Err(line(format!("A PostgreSQL that Enamel did not start (process {pid}) uses {}.", self.data().display())));
        }
        // Most likely it is stopping already: the kernel told it of our death.
        let _ = kill(pid, Signal::SIGINT);
        let began = Instant::now();
        while self.living_server().is_some() {
            if began.elapsed() > patience {
                return Err(line(format!("The PostgreSQL of an earlier run (process {pid}) does not end; end it first.")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The process named in postmaster.pid, if it runs in this cluster: the number alone could be anybody's by now.
    fn living_server(&self) -> Option<Pid> {
        let pid_file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let pid: i32 = pid_file.lines().next()?.trim().parse().ok()?;
        let at = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        (at == self.data()).then_some(Pid::from_raw(pid))
    }

    /// A folder for the owner alone.
    fn make(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.give(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // In /tmp anybody may have made it, or a link in its place.
                let found = fs::symlink_metadata(path)?;
                if found.is_dir() && found.uid() == self.owner.uid.as_raw() && found.mode() & 0o077 == 0 {
                    return Ok(());
                }
                Err(io::Error::other(format!("{} is not the private folder of {}", path.display(), self.owner.name)))
            }
            Err(error) => Err(error),
        }
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match self.steps_down {
            true => chown(path, Some(self.owner.uid.as_raw()), Some(self.owner.gid.as_raw())),
            false => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.sockets_elsewhere {
            // Stays where a server still has its socket in it.
            let _ = fs::remove_dir(&self.sockets);
        }
    }
}

/// PostgreSQL refuses to run as root: then it is whoever owns the cluster already, else `postgres`, else `nobody`.
fn owner(root: &Path) -> Result<Owner> {
    let us = Uid::effective();
    let before = fs::metadata(root).ok().map(|metadata| Uid::from_raw(metadata.uid())).filter(|uid| !uid.is_root());
    if !us.is_root() && before.is_some_and(|before| before != us) {
        return Err(line(format!("{} belongs to another user: run as that one, or take another data folder.", root.display())));
    }
    let user = |uid| User::from_uid(uid).ok().flatten();
    let found = match (us.is_root(), before) {
        (false, _) => return Ok(user(us).map_or_else(|| nameless(us, Gid::effective()), Owner::from)),
        (true, Some(before)) => user(before),
        (true, None) => ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten()),
    };
    found.map(Owner::from).ok_or_else(|| line("There is no user `postgres` or `nobody` to run PostgreSQL as."))
}

fn nameless(uid: Uid, gid: Gid) -> Owner {
    Owner { name: format!("user {uid}"), uid, gid }
}

impl From<User> for Owner {
    fn from(user: User) -> Self {
        Self { name: user.name, uid: user.uid, gid: user.gid }
    }
}

/// Every folder on the way must let the owner through.
fn can_enter(owner: &Owner, dir: &Path) -> Result<()> {
    for above in dir.ancestors() {
        let metadata = fs::metadata(above).map_err(|error| line(format!("{}: {error}.", above.display())))?;
        let bit = match () {
            () if metadata.uid() == owner.uid.as_raw() => 0o100,
            () if metadata.gid() == owner.gid.as_raw() => 0o010,
            () => 0o001,
        };
        if metadata.mode() & bit == 0 {
            return Err(line(format!(
                "{} cannot be entered by the user {}, as whom PostgreSQL runs under root: take another data folder.",
                above.display(),
                owner.name
            )));
        }
    }
    Ok(())
}
