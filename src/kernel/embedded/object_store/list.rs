//! ListObjectsV2: keys in order, by prefix, folded at a delimiter, page by page. There is no index: each page walks the
//! bucket and keeps one page in memory, which is right for one machine's development data and wrong for a data centre.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use super::backend::Backend;
use super::files::Head;
use super::objects::{length, modified};
use super::{blocking, io_failed};

const PAGE_MAX: i32 = 1000;

/// One page being gathered: names after `after`, at most `size` and one more that tells whether another page follows.
struct Page {
    prefix: String,
    delimiter: Option<String>,
    start_after: String,
    after: String,
    size: usize,
    /// None: the name is a common prefix.
    entries: BTreeMap<String, Option<Head>>,
}

impl Page {
    fn take(&mut self, head: Head) {
        let Some(rest) = head.key.strip_prefix(&self.prefix) else { return };
        if head.key <= self.start_after {
            return;
        }
        let fold = self.delimiter.as_ref().and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        let (name, head) = match fold {
            Some(end) => (head.key[..self.prefix.len() + end].to_owned(), None),
            None => (head.key.clone(), Some(head)),
        };
        if name > self.after {
            self.entries.insert(name, head);
            if self.entries.len() > self.size + 1 {
                self.entries.pop_last();
            }
        }
    }
}

impl Backend {
    pub async fn list(&self, input: ListObjectsV2Input) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.need_bucket(&input.bucket).await?;
        let size = input.max_keys.unwrap_or(PAGE_MAX).clamp(0, PAGE_MAX);
        let after = input.continuation_token.as_deref().map(last_name).transpose()?.unwrap_or_default();
        let mut page = Page {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            start_after: input.start_after.clone().unwrap_or_default(),
            after,
            size: usize::try_from(size).map_err(|_| s3_error!(InvalidArgument))?,
            entries: BTreeMap::new(),
        };
        let (folders, bucket) = (self.folders.clone(), input.bucket.clone());
        let mut page = blocking(move || folders.walk(&bucket, |head| page.take(head)).map(|()| page)).await.map_err(io_failed)?;
        let truncated = page.entries.len() > page.size;
        if truncated {
            page.entries.pop_last();
        }
        let next = page.entries.last_key_value().filter(|_| truncated).map(|(name, _)| URL_SAFE_NO_PAD.encode(name));
        let (mut contents, mut common) = (Vec::new(), Vec::new());
        for (name, head) in page.entries {
            match head {
                Some(head) => contents.push(Object {
                    key: Some(name),
                    size: Some(length(head.size)?),
                    e_tag: Some(ETag::Strong(head.etag)),
                    last_modified: Some(modified(head.modified_s)),
                    ..Default::default()
                }),
                None => common.push(CommonPrefix { prefix: Some(name) }),
            }
        }
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            max_keys: Some(size),
            key_count: i32::try_from(contents.len() + common.len()).ok(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(common),
            ..Default::default()
        }))
    }
}

fn last_name(token: &str) -> S3Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token is not one of ours."))
}
