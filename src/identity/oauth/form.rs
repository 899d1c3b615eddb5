//! Parameters of a form or a query: each at most once (RFC 6749 §3.1), none of them long.

use crate::kernel::error::{self, Error, Result};
use poem::Request;
use poem::http::header;

const BYTES_MAX: usize = 64 * 1024;
const VALUE_MAX: usize = 4_096;

pub struct Form(Vec<(String, String)>);

impl Form {
    pub async fn read(request: &mut Request) -> Result<Form> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Error::new(&error::MEDIA_TYPE));
        }
        let bytes = request.take_body().into_bytes_limit(BYTES_MAX).await.map_err(|_| Error::new(&error::TOO_LARGE))?;
        Form::parse(&bytes)
    }

    pub fn parse(bytes: &[u8]) -> Result<Form> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).map_err(|_| Error::new(&error::MALFORMED))?;
        let twice = pairs.iter().enumerate().any(|(place, (name, _))| pairs[..place].iter().any(|(before, _)| before == name));
        // Bytes that are no UTF-8 come out as the replacement character, and are nobody's password.
        if twice || pairs.iter().any(|(_, value)| value.len() > VALUE_MAX || value.contains(['\0', char::REPLACEMENT_CHARACTER])) {
            return Err(Error::new(&error::MALFORMED));
        }
        Ok(Form(pairs))
    }

    /// All but those, as they came.
    pub fn without<'f>(&'f self, names: &'f [&str]) -> impl Iterator<Item = (&'f str, &'f str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| !names.contains(name))
    }

    /// An empty value counts as left out.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_given_twice_or_with_a_nul_is_refused() {
        assert!(Form::parse(b"a=1&b=2&a=3").is_err() && Form::parse(b"a=%00").is_err() && Form::parse(b"a=%ff").is_err());
        let form = Form::parse(b"a=1%202&b=").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1 2"), None, None));
    }
}
