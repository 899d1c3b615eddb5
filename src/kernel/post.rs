//! The way out for letters: a mail server (SMTP, RFC 5321) over an encrypted line, or a folder for development.
//!
//! What a mail server answers may repeat the address, so nobody logs it: a [`Failure`] is a word and the server's number.

use crate::kernel::config::{MailConfig, MailTls};
use crate::kernel::error::{Error, Result};
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;
use uuid::Uuid;

/// For a connection.
const PATIENCE: Duration = Duration::from_secs(15);
/// For a whole letter.
pub const PATIENCE_MAX: Duration = Duration::from_secs(30);
/// Replies about how we sign in (RFC 4954 section 6): another password helps, so no letter is lost for them.
const OURS: [u16; 4] = [530, 534, 535, 538];

enum Way {
    Server(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Folder(AsyncFileTransport<Tokio1Executor>),
}

pub struct Post {
    way: Way,
    from: Mailbox,
}

pub struct Letter<'a> {
    /// The same at every attempt: a mailbox that is given a letter twice can tell.
    pub id: Uuid,
    pub written_at: DateTime<Utc>,
    pub to: &'a str,
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Another attempt would end in the same way.
    Refused(Option<u16>),
    Deferred(u16),
    Unreachable,
}

impl Post {
    /// None where nobody said how letters leave.
    pub fn of(config: &MailConfig) -> Result<Option<Post>> {
        let Some(way) = way(config)? else { return Ok(None) };
        let from = config.from.as_deref().unwrap_or_default().parse().map_err(|_| Error::internal("mail.from is no mail address"))?;
        Ok(Some(Post { way, from }))
    }

    pub async fn send(&self, letter: &Letter<'_>) -> Result<(), Failure> {
        let message = self.message(letter).ok_or(Failure::Refused(None))?;
        let sent = async {
            match &self.way {
                Way::Server(server) => server.send(message).await.map(drop).map_err(|failure| {
                    let code = failure.status().map(u16::from);
                    match code {
                        // What failed before the server answered names no mailbox.
                        None => tracing::warn!(error = %failure, "The mail server was not reached"),
                        Some(code) => tracing::warn!(code, "The mail server did not take a letter"),
                    }
                    judged(code)
                }),
                Way::Folder(folder) => folder.send(message).await.map(drop).map_err(|_| {
                    tracing::warn!("A letter could not be written into the folder");
                    Failure::Unreachable
                }),
            }
        };
        tokio::time::timeout(PATIENCE_MAX, sent).await.unwrap_or(Err(Failure::Unreachable))
    }

    fn message(&self, letter: &Letter<'_>) -> Option<Message> {
        let domain = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to.parse().ok()?))
            .subject(letter.subject)
            .date(letter.written_at.into())
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            // RFC 3834 section 5: nobody's holiday notice answers it.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN);
        let text = letter.text.to_owned();
        match self.way {
            // Somebody reads the file as it stands, and follows its link.
            Way::Folder(_) => message.body(Body::new_with_encoding(text, ContentTransferEncoding::Binary).ok()?).ok(),
            Way::Server(_) => message.body(text).ok(),
        }
    }
}

fn judged(code: Option<u16>) -> Failure {
    match code {
        Some(code) if code >= 500 && !OURS.contains(&code) => Failure::Refused(Some(code)),
        Some(code) => Failure::Deferred(code),
        None => Failure::Unreachable,
    }
}

fn way(config: &MailConfig) -> Result<Option<Way>> {
    if let Some(folder) = &config.folder {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::internal)?;
        return Ok(Some(Way::Folder(AsyncFileTransport::new(folder))));
    }
    let Some(host) = &config.host else { return Ok(None) };
    let tls = match config.tls {
        MailTls::Starttls => Tls::Required(parameters(config, host)?),
        MailTls::Implicit => Tls::Wrapper(parameters(config, host)?),
        MailTls::None => Tls::None,
    };
    let domain = config.from.as_deref().and_then(|from| Some(from.parse::<Mailbox>().ok()?.email.domain().to_owned()));
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(config.port)
        .tls(tls)
        .timeout(Some(PATIENCE))
        .hello_name(ClientId::Domain(domain.unwrap_or_default()));
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        server = server.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(Some(Way::Server(Box::new(server.build()))))
}

fn parameters(config: &MailConfig, host: &str) -> Result<TlsParameters> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = &config.tls_ca {
        let broken = || Error::internal("mail.tls_ca holds no readable certificate");
        tls = tls.certificate_store(CertificateStore::None);
        // Only the lines of certificates; lettre reads one at a time.
        let text = std::fs::read_to_string(path).map_err(|_| broken())?;
        let certificates = text.split_inclusive("-----END CERTIFICATE-----").filter(|part| part.contains("-----BEGIN CERTIFICATE-----"));
        for certificate in certificates {
            tls = tls.add_root_certificate(Certificate::from_pem(certificate.as_bytes()).map_err(|_| broken())?);
        }
    }
    tls.build_rustls().map_err(|_| Error::internal("TLS to the mail server could not be set up"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_mailbox_refuses_is_given_up() {
        assert_eq!(judged(Some(550)), Failure::Refused(Some(550)));
        assert_eq!(judged(Some(451)), Failure::Deferred(451));
        assert_eq!(judged(Some(535)), Failure::Deferred(535), "our own password is wrong");
        assert_eq!(judged(None), Failure::Unreachable);
    }
}
