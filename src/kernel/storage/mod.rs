//! The object store: where the bytes of files lie. PostgreSQL knows who may see them; the store only believes the
//! signed URLs made here, so a URL is minted after authorization and audit, never before.
//!
//! Keys are opaque and lead with the tenant. The store's own checks are never the last word: [`Store::verify`] reads
//! an upload back and hashes it before a file is called ready.

mod presign;
#[cfg(test)]
mod tests;
mod writing;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::presign::{GET_VALID_S_MAX, PUT_VALID_S_MAX, Presigned};
pub use self::writing::{Sum, Writing};
use crate::kernel::config::StorageConfig;
use crate::kernel::error::{Error, Result, UPLOAD_MISSING};
use crate::kernel::hex::hex;

/// Enough for every magic number we look at; DICOM's stands at byte 128.
const MAGIC_BYTES: usize = 512;
/// Amazon's first, which is not to be named when a bucket is made there.
const FIRST_REGION: &str = "us-east-1";
const READY_MAX: Duration = Duration::from_secs(2);

/// What the store says of an object without giving its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub media_type: Option<String>,
    pub etag: Option<String>,
}

/// What an object really is, from its own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub size: u64,
    pub sha256_hex: String,
    /// At most 512.
    pub first_bytes: Bytes,
}

/// An object being read, chunk by chunk.
#[derive(Debug)]
pub struct Reading {
    pub size: u64,
    stream: ByteStream,
}

impl Reading {
    /// None at the end. An object cut short by the network ends in an error, never as if it were whole.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        self.stream.next().await.map(|chunk| chunk.map_err(Error::unavailable))
    }
}

/// A cheap handle on one bucket.
#[derive(Debug, Clone)]
pub struct Store {
    bucket: String,
    region: String,
    custom_endpoint: bool,
    client: Client,
    /// Signs for the public endpoint; sends nothing.
    signer: Client,
}

impl Store {
    pub fn new(config: &StorageConfig) -> Self {
        // None: Amazon's own for the region. With one, buckets are addressed by path.
        let endpoint = Some(&config.endpoint).filter(|endpoint| !endpoint.is_empty());
        Self {
            bucket: config.bucket.clone(),
            region: config.region.clone(),
            custom_endpoint: endpoint.is_some(),
            client: client(config, endpoint),
            signer: client(config, config.public_endpoint.as_ref().or(endpoint)),
        }
    }

    /// `UPLOAD_MISSING` when there is no such object, as for every function that takes a key.
    pub async fn head(&self, key: &str) -> Result<Head> {
        let head = self.client.head_object().bucket(&self.bucket).key(key).send().await.map_err(of_object)?;
        let size = size(head.content_length)?;
        Ok(Head { size, media_type: head.content_type, etag: head.e_tag })
    }

    /// Reads the whole object back, in flat memory.
    pub async fn verify(&self, key: &str) -> Result<Verified> {
        let mut reading = self.read(key).await?;
        let (mut hash, mut size, mut first_bytes) = (Sha256::new(), 0, BytesMut::new());
        while let Some(chunk) = reading.next().await {
            let chunk = chunk?;
            hash.update(&chunk);
            size += chunk.len() as u64;
            let missing = MAGIC_BYTES - first_bytes.len();
            first_bytes.extend_from_slice(&chunk[..chunk.len().min(missing)]);
        }
        Ok(Verified { size, sha256_hex: hex(&hash.finalize()), first_bytes: first_bytes.freeze() })
    }

    pub async fn read(&self, key: &str) -> Result<Reading> {
        let object = self.client.get_object().bucket(&self.bucket).key(key).send().await.map_err(of_object)?;
        Ok(Reading { size: size(object.content_length)?, stream: object.body })
    }

    /// The first `n` bytes, fewer where the object is shorter.
    pub async fn read_prefix(&self, key: &str, n: u64) -> Result<Bytes> {
        if n == 0 {
            return Ok(Bytes::new());
        }
        let range = format!("bytes=0-{}", n - 1);
        let object = self.client.get_object().bucket(&self.bucket).key(key).range(range).send().await;
        let object = match object {
            Ok(object) => object,
            // RFC 9110 §14.1.2: no range of an empty object can be satisfied.
            Err(error) if status(&error) == Some(416) => return Ok(Bytes::new()),
            Err(error) => return Err(of_object(error)),
        };
        // A store that ignores Range sends everything; take no more than was asked for.
        let mut reading = Reading { size: size(object.content_length)?, stream: object.body };
        let (mut prefix, n) = (BytesMut::new(), usize::try_from(n).unwrap_or(usize::MAX));
        while prefix.len() < n
            && let Some(chunk) = reading.next().await
        {
            let chunk = chunk?;
            prefix.extend_from_slice(&chunk[..chunk.len().min(n - prefix.len())]);
        }
        Ok(prefix.freeze())
    }

    /// For what the server itself makes (renderings, exports). Takes the place of what is there.
    pub async fn put(&self, key: &str, media_type: &str, bytes: Bytes) -> Result<()> {
        let sum = STANDARD.encode(Sha256::digest(&bytes));
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(media_type);
        put.checksum_sha256(sum).body(ByteStream::from(bytes)).send().await.map_err(unavailable)?;
        Ok(())
    }

    /// The store copies; the bytes do not pass through here. Both keys are ours: letters, digits, hyphens and slashes.
    pub async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let source = format!("{}/{from}", self.bucket);
        self.client.copy_object().bucket(&self.bucket).key(to).copy_source(source).send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Gone afterwards, whether it was there or not.
    pub async fn delete(&self, key: &str) -> Result<()> {
        self.client.delete_object().bucket(&self.bucket).key(key).send().await.map_err(unavailable)?;
        Ok(())
    }

    pub async fn ensure_bucket(&self) -> Result<()> {
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Ok(_) => return Ok(()),
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => return Err(unavailable(error)),
        }
        let mut create = self.client.create_bucket().bucket(&self.bucket);
        // Amazon wants the region said again, except for its first one.
        if !self.custom_endpoint && self.region != FIRST_REGION {
            let there = BucketLocationConstraint::from(self.region.as_str());
            create = create.create_bucket_configuration(CreateBucketConfiguration::builder().location_constraint(there).build());
        }
        match create.send().await {
            Ok(_) => Ok(()),
            // Another server of ours came first.
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Whether the bucket answers within two seconds, for `/readyz`.
    pub async fn ready(&self) -> Result<()> {
        let head = self.client.head_bucket().bucket(&self.bucket).send();
        let answer = tokio::time::timeout(READY_MAX, head).await.map_err(Error::unavailable)?;
        answer.map(|_| ()).map_err(unavailable)
    }
}

/// `tenant/patient-or-none/plan-or-none/file`: opaque, and a tenant's objects share a prefix.
pub fn object_key(tenant: Uuid, patient: Option<Uuid>, plan: Option<Uuid>, file: Uuid) -> String {
    let or_none = |id: Option<Uuid>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    format!("{tenant}/{}/{}/{file}", or_none(patient), or_none(plan))
}

fn client(config: &StorageConfig, endpoint: Option<&String>) -> Client {
    let secret = config.secret_key.expose_secret();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(15))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_secs(45));
    let mut builder = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .credentials_provider(Credentials::new(&config.access_key, secret, None, None, "enamel"))
        // CRC32 trailers by default would lock out stores that do not know them; we send SHA-256 ourselves.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(2));
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(builder.build())
}

type Answer = aws_sdk_s3::config::http::HttpResponse;

fn status<E>(error: &SdkError<E, Answer>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn of_object<E>(error: SdkError<E, Answer>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match status(&error) {
        Some(404) if error.code() != Some("NoSuchBucket") => Error::new(&UPLOAD_MISSING),
        _ => unavailable(error),
    }
}

fn unavailable<E>(error: SdkError<E, Answer>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    Error::unavailable(DisplayErrorContext(&error).to_string())
}

fn size(content_length: Option<i64>) -> Result<u64> {
    let size = content_length.and_then(|size| u64::try_from(size).ok());
    size.ok_or_else(|| Error::unavailable("the store sent no length"))
}
