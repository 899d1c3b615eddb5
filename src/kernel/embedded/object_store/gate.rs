//! Who may come in: one key pair, Signature Version 4, and no header that was not signed.

use http::{HeaderMap, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Result, s3_error};

pub(super) struct Gate;

#[async_trait::async_trait]
impl S3Access for Gate {
    /// s3s has verified a signature when it gives credentials; this closes what that leaves open.
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "A signature is needed."));
        }
        let signed = signed_headers(cx.headers(), cx.uri()).ok_or_else(|| s3_error!(AccessDenied, "Use SigV4."))?;
        // S3 wants every x-amz-* header signed. Without this rule, whoever holds a signed upload URL could add
        // `x-amz-copy-source` to it and read another tenant's object.
        for name in cx.headers().keys().filter(|name| name.as_str().starts_with("x-amz-")) {
            // The body's own hash is checked against the body, so it may come unsigned.
            let free = name == "x-amz-content-sha256";
            if !free && !signed.split(';').any(|signed| signed == name.as_str()) {
                return Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed."));
            }
        }
        Ok(())
    }
}

/// The signed names, divided by `;`. None: the request was signed by the older version 2, which covers too little.
fn signed_headers(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let query: Vec<(&str, &str)> = uri.query().unwrap_or_default().split('&').filter_map(|p| p.split_once('=')).collect();
    if query.iter().any(|(name, _)| *name == "Signature") {
        return None;
    }
    if let Some((_, names)) = query.iter().find(|(name, _)| *name == "X-Amz-SignedHeaders") {
        return Some(names.replace("%3B", ";").replace("%3b", ";"));
    }
    let authorization = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256")?;
    let names = fields.split(',').find_map(|field| field.trim().strip_prefix("SignedHeaders="))?;
    Some(names.to_owned())
}
