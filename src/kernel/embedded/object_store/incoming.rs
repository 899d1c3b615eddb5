//! The way in: bytes are hashed while they are written to a file nobody can name, compared with what was announced,
//! synced, and only then shown.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Result, TrailingHeaders, s3_error};
use uuid::Uuid;

use super::files::{Folders, Head, Labels, Opened, ending, make_fan_out, now_s};
use super::objects::chunk_at;
use super::{blocking, io_failed};
use crate::kernel::embedded::sync_folder;
use crate::kernel::hex::hex;

/// A writer that sends nothing for this long is cut off.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What a request says its body is.
#[derive(Default)]
pub(super) struct Announced {
    pub size: Option<u64>,
    /// Base64, as in `Content-MD5`.
    pub md5: Option<String>,
    pub sums: Checksum,
    /// Checksums that follow the body (`x-amz-trailer`).
    pub trailers: Option<TrailingHeaders>,
}

/// What was received, hashed and compared, and is not yet on its place.
pub(super) struct Received {
    file: File,
    temp: Temp,
    pub size: u64,
    /// Hex.
    pub sha256: String,
    pub md5: [u8; 16],
    pub sums: Checksum,
}

/// A file in `incoming`; its name goes with the value, whether it was shown or not.
struct Temp(PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        // Gone already when it was renamed to its place.
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) struct Incoming {
    file: File,
    temp: Temp,
    size: u64,
    size_max: u64,
    md5: Md5,
    sums: ChecksumHasher,
}

impl Incoming {
    pub async fn create(folders: &Folders, size_max: u64) -> S3Result<Self> {
        let path = folders.incoming().join(Uuid::new_v4().simple().to_string());
        blocking(move || {
            let file = File::create_new(&path)?;
            let sums = ChecksumHasher { sha256: Some(Default::default()), ..Default::default() };
            Ok(Self { file, temp: Temp(path), size: 0, size_max, md5: Md5::new(), sums })
        })
        .await
        .map_err(io_failed)
    }

    pub async fn write(mut self, chunk: Bytes) -> S3Result<Self> {
        self.size += chunk.len() as u64;
        if self.size > self.size_max {
            return Err(s3_error!(EntityTooLarge));
        }
        blocking(move || {
            self.md5.update(&chunk);
            self.sums.update(&chunk);
            self.file.write_all(&chunk).map(|()| self)
        })
        .await
        .map_err(io_failed)
    }

    /// Appends the bytes of a stored object, one chunk in memory at a time.
    pub async fn write_file(mut self, from: Opened) -> S3Result<Self> {
        let (file, mut at) = (Arc::new(from.file), 0);
        while at < from.head.size {
            let chunk = chunk_at(file.clone(), at, from.head.size).await.map_err(io_failed)?;
            at += chunk.len() as u64;
            self = self.write(chunk).await?;
        }
        Ok(self)
    }

    pub fn end(self) -> S3Result<Received> {
        let sums = self.sums.finalize();
        let sha256 = sums.checksum_sha256.as_deref().and_then(|sum| STANDARD.decode(sum).ok());
        let sha256 = sha256.ok_or_else(|| s3_error!(InternalError))?;
        let md5 = self.md5.finalize();
        Ok(Received { file: self.file, temp: self.temp, size: self.size, sha256: hex(&sha256), md5, sums })
    }
}

/// Reads the whole body and refuses it when it is not what was announced. Nothing is visible yet.
pub(super) async fn receive(
    folders: &Folders,
    size_max: u64,
    body: Option<StreamingBlob>,
    announced: Announced,
    headers: &HeaderMap,
) -> S3Result<Received> {
    if announced.size.is_some_and(|size| size > size_max) {
        return Err(s3_error!(EntityTooLarge));
    }
    let mut incoming = Incoming::create(folders, size_max).await?;
    expect_sums(&mut incoming.sums, &announced, headers);
    if let Some(mut body) = body {
        while let Some(chunk) = tokio::time::timeout(IDLE_MAX, body.next()).await.map_err(|_| s3_error!(RequestTimeout))? {
            // The body checks `x-amz-content-sha256` and chunk signatures itself and ends in an error when they differ.
            incoming = incoming.write(chunk.map_err(|_| s3_error!(IncompleteBody))?).await?;
        }
    }
    let received = incoming.end()?;
    if announced.size.is_some_and(|size| size != received.size) {
        return Err(s3_error!(IncompleteBody));
    }
    compare(&received, &announced)?;
    Ok(received)
}

const SUM_HEADERS: [&str; 5] =
    ["x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256"];

fn in_order(sums: &Checksum) -> [Option<&String>; 5] {
    [
        sums.checksum_crc32.as_ref(),
        sums.checksum_crc32c.as_ref(),
        sums.checksum_crc64nvme.as_ref(),
        sums.checksum_sha1.as_ref(),
        sums.checksum_sha256.as_ref(),
    ]
}

/// Switches on the hashes that will be compared, beside SHA-256, which every object has.
fn expect_sums(sums: &mut ChecksumHasher, announced: &Announced, headers: &HeaderMap) {
    let given = in_order(&announced.sums);
    let trailing = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok()).unwrap_or_default();
    let wanted = |at: usize| given[at].is_some() || trailing.split(',').any(|name| name.trim() == SUM_HEADERS[at]);
    sums.crc32 = wanted(0).then(Default::default);
    sums.crc32c = wanted(1).then(Default::default);
    sums.crc64nvme = wanted(2).then(Default::default);
    sums.sha1 = wanted(3).then(Default::default);
}

fn compare(received: &Received, announced: &Announced) -> S3Result<()> {
    let trailers = announced.trailers.as_ref().and_then(TrailingHeaders::take).unwrap_or_default();
    let seen = in_order(&received.sums);
    for (at, said) in in_order(&announced.sums).into_iter().enumerate() {
        let trailing = trailers.get(SUM_HEADERS[at]).map(|sum| sum.as_bytes());
        for said in [said.map(String::as_bytes), trailing].into_iter().flatten() {
            if seen[at].map(String::as_bytes) != Some(said) {
                return Err(s3_error!(BadDigest));
            }
        }
    }
    if announced.md5.as_ref().is_some_and(|md5| *md5 != STANDARD.encode(received.md5)) {
        return Err(s3_error!(BadDigest));
    }
    Ok(())
}

/// How an object comes to its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Placing {
    /// Takes the place of what is there.
    Replace,
    /// `If-None-Match: *`: of any number of writers one wins.
    OnlyIfAbsent,
}

impl Received {
    pub fn etag(&self) -> String {
        hex(&self.md5)
    }

    pub fn head(&self, key: String, etag: String, labels: Labels) -> Head {
        Head { key, size: self.size, sha256: self.sha256.clone(), etag, modified_s: now_s(), labels }
    }

    /// Durable and visible afterwards, with everything in `head`, or not there at all. False: the place was taken.
    pub async fn place(self, at: PathBuf, head: Head, placing: Placing, fan_out: bool) -> io::Result<bool> {
        let ending = ending(&head)?;
        blocking(move || {
            let Self { mut file, temp, .. } = self;
            file.write_all(&ending)?;
            file.sync_all()?;
            if fan_out {
                make_fan_out(&at)?;
            }
            let shown = show(&temp.0, &at, placing)?;
            at.parent().map_or(Ok(()), sync_folder)?;
            Ok(shown)
        })
        .await
    }
}

fn show(temp: &Path, at: &Path, placing: Placing) -> io::Result<bool> {
    match placing {
        Placing::Replace => fs::rename(temp, at).map(|()| true),
        // link(2) never replaces: the file system picks the winner.
        Placing::OnlyIfAbsent => match fs::hard_link(temp, at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    }
}
