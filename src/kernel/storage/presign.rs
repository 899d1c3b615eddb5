//! Signed URLs: the one way bytes of a file travel between a client and the store.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::Store;
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::unhex;

pub const PUT_VALID_S_MAX: u32 = 15 * 60;
pub const GET_VALID_S_MAX: u32 = 5 * 60;
/// Longer names only fill headers.
const FILE_NAME_CHARS_MAX: usize = 150;

/// A request whoever holds it may send until it expires, exactly as it stands here.
#[derive(Clone)]
pub struct Presigned {
    pub url: String,
    pub method: &'static str,
    /// Signed too: leaving one out or changing one is refused by the store.
    pub headers: Vec<(String, String)>,
    pub expires_at: DateTime<Utc>,
}

impl fmt::Debug for Presigned {
    /// The URL is a key to a patient's file and stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned").field("method", &self.method).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Store {
    /// One upload of exactly these bytes to a key that is still free.
    pub async fn presign_put(&self, key: &str, media_type: &str, size: u64, sha256_hex: &str, valid_s: u32) -> Result<Presigned> {
        let sum = unhex(sha256_hex).filter(|sum| sum.len() == 32);
        let sum = sum.ok_or_else(|| Error::internal("an unchecked SHA-256 reached the signer"))?;
        let size = i64::try_from(size).map_err(Error::internal)?;
        let put = self.signer.put_object().bucket(&self.bucket).key(key).content_type(media_type);
        let put = put.content_length(size).checksum_sha256(STANDARD.encode(sum)).if_none_match("*");
        let (timing, expires_at) = timing(valid_s.min(PUT_VALID_S_MAX))?;
        Ok(presigned("PUT", put.presigned(timing).await.map_err(Error::internal)?, expires_at))
    }

    /// One object as a download: never shown inside a page, never with another type than ours, never cached.
    pub async fn presign_get(&self, key: &str, media_type: &str, file_name: &str, valid_s: u32) -> Result<Presigned> {
        let get = self.signer.get_object().bucket(&self.bucket).key(key).response_content_type(media_type);
        let get = get.response_content_disposition(attachment(file_name)).response_cache_control("private, no-store");
        let (timing, expires_at) = timing(valid_s.min(GET_VALID_S_MAX))?;
        Ok(presigned("GET", get.presigned(timing).await.map_err(Error::internal)?, expires_at))
    }
}

fn timing(valid_s: u32) -> Result<(PresigningConfig, DateTime<Utc>)> {
    let (now, valid) = (SystemTime::now(), Duration::from_secs(u64::from(valid_s)));
    let config = PresigningConfig::builder().start_time(now).expires_in(valid).build().map_err(Error::internal)?;
    Ok((config, DateTime::from(now + valid)))
}

fn presigned(method: &'static str, request: PresignedRequest, expires_at: DateTime<Utc>) -> Presigned {
    let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Presigned { url: request.uri().to_owned(), method, headers, expires_at }
}

/// RFC 6266 with both forms: a plain one for old clients and the exact one of RFC 8187.
fn attachment(file_name: &str) -> String {
    let name: String = file_name.chars().filter(|c| !misleads(*c)).take(FILE_NAME_CHARS_MAX).collect();
    // A name, not a path; and no dots at its ends, which some systems take for hidden or strip.
    let name: String = name.chars().map(|c| if matches!(c, '/' | '\\') { '_' } else { c }).collect();
    let name = match name.trim_matches(|c: char| c == '.' || c.is_whitespace()) {
        "" => "file",
        name => name,
    };
    let plain: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let mut exact = String::new();
    for byte in name.bytes() {
        match byte {
            // attr-char of RFC 8187 §3.2.1.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => {
                exact.push(char::from(byte))
            }
            _ => exact.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// Needs no escape inside a quoted-string; `%` is left out because some clients decode it there.
fn plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%')
}

/// Control characters, and those that turn the direction of writing (`photo\u{202e}gpj.exe`).
fn misleads(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn a_file_name_is_data_and_never_syntax() {
        let cases = [
            ("bitewing.dcm", r#"attachment; filename="bitewing.dcm"; filename*=UTF-8''bitewing.dcm"#),
            ("Röntgen 36.png", r#"attachment; filename="R_ntgen 36.png"; filename*=UTF-8''R%C3%B6ntgen%2036.png"#),
            (
                "a\"; x=\"b\r\nSet-Cookie: c",
                r#"attachment; filename="a_; x=_bSet-Cookie: c"; filename*=UTF-8''a%22%3B%20x%3D%22bSet-Cookie%3A%20c"#,
            ),
            ("../../etc/passwd", r#"attachment; filename="_.._etc_passwd"; filename*=UTF-8''_.._etc_passwd"#),
            ("photo\u{202e}gpj.exe", r#"attachment; filename="photogpj.exe"; filename*=UTF-8''photogpj.exe"#),
            ("..", r#"attachment; filename="file"; filename*=UTF-8''file"#),
            ("", r#"attachment; filename="file"; filename*=UTF-8''file"#),
        ];
        for (name, header) in cases {
            assert_eq!(attachment(name), header);
        }
        assert!(attachment(&"ü".repeat(10_000)).len() < 1200);
    }
}
