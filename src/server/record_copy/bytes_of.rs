//! What files hold, in a copy that is ordered: behind their rows, in pieces a line each, then a line with the size and hash of
//! what was read. Memory is bounded by a piece.

use super::{Copying, line};
use crate::imaging::access;
use crate::imaging::download::{RECORD_COPY, RESEARCH};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::table::Record;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::BytesMut;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes of a line, before they are written as base64.
const PIECE: usize = 768 * 1024;

/// What was copied of files, for the last line.
#[derive(Debug, Default)]
pub struct Files {
    count: u64,
    bytes: u64,
    /// Whose bytes are not in the store, and whose bytes are not those of their row.
    missing: Vec<Uuid>,
    damaged: Vec<Uuid>,
}

impl Files {
    pub fn told(&self) -> Json {
        let left_out = json!({"copies of records": "they would hold each other", "research data": "every use of it is logged by itself"});
        json!({"count": self.count, "bytes": self.bytes, "missing": self.missing, "damaged": self.damaged, "left_out": left_out})
    }
}

/// A file with bytes to copy.
pub struct Held {
    id: Uuid,
    tenant: Uuid,
    sha256: Option<String>,
}

pub fn held(file: &Record) -> Option<Held> {
    let is_ours = file.text("status") == Some("READY") && ![Some(RECORD_COPY), Some(RESEARCH)].contains(&file.text("source"));
    is_ours.then(|| Held { id: file.id, tenant: file.tenant, sha256: file.text("sha256").map(str::to_owned) })
}

impl Copying {
    pub(super) async fn bytes_of(&mut self, file: Held) -> Result<()> {
        let key = access::object_key(&self.caller, file.tenant, file.id).await?;
        let mut reading = match self.caller.kernel.storage.read(&key).await {
            Err(failure) if failure.code == &error::UPLOAD_MISSING => {
                self.files.missing.push(file.id);
                return Ok(());
            }
            reading => reading?,
        };
        let (mut hash, mut size, mut piece) = (Sha256::new(), 0, BytesMut::new());
        while let Some(chunk) = reading.next().await {
            let chunk = chunk?;
            hash.update(&chunk);
            piece.extend_from_slice(&chunk);
            while piece.len() >= PIECE {
                let full = piece.split_to(PIECE);
                self.piece(file.id, &mut size, &full).await?;
            }
        }
        self.piece(file.id, &mut size, &piece).await?;
        let sha256 = hex(&hash.finalize());
        if file.sha256.is_some_and(|told| told != sha256) {
            self.files.damaged.push(file.id);
        }
        (self.files.count, self.files.bytes) = (self.files.count + 1, self.files.bytes + size);
        self.lines([line("FileBytesEnd", json!({"file_id": file.id, "size": size, "sha256": sha256}), None)?]).await
    }

    async fn piece(&mut self, file: Uuid, offset: &mut u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let piece = json!({"file_id": file, "offset": *offset, "base64": BASE64_STANDARD.encode(bytes)});
        *offset += u64::try_from(bytes.len()).map_err(Error::internal)?;
        self.lines([line("FileBytes", piece, None)?]).await
    }
}
