//! What `enamel up` brings with it: a private PostgreSQL and an S3 endpoint, so that one command is a whole house.
//! Production configures its own and never enters here.

pub mod issuer;
pub mod object_store;
pub mod postgres;
#[cfg(test)]
mod scratch;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

#[cfg(test)]
pub(crate) use self::scratch::Scratch;
use crate::kernel::error::{Error, UNAVAILABLE};

/// A start-up failure as one line for the terminal.
fn line(text: impl Into<String>) -> Error {
    Error::new(&UNAVAILABLE).detail(text)
}

/// Held while a process owns a folder; the kernel lets go of it when the process dies, however it dies.
type Claim = Flock<File>;

/// None: a living process owns the folder.
fn claim(folder: &Path) -> io::Result<Option<Claim>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join("lock"))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Names survive a power cut only once their folder is synced (fsync(2)).
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
