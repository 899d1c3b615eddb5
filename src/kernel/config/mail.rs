//! How letters leave.

use super::secret::secret_text_option;
use super::{ConfigError, Key};
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;

section! {
    /// Letters: invitations, new passwords, notices.
    MailConfig at "mail" {
        /// Mail server that letters are given to by SMTP; without one they wait until their time is over.
        host: Option<String> = "";
        /// Its port: mostly 587 for `starttls`, 465 for `implicit`.
        port: u16 = "587";
        /// `starttls` (nothing is said before the line is encrypted), `implicit` (TLS from the first byte) or, on loopback, `none`.
        tls: MailTls = "\"starttls\"";
        /// PEM file of the authorities it is verified by; without it the system's are used.
        tls_ca: Option<PathBuf> = "";
        /// Name the server signs in with, where it is asked to.
        user: Option<String> = "";
        /// Password of that name.
        password: Option<SecretString> = "" by "secret_text_option" or default;
        /// Whom letters come from, for example `Enamel <no-reply@clinic.example>`.
        from: Option<String> = "";
        /// Folder that letters are written to as .eml files instead of being sent; for development only.
        folder: Option<PathBuf> = "";
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    Starttls,
    Implicit,
    None,
}

impl MailConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let sends = self.host.is_some() || self.folder.is_some();
        let wrong = if self.host.is_some() && self.folder.is_some() {
            Some("mail.host and mail.folder: both are set")
        } else if sends && self.from.is_none() {
            Some("mail.from: is needed to send letters")
        } else if self.user.is_some() != self.password.is_some() {
            Some("mail.user and mail.password: one is set without the other")
        } else if self.tls == MailTls::None && self.host.as_deref().is_some_and(|host| !is_loopback(host)) {
            Some("mail.tls: `none` is for a mail server on loopback")
        } else {
            None
        };
        wrong.map_or(Ok(()), |why| Err(ConfigError::new(why)))
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
