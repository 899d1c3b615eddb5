//! Multipart uploads: parts are files like objects; completion joins them into one object, hashed anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::backend::Backend;
use super::files::{Head, Labels, Opened, open};
use super::incoming::{Announced, Incoming, Placing, receive};
use super::objects::{body_size, length, modified, placing};
use super::{blocking, io_failed};
use crate::kernel::embedded::sync_folder;
use crate::kernel::hex::{hex, unhex};

/// S3's own limits; the last part may be smaller.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
const PART_NUMBER_MAX: i32 = 10_000;
const PAGE_MAX: i32 = 1000;

#[derive(Serialize, Deserialize)]
struct Upload {
    bucket: String,
    key: String,
    labels: Labels,
}

impl Backend {
    pub async fn create_upload(&self, input: CreateMultipartUploadInput) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.need_bucket(&input.bucket).await?;
        let labels = labels!(input);
        let id = Uuid::new_v4();
        let upload = Upload { bucket: input.bucket.clone(), key: input.key.clone(), labels };
        let (folder, uploads) = (self.folders.upload(id), self.folders.uploads());
        let json = serde_json::to_vec(&upload).map_err(|error| io_failed(error.into()))?;
        blocking(move || {
            fs::create_dir(&folder)?;
            let head = folder.join("head");
            fs::write(&head, json)?;
            fs::File::open(&head)?.sync_all()?;
            sync_folder(&folder)?;
            sync_folder(&uploads)
        })
        .await
        .map_err(io_failed)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id.simple().to_string()),
            ..Default::default()
        }))
    }

    /// The folder of an upload, if it is one of this object.
    async fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<(PathBuf, Upload)> {
        // Only what parses as one of our ids ever becomes part of a path.
        let id = Uuid::try_parse(id).map_err(|_| s3_error!(NoSuchUpload))?;
        let folder = self.folders.upload(id);
        let head = folder.join("head");
        let json = blocking(move || fs::read(head)).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => s3_error!(NoSuchUpload),
            _ => io_failed(error),
        })?;
        let upload: Upload = serde_json::from_slice(&json).map_err(|error| io_failed(error.into()))?;
        if upload.bucket != bucket || upload.key != key {
            return Err(s3_error!(NoSuchUpload));
        }
        Ok((folder, upload))
    }

    pub async fn put_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let S3Request { input, headers, trailing_headers, .. } = req;
        if !(1..=PART_NUMBER_MAX).contains(&input.part_number) {
            return Err(s3_error!(InvalidArgument));
        }
        let (folder, _) = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let announced = Announced { size: body_size(&headers), md5: input.content_md5, sums: sums!(input), trailers: trailing_headers };
        let received = receive(&self.folders, self.size_max, input.body, announced, &headers).await?;
        let (etag, sum) = (received.etag(), received.sums.checksum_sha256.clone());
        let head = received.head(String::new(), etag.clone(), Labels::default());
        let at = part_file(&folder, input.part_number);
        received.place(at, head, Placing::Replace, false).await.map_err(|error| match error.kind() {
            // Completed or aborted while the part came in.
            io::ErrorKind::NotFound => s3_error!(NoSuchUpload),
            _ => io_failed(error),
        })?;
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(ETag::Strong(etag)), checksum_sha256: sum, ..Default::default() }))
    }

    pub async fn complete_upload(&self, input: CompleteMultipartUploadInput) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let placing = placing(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let (folder, upload) = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let named = named_parts(&listed)?;
        let (mut whole, mut etags) = (Incoming::create(&self.folders, self.size_max).await?, Md5::new());
        for (at, (number, etag)) in named.iter().enumerate() {
            let part = open_part(&folder, *number, etag).await?;
            if at + 1 < named.len() && part.head.size < PART_BYTES_MIN {
                return Err(s3_error!(EntityTooSmall));
            }
            etags.update(&unhex(etag).ok_or_else(|| s3_error!(InvalidPart))?);
            whole = whole.write_file(part).await?;
        }
        let whole = whole.end()?;
        // As S3 does: the hash of the parts' hashes, and their number.
        let etag = format!("{}-{}", hex(&etags.finalize()), named.len());
        let head = whole.head(input.key.clone(), etag, upload.labels);
        let head = self.place(whole, &input.bucket, head, placing).await?;
        blocking(move || remove_upload(&folder)).await.map_err(io_failed)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(head.etag)),
            ..Default::default()
        }))
    }

    pub async fn abort_upload(&self, input: AbortMultipartUploadInput) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let (folder, _) = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        blocking(move || remove_upload(&folder)).await.map_err(io_failed)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub async fn parts(&self, input: ListPartsInput) -> S3Result<S3Response<ListPartsOutput>> {
        let (folder, _) = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let size = input.max_parts.unwrap_or(PAGE_MAX).clamp(0, PAGE_MAX);
        let after = input.part_number_marker.unwrap_or(0);
        let mut parts = blocking(move || part_heads(&folder, after)).await.map_err(io_failed)?;
        let size_wanted = usize::try_from(size).map_err(|_| s3_error!(InvalidArgument))?;
        let truncated = parts.len() > size_wanted;
        parts.truncate(size_wanted);
        let next = parts.last().filter(|_| truncated).map(|(number, _)| *number);
        let parts: S3Result<Vec<Part>> = parts
            .into_iter()
            .map(|(number, head)| {
                Ok(Part {
                    part_number: Some(number),
                    size: Some(length(head.size)?),
                    e_tag: Some(ETag::Strong(head.etag)),
                    last_modified: Some(modified(head.modified_s)),
                    ..Default::default()
                })
            })
            .collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: input.part_number_marker,
            next_part_number_marker: next,
            max_parts: Some(size),
            is_truncated: Some(truncated),
            parts: Some(parts?),
            ..Default::default()
        }))
    }
}

/// Number and entity tag of the parts a completion names; they must rise.
fn named_parts(listed: &[CompletedPart]) -> S3Result<Vec<(i32, &str)>> {
    if listed.is_empty() {
        return Err(s3_error!(MalformedXML));
    }
    let (mut named, mut last) = (Vec::with_capacity(listed.len()), 0);
    for part in listed {
        let (Some(number), Some(etag)) = (part.part_number, &part.e_tag) else { return Err(s3_error!(MalformedXML)) };
        if number <= last || number > PART_NUMBER_MAX {
            return Err(s3_error!(InvalidPartOrder));
        }
        last = number;
        named.push((number, etag.value()));
    }
    Ok(named)
}

async fn open_part(folder: &Path, number: i32, etag: &str) -> S3Result<Opened> {
    let file = part_file(folder, number);
    let part = blocking(move || open(&file)).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => s3_error!(InvalidPart),
        _ => io_failed(error),
    })?;
    if part.head.etag != etag {
        return Err(s3_error!(InvalidPart));
    }
    Ok(part)
}

fn part_heads(folder: &Path, after: i32) -> io::Result<Vec<(i32, Head)>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let Some(number) = number.filter(|number| *number > after) {
            parts.push((number, open(&path)?.head));
        }
    }
    parts.sort_by_key(|(number, _)| *number);
    Ok(parts)
}

fn part_file(folder: &Path, number: i32) -> PathBuf {
    folder.join(format!("{number:05}"))
}

/// Two may complete or abort at once; the second finds nothing left to do.
fn remove_upload(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => folder.parent().map_or(Ok(()), sync_folder),
    }
}
