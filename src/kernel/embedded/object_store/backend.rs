//! The S3 operations served; every other one answers 501.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::blocking;
use super::files::Folders;
use super::io_failed;

pub(super) struct Backend {
    pub folders: Arc<Folders>,
    pub size_max: u64,
}

impl Backend {
    pub fn new(folders: Folders, size_max: u64) -> Self {
        Self { folders: Arc::new(folders), size_max }
    }

    pub async fn need_bucket(&self, bucket: &str) -> S3Result<()> {
        let path = self.folders.bucket(bucket);
        match blocking(move || path.try_exists()).await.map_err(io_failed)? {
            true => Ok(()),
            false => Err(s3_error!(NoSuchBucket)),
        }
    }
}

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Backend {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let (folders, bucket) = (self.folders.clone(), req.input.bucket);
        match blocking(move || folders.create_bucket(&bucket)).await.map_err(io_failed)? {
            true => Ok(S3Response::new(CreateBucketOutput::default())),
            false => Err(s3_error!(BucketAlreadyOwnedByYou)),
        }
    }
    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.need_bucket(&req.input.bucket).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }
    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        self.need_bucket(&req.input.bucket).await?;
        let (folders, bucket) = (self.folders.clone(), req.input.bucket);
        match blocking(move || folders.delete_bucket(&bucket)).await.map_err(io_failed)? {
            true => Ok(S3Response::new(DeleteBucketOutput::default())),
            false => Err(s3_error!(BucketNotEmpty)),
        }
    }
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        self.put(req).await
    }
    /// Browser forms carry no checksum and are never minted.
    async fn post_object(&self, _req: S3Request<PostObjectInput>) -> Answer<PostObjectOutput> {
        Err(s3_error!(NotImplemented))
    }
    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        self.get(req.input).await
    }
    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        self.head(req.input).await
    }
    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        self.delete(req.input).await
    }
    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        self.copy(req.input).await
    }
    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        self.list(req.input).await
    }
    async fn create_multipart_upload(&self, req: S3Request<CreateMultipartUploadInput>) -> Answer<CreateMultipartUploadOutput> {
        self.create_upload(req.input).await
    }
    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        self.put_part(req).await
    }
    async fn complete_multipart_upload(&self, req: S3Request<CompleteMultipartUploadInput>) -> Answer<CompleteMultipartUploadOutput> {
        self.complete_upload(req.input).await
    }
    async fn abort_multipart_upload(&self, req: S3Request<AbortMultipartUploadInput>) -> Answer<AbortMultipartUploadOutput> {
        self.abort_upload(req.input).await
    }
    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        self.parts(req.input).await
    }
}
