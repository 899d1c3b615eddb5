//! Where objects lie on the disk.
//!
//! ```text
//! DIR/buckets/<sha256 of the bucket>/<ab>/<cd>/<sha256 of the key>   an object: its bytes, its head as JSON, a tail
//! DIR/uploads/<upload id>/head, 00001, 00002 …                       an unfinished multipart upload and its parts
//! DIR/incoming/<uuid>                                                being written; swept at start
//! ```
//! Bytes and head share one file, so that the single rename or link that shows an object shows both or neither.
//! No part of a path comes from a caller: a key like `../../etc/passwd` is hashed like any other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::kernel::embedded::sync_folder;
use crate::kernel::hex::hex;

/// Ends every file: the length of the head (u32, little endian), then this mark.
const MARK: &[u8; 8] = b"EnamelO1";
const TAIL_BYTES: usize = 4 + MARK.len();
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// An upload nobody finished within this time is swept at the next start.
const UPLOAD_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the writer said about the object; given back as headers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Labels {
    pub content_type: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    /// `x-amz-meta-*`.
    pub user: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    pub key: String,
    pub size: u64,
    /// Hex.
    pub sha256: String,
    pub etag: String,
    /// Seconds since 1970; HTTP dates know no fraction.
    pub modified_s: u64,
    pub labels: Labels,
}

/// An opened object. It stays whole for its reader when it is replaced or deleted meanwhile.
pub(super) struct Opened {
    pub head: Head,
    pub file: File,
}

/// The folders of one store.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
}

impl Folders {
    /// Makes what is missing and sweeps what a killed process left.
    pub fn open(root: &Path) -> io::Result<Self> {
        let folders = Self { root: root.to_owned() };
        fs::create_dir_all(folders.buckets())?;
        fs::create_dir_all(folders.uploads())?;
        fs::create_dir_all(folders.incoming())?;
        for entry in fs::read_dir(folders.incoming())? {
            fs::remove_file(entry?.path())?;
        }
        for entry in fs::read_dir(folders.uploads())? {
            let entry = entry?;
            if entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > UPLOAD_KEPT) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        sync_folder(root)?;
        Ok(folders)
    }
    fn buckets(&self) -> PathBuf {
        self.root.join("buckets")
    }
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }
    pub fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }
    pub fn upload(&self, id: Uuid) -> PathBuf {
        self.uploads().join(id.simple().to_string())
    }
    pub fn bucket(&self, bucket: &str) -> PathBuf {
        self.buckets().join(hex(&Sha256::digest(bucket)))
    }
    pub fn object(&self, bucket: &str, key: &str) -> PathBuf {
        let name = hex(&Sha256::digest(key));
        self.bucket(bucket).join(&name[..2]).join(&name[2..4]).join(name)
    }

    /// False: it was there before.
    pub fn create_bucket(&self, bucket: &str) -> io::Result<bool> {
        let path = self.bucket(bucket);
        match fs::create_dir(&path) {
            Ok(()) => sync_folder(&self.buckets()).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// False: objects are in it. Only empty folders go, so an object put meanwhile is never lost.
    pub fn delete_bucket(&self, bucket: &str) -> io::Result<bool> {
        let path = self.bucket(bucket);
        for first in fs::read_dir(&path)? {
            let first = first?.path();
            for second in fs::read_dir(&first)? {
                remove_if_empty(&second?.path())?;
            }
            remove_if_empty(&first)?;
        }
        let gone = remove_if_empty(&path)?;
        sync_folder(&self.buckets())?;
        Ok(gone)
    }

    pub fn open_object(&self, bucket: &str, key: &str) -> io::Result<Opened> {
        open(&self.object(bucket, key))
    }

    /// Gone afterwards, whether it was there or not.
    pub fn delete_object(&self, bucket: &str, key: &str) -> io::Result<()> {
        let path = self.object(bucket, key);
        match fs::remove_file(&path) {
            Ok(()) => path.parent().map_or(Ok(()), sync_folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Calls `each` with the head of every object of the bucket, in no order.
    pub fn walk(&self, bucket: &str, mut each: impl FnMut(Head)) -> io::Result<()> {
        for first in fs::read_dir(self.bucket(bucket))? {
            for second in fs::read_dir(first?.path())? {
                for object in fs::read_dir(second?.path())? {
                    match open(&object?.path()) {
                        Ok(opened) => each(opened.head),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {} // deleted while we walked
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }
}

fn remove_if_empty(folder: &Path) -> io::Result<bool> {
    match fs::remove_dir(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the two folders above an object that may be missing; the bucket itself must be there.
pub(super) fn make_fan_out(object: &Path) -> io::Result<()> {
    let second = object.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let first = second.parent().ok_or(io::ErrorKind::InvalidInput)?;
    for folder in [first, second] {
        match fs::create_dir(folder) {
            Ok(()) => folder.parent().map_or(Ok(()), sync_folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "an object file has a damaged tail");
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut tail = [0; TAIL_BYTES];
    let tail_at = len.checked_sub(TAIL_BYTES as u64).ok_or_else(damaged)?;
    file.read_exact_at(&mut tail, tail_at)?;
    let (head_len, mark) = tail.split_first_chunk::<4>().ok_or_else(damaged)?;
    let head_len = u32::from_le_bytes(*head_len);
    if mark != MARK || head_len > HEAD_BYTES_MAX {
        return Err(damaged());
    }
    let mut json = vec![0; head_len as usize];
    let head_at = tail_at.checked_sub(u64::from(head_len)).ok_or_else(damaged)?;
    file.read_exact_at(&mut json, head_at)?;
    let head: Head = serde_json::from_slice(&json).map_err(|_| damaged())?;
    if head.size != head_at {
        return Err(damaged());
    }
    Ok(Opened { head, file })
}

/// What follows the bytes of an object in its file.
pub(super) fn ending(head: &Head) -> io::Result<Vec<u8>> {
    let mut ending = serde_json::to_vec(head)?;
    let head_len = u32::try_from(ending.len()).ok().filter(|len| *len <= HEAD_BYTES_MAX);
    let head_len = head_len.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the head is too large"))?;
    ending.extend_from_slice(&head_len.to_le_bytes());
    ending.extend_from_slice(MARK);
    Ok(ending)
}

pub(super) fn now_s() -> u64 {
    // A clock before 1970 is not worth an error path.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
