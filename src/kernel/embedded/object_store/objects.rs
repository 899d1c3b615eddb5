//! Objects: put, get, head, delete, copy.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, stream};
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::backend::Backend;
use super::files::{Head, Labels, Opened};
use super::incoming::{Announced, Incoming, Placing, Received, receive};
use super::{blocking, io_failed};
use crate::kernel::hex::unhex;

const READ_BYTES: u64 = 128 * 1024;

impl Backend {
    pub async fn put(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let S3Request { input, headers, trailing_headers, .. } = req;
        self.need_bucket(&input.bucket).await?;
        let placing = placing(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let labels = labels!(input);
        let announced = Announced { size: body_size(&headers), md5: input.content_md5, sums: sums!(input), trailers: trailing_headers };
        let received = receive(&self.folders, self.size_max, input.body, announced, &headers).await?;
        let (etag, sum) = (received.etag(), received.sums.checksum_sha256.clone());
        let head = received.head(input.key, etag, labels);
        let head = self.place(received, &input.bucket, head, placing).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(head.etag)), checksum_sha256: sum, ..Default::default() }))
    }

    /// Shows a received object under its key.
    pub async fn place(&self, received: Received, bucket: &str, head: Head, placing: Placing) -> S3Result<Head> {
        let at = self.folders.object(bucket, &head.key);
        match received.place(at, head.clone(), placing, true).await {
            Ok(true) => Ok(head),
            Ok(false) => Err(s3_error!(PreconditionFailed)),
            // The bucket was there when the request began.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(s3_error!(NoSuchBucket)),
            Err(error) => Err(io_failed(error)),
        }
    }

    pub async fn open(&self, bucket: &str, key: &str) -> S3Result<Opened> {
        self.need_bucket(bucket).await?;
        let (folders, bucket, key) = (self.folders.clone(), bucket.to_owned(), key.to_owned());
        blocking(move || folders.open_object(&bucket, &key)).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => s3_error!(NoSuchKey),
            _ => io_failed(error),
        })
    }

    pub async fn get(&self, input: GetObjectInput) -> S3Result<S3Response<GetObjectOutput>> {
        whole_object_only(input.part_number, input.version_id.as_deref())?;
        let Opened { head, file } = self.open(&input.bucket, &input.key).await?;
        Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        }
        .check(&head)?;
        let wanted = input.range.map(|range| range.check(head.size)).transpose()?;
        if wanted.as_ref().is_some_and(std::ops::Range::is_empty) {
            return Err(s3_error!(InvalidRange)); // the suffix of an empty object
        }
        let (from, to) = wanted.as_ref().map_or((0, head.size), |range| (range.start, range.end));
        let answer = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(StreamingBlob::wrap(read(file, from, to))),
            content_length: Some(length(to - from)?),
            content_range: wanted.as_ref().map(|_| format!("bytes {from}-{}/{}", to - 1, head.size)),
            checksum_sha256: checksum(&head, input.checksum_mode.as_ref()).filter(|_| wanted.is_none()),
            e_tag: Some(ETag::Strong(head.etag)),
            last_modified: Some(modified(head.modified_s)),
            content_type: head.labels.content_type,
            content_disposition: head.labels.content_disposition,
            content_encoding: head.labels.content_encoding,
            content_language: head.labels.content_language,
            cache_control: head.labels.cache_control,
            metadata: some_metadata(head.labels.user),
            ..Default::default()
        };
        // s3s answers 206 by itself when there is a content-range, and puts the response-* overrides on top.
        Ok(S3Response::new(answer))
    }

    pub async fn head(&self, input: HeadObjectInput) -> S3Result<S3Response<HeadObjectOutput>> {
        whole_object_only(input.part_number, input.version_id.as_deref())?;
        let Opened { head, .. } = self.open(&input.bucket, &input.key).await?;
        Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        }
        .check(&head)?;
        let answer = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(head.size)?),
            checksum_sha256: checksum(&head, input.checksum_mode.as_ref()),
            e_tag: Some(ETag::Strong(head.etag)),
            last_modified: Some(modified(head.modified_s)),
            content_type: head.labels.content_type,
            content_disposition: head.labels.content_disposition,
            content_encoding: head.labels.content_encoding,
            content_language: head.labels.content_language,
            cache_control: head.labels.cache_control,
            metadata: some_metadata(head.labels.user),
            ..Default::default()
        };
        Ok(S3Response::new(answer))
    }

    pub async fn delete(&self, input: DeleteObjectInput) -> S3Result<S3Response<DeleteObjectOutput>> {
        if input.if_match.is_some() || input.version_id.is_some() {
            return Err(s3_error!(NotImplemented));
        }
        self.need_bucket(&input.bucket).await?;
        let folders = self.folders.clone();
        blocking(move || folders.delete_object(&input.bucket, &input.key)).await.map_err(io_failed)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub async fn copy(&self, input: CopyObjectInput) -> S3Result<S3Response<CopyObjectOutput>> {
        let CopySource::Bucket { bucket, key, version_id: None } = &input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        self.need_bucket(&input.bucket).await?;
        let Opened { head, file } = self.open(bucket, key).await?;
        Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        }
        .check(&head)
        .map_err(|_| s3_error!(PreconditionFailed))?;
        let replaces = input.metadata_directive.is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
        let (labels, etag) = (if replaces { labels!(input) } else { head.labels.clone() }, head.etag.clone());
        let copy = Incoming::create(&self.folders, self.size_max).await?;
        let copy = copy.write_file(Opened { head, file }).await?;
        let copy = copy.end()?;
        let copied = copy.head(input.key, etag, labels);
        let copied = self.place(copy, &input.bucket, copied, Placing::Replace).await?;
        let result = CopyObjectResult {
            e_tag: Some(ETag::Strong(copied.etag)),
            last_modified: Some(modified(copied.modified_s)),
            ..Default::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
    }
}

/// RFC 9110 §13.
struct Conditions {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    fn check(&self, head: &Head) -> S3Result<()> {
        let matches = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == head.etag);
        let modified = modified(head.modified_s);
        // §13.2.2: the date counts only where there is no entity tag.
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition) => return Err(s3_error!(PreconditionFailed)),
            (None, Some(since)) if modified > *since => return Err(s3_error!(PreconditionFailed)),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition) => Err(s3_error!(NotModified)),
            (None, Some(since)) if modified <= *since => Err(s3_error!(NotModified)),
            _ => Ok(()),
        }
    }
}

pub(super) fn placing(if_match: Option<&ETagCondition>, if_none_match: Option<&ETagCondition>) -> S3Result<Placing> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Placing::Replace),
        (None, Some(ETagCondition::Any)) => Ok(Placing::OnlyIfAbsent),
        _ => Err(s3_error!(NotImplemented)),
    }
}

/// Of the object itself: s3s puts the decoded length of a chunked body into the header.
pub(super) fn body_size(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn modified(modified_s: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(modified_s))
}

pub(super) fn length(bytes: u64) -> S3Result<i64> {
    i64::try_from(bytes).map_err(|_| s3_error!(InternalError))
}

fn whole_object_only(part_number: Option<i32>, version_id: Option<&str>) -> S3Result<()> {
    match (part_number, version_id) {
        (None, None) => Ok(()),
        _ => Err(s3_error!(NotImplemented)),
    }
}

fn checksum(head: &Head, mode: Option<&ChecksumMode>) -> Option<String> {
    mode.filter(|mode| mode.as_str() == ChecksumMode::ENABLED)?;
    unhex(&head.sha256).map(|bytes| STANDARD.encode(bytes))
}

fn some_metadata(user: std::collections::BTreeMap<String, String>) -> Option<Metadata> {
    (!user.is_empty()).then(|| user.into_iter().collect())
}

/// The bytes `from..to`, one chunk in memory at a time.
fn read(file: std::fs::File, from: u64, to: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    stream::try_unfold((Arc::new(file), from), move |(file, at)| async move {
        if at >= to {
            return Ok(None);
        }
        let chunk = chunk_at(file.clone(), at, to).await?;
        let next = at + chunk.len() as u64;
        Ok(Some((chunk, (file, next))))
    })
}

pub(super) async fn chunk_at(file: Arc<std::fs::File>, at: u64, to: u64) -> io::Result<Bytes> {
    blocking(move || {
        let mut chunk = vec![0; (to - at).min(READ_BYTES) as usize];
        file.read_exact_at(&mut chunk, at)?;
        Ok(Bytes::from(chunk))
    })
    .await
}
