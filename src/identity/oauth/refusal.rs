//! What goes wrong, in the words of RFC 6749 §5.2. Descriptions are ours alone: nothing a caller sent comes back in one.

use crate::kernel::error::{self, Error};
use poem::Response;
use poem::http::{StatusCode, header};
use serde_json::json;
use uuid::Uuid;

#[derive(Debug)]
pub struct Refusal {
    pub error: &'static str,
    pub description: &'static str,
    status: StatusCode,
    retry_after_s: Option<u32>,
}

impl Refusal {
    pub fn new(error: &'static str, description: &'static str) -> Refusal {
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Refusal { error, description, status, retry_after_s: None }
    }
    /// Of an access token, in the words of RFC 6750 §3.1.
    pub fn token(error: &'static str, description: &'static str) -> Refusal {
        let status = if error == "insufficient_scope" { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        Refusal { error, description, status, retry_after_s: None }
    }
    pub fn request(description: &'static str) -> Refusal {
        Refusal::new("invalid_request", description)
    }
    pub fn client() -> Refusal {
        Refusal::new("invalid_client", "The client is not known or its credentials are not right.")
    }
    pub fn grant() -> Refusal {
        Refusal::new("invalid_grant", "The grant is not valid, is expired, or was made for another client or address.")
    }

    fn body(&self) -> Vec<u8> {
        json!({"error": self.error, "error_description": self.description}).to_string().into_bytes()
    }

    pub fn respond(&self) -> Response {
        let mut response =
            Response::builder().status(self.status).content_type("application/json").header(header::CACHE_CONTROL, "no-store");
        match self.error {
            "invalid_client" => response = response.header(header::WWW_AUTHENTICATE, "Basic realm=\"enamel\""),
            "invalid_token" | "insufficient_scope" => {
                response = response.header(header::WWW_AUTHENTICATE, format!("Bearer error=\"{}\"", self.error));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after_s {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        response.body(self.body())
    }
}

impl From<Error> for Refusal {
    fn from(failure: Error) -> Refusal {
        if failure.code.status >= 500 {
            tracing::error!(error = %failure, "An OAuth request failed");
        }
        of(&failure)
    }
}

fn of(failure: &Error) -> Refusal {
    let status = match failure.code.status {
        // A body that is no form is a request that is none (RFC 6749 §5.2).
        415 => StatusCode::BAD_REQUEST,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let (error, description) = match failure.code.status {
        _ if failure.code == &error::CREDENTIALS_WRONG => return Refusal::grant(),
        429 | 503 => ("temporarily_unavailable", failure.code.title),
        500.. => ("server_error", failure.code.title),
        _ => ("invalid_request", failure.code.title),
    };
    Refusal { error, description, status, retry_after_s: failure.retry_after_s }
}

/// For the middleware's own refusals below this path: too large, too late, no such method. It has logged them.
pub fn render(failure: &Error, _: Uuid) -> (&'static str, Vec<u8>) {
    ("application/json", of(failure).body())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failure_of_ours_leaves_its_cause_in_the_log_and_nowhere_else() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let answers = tracing::subscriber::with_default(subscriber, || {
            [Error::unavailable("no connection"), Error::internal("a broken row"), Error::new(&error::RATE_LIMITED)].map(Refusal::from)
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("no connection") && text.contains("a broken row"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(answers.each_ref().map(|answer| answer.status.as_u16()), [503, 500, 429]);
        let told: String = answers.iter().map(|answer| String::from_utf8(answer.body()).unwrap()).collect();
        assert!(!told.contains("no connection") && !told.contains("a broken row"), "{told}");
    }
}
