//! An object on its way into the store: sent in parts as it comes, so memory stays flat however long it gets. Nobody sees it
//! before its end.

use super::{Store, unavailable};
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::BytesMut;
use sha2::{Digest, Sha256};

/// More than the five megabytes every store wants of all parts but the last.
const PART_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug)]
pub struct Writing {
    store: Store,
    key: String,
    media_type: &'static str,
    /// The name the store gave it; none while everything fits into one part.
    upload: Option<String>,
    sent: Vec<CompletedPart>,
    part: BytesMut,
    hash: Sha256,
    size: u64,
}

/// What an object was when it was whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub size: u64,
    pub sha256_hex: String,
}

impl Store {
    /// For what the server itself makes and cannot hold at once. Takes the place of what is there, at its end.
    pub fn write(&self, key: &str, media_type: &'static str) -> Writing {
        let (store, key) = (self.clone(), key.to_owned());
        Writing { store, key, media_type, upload: None, sent: Vec::new(), part: BytesMut::new(), hash: Sha256::new(), size: 0 }
    }
}

impl Writing {
    pub fn size(&self) -> u64 {
        self.size
    }

    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        while self.part.len() + bytes.len() > PART_BYTES {
            let (now, later) = bytes.split_at(PART_BYTES - self.part.len());
            self.part.extend_from_slice(now);
            bytes = later;
            self.send().await?;
        }
        self.part.extend_from_slice(bytes);
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        let (client, bucket) = (&self.store.client, &self.store.bucket);
        if self.upload.is_none() {
            let begun = client.create_multipart_upload().bucket(bucket).key(&self.key).content_type(self.media_type);
            self.upload = begun.send().await.map_err(unavailable)?.upload_id;
        }
        let upload = self.upload.as_ref().ok_or_else(|| Error::unavailable("the store began no upload"))?;
        let number = i32::try_from(self.sent.len() + 1).map_err(Error::internal)?;
        let part = client.upload_part().bucket(bucket).key(&self.key).upload_id(upload).part_number(number);
        let sent = part.body(ByteStream::from(self.part.split().freeze())).send().await.map_err(unavailable)?;
        self.sent.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
        Ok(())
    }

    pub async fn end(mut self) -> Result<Sum> {
        if self.upload.is_none() {
            self.store.put(&self.key, self.media_type, self.part.split().freeze()).await?;
        } else {
            if !self.part.is_empty() {
                self.send().await?;
            }
            let whole = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.sent))).build();
            let (client, bucket) = (&self.store.client, &self.store.bucket);
            let ended = client.complete_multipart_upload().bucket(bucket).key(&self.key).set_upload_id(self.upload.take());
            ended.multipart_upload(whole).send().await.map_err(unavailable)?;
        }
        Ok(Sum { size: self.size, sha256_hex: hex(&self.hash.finalize()) })
    }

    /// The store forgets what it was sent.
    pub async fn abandon(self) -> Result<()> {
        let Some(upload) = self.upload else { return Ok(()) };
        let (client, bucket) = (&self.store.client, &self.store.bucket);
        client.abort_multipart_upload().bucket(bucket).key(&self.key).upload_id(upload).send().await.map_err(unavailable)?;
        Ok(())
    }
}
