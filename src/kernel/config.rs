//! What an operator may set: one TOML file, overridden by `ENAMEL_SECTION__KEY` variables.
//!
//! A section is declared once; from the declaration come the typed struct, its default and its line in the
//! reference. No error of this file repeats a value, since any of them may be a secret written in the wrong place.

mod load;
mod network;
mod secret;

use std::{net::SocketAddr, path::PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;

pub use load::ConfigError;
pub use network::Network;
pub use secret::Key32;
use secret::{secret_text, secret_text_option};

/// One key of the file, for the reference and for reading environment variables.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// The default as TOML; empty when there is none.
    pub default: &'static str,
    pub meaning: &'static str,
    kind: &'static str,
}

impl Key {
    /// Text is taken from the environment as it stands, so that a password of digits stays a text.
    fn is_text(&self) -> bool {
        !["u8", "u16", "u32", "u64", "usize", "bool"].contains(&self.kind) && !self.kind.starts_with("Vec")
    }
    fn is_optional(&self) -> bool {
        self.kind.starts_with("Option")
    }
}

macro_rules! section {
    ($(#[doc = $about:literal])* $name:ident at $table:literal {
        $($(#[doc = $meaning:literal])+ $field:ident: $kind:ty = $default:literal $(by $with:literal $(or $or:ident)?)?;)*
        $(tables { $($child:ident: $of:ty;)* })?
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $meaning])+ $(#[serde($($or,)? deserialize_with = $with)])? pub $field: $kind,)*
            $($(pub $child: $of,)*)?
        }
        impl $name {
            pub(in crate::kernel::config) const TABLE: &str = $table;
            pub(in crate::kernel::config) const KEYS: &[Key] = &[$(Key {
                name: stringify!($field), default: $default, meaning: concat!($($meaning),+), kind: stringify!($kind),
            }),*];
        }
    };
}

mod mail;
pub use mail::{MailConfig, MailTls};

section! {
    /// Listeners and the limits of a request.
    ServerConfig at "server" {
        /// Address and port of the API.
        listen: SocketAddr = "\"127.0.0.1:8080\"";
        /// Address and port of probes and metrics; never reachable from outside.
        admin_listen: SocketAddr = "\"127.0.0.1:9090\"";
        /// Base URL as clients see it, without a slash at the end.
        public_url: String = "\"http://127.0.0.1:8080\"";
        /// PEM file with the certificate chain; with `tls_key` it switches TLS on and is read again when it changes.
        tls_cert: Option<PathBuf> = "";
        /// PEM file with the private key.
        tls_key: Option<PathBuf> = "";
        /// Asks clients for a certificate when TLS is set up, for programs that prove themselves by one (RFC 8705).
        client_certificates: bool = "false";
        /// Takes the client's certificate from the header `Client-Cert` (RFC 9440) of `trusted_proxies`, which must remove it from what clients send.
        client_certificates_of_proxies: bool = "false";
        /// PEM file of the authorities whose word about a program's name is taken; without it only registered certificates are.
        client_ca: Option<PathBuf> = "";
        /// Seconds after which a request is given up with 503.
        request_deadline_s: u32 = "30";
        /// Largest body in bytes.
        body_limit_bytes: usize = "1048576";
        /// Largest FHIR bundle in bytes.
        bundle_limit_bytes: usize = "20971520";
        /// Largest request target and headers together in bytes.
        header_limit_bytes: u32 = "16384";
        /// Connections held at once; further ones wait in the kernel's queue.
        connections_max: u32 = "1024";
        /// Networks whose X-Forwarded-For, X-Request-Id and traceparent are believed.
        trusted_proxies: Vec<Network> = "[]";
    }
}

section! {
    /// PostgreSQL. Every plane has its own role; its password is derived from `secret`.
    DatabaseConfig at "database" {
        /// `postgres://host[:port]/database` without a user, or `postgres:///database?host=/socket/directory`.
        url: String = "";
        /// `postgres://administrator:password@host/database`, for `migrate` and `generate`; `serve` never reads it.
        admin_url: Option<SecretString> = "" by "secret_text_option" or default;
        /// The roles' passwords are HMAC-SHA-256 of their names under this secret (32 characters or more).
        secret: SecretString = "" by "secret_text";
        /// `disable`, `require` (encrypted, any certificate) or `verify-full`.
        tls: DatabaseTls = "\"disable\"";
        /// PEM file of the authorities for `verify-full`; without it the system's are used.
        tls_ca: Option<PathBuf> = "";
        /// Milliseconds to wait for a free connection before 503.
        acquire_timeout_ms: u64 = "2000";
        /// Milliseconds to wait for an audit event to be durable before 503.
        audit_timeout_ms: u64 = "2000";
        /// Milliseconds after which PostgreSQL cancels a statement.
        statement_timeout_ms: u64 = "15000";
        tables { pools: PoolSizes; }
    }
}

section! {
    /// Connections each plane may hold.
    PoolSizes at "database.pools" {
        /// Staff of a clinic.
        staff: u32 = "8";
        /// A group reading over its clinics.
        group: u32 = "2";
        /// Patients and their proxies.
        patient: u32 = "4";
        /// Live views of one shared chart.
        share: u32 = "2";
        /// Regulators with a mandate.
        audit: u32 = "2";
        /// Sign-in, before identity is known.
        auth: u32 = "4";
        /// Background jobs.
        jobs: u32 = "2";
        /// Operation of the platform, without clinical data.
        platform: u32 = "2";
        /// Audit events on their way into the log.
        log: u32 = "2";
        /// Data keys on their way into memory.
        keys: u32 = "2";
        /// The sealer of the audit log.
        sealer: u32 = "1";
    }
}

section! {
    /// Keys, each base64 of 32 random bytes (`openssl rand -base64 32`).
    SecretsConfig at "secrets" {
        /// Seals the context PostgreSQL trusts.
        seal_key: Key32 = "";
        /// Seals what the server keeps for itself, and wraps the data keys of encrypted columns unless a KMS does.
        envelope_key: Key32 = "";
        /// Further envelope keys that open and do not seal: the next one before a rotation, the last one until `enamel keys rewrap` is done.
        other_envelope_keys: Vec<Key32> = "[]";
        /// Ed25519 seed that signs audit roots.
        audit_signing_key: Key32 = "";
        /// Mixed into password hashes, and the root of what makes recovery codes and forms; it stays.
        password_pepper: Key32 = "";
        tables { kms: KmsConfig; }
    }
}

section! {
    /// AWS KMS, which then wraps the data keys.
    KmsConfig at "secrets.kms" {
        /// Key id, ARN or alias; without it the envelope key wraps.
        key: Option<String> = "";
        /// Region of the key.
        region: String = "\"us-east-1\"";
        /// URL of the service, when it is not Amazon's own of the region.
        endpoint: Option<String> = "";
        /// Access key, which may `kms:Encrypt` and `kms:Decrypt` with that key and nothing else.
        access_key: Option<String> = "";
        /// Secret key.
        secret_key: Option<SecretString> = "" by "secret_text_option" or default;
    }
}

section! {
    /// The S3-compatible object store.
    StorageConfig at "storage" {
        /// URL the server reaches the store at; empty for Amazon's own of the region.
        endpoint: String = "";
        /// URL clients reach the store at, when it differs; signed URLs name it.
        public_endpoint: Option<String> = "";
        /// Region that is signed.
        region: String = "\"us-east-1\"";
        /// Bucket that holds every file.
        bucket: String = "\"enamel\"";
        /// Access key.
        access_key: String = "";
        /// Secret key.
        secret_key: SecretString = "" by "secret_text";
    }
}

section! {
    /// Sign-in, sessions and tokens.
    IdentityConfig at "identity" {
        /// Seconds an access token lives.
        access_token_s: u32 = "600";
        /// Seconds after which an unused session ends.
        session_idle_s: u32 = "900";
        /// Seconds after which every session ends.
        session_absolute_s: u32 = "43200";
        /// Threads that hash passwords.
        hashing_threads: usize = "2";
        /// Sign-ins that may wait for one of them; further ones get 429.
        hashing_queue: usize = "64";
        /// Takes OIDC issuers without TLS; for development only.
        allow_http_issuers: bool = "false";
        /// Private networks in which an OIDC issuer may stand; all others are refused.
        oidc_private_networks: Vec<Network> = "[]";
        /// Folder with passwords known from breaches: a file `ABCDE.txt` for each first five digits of a SHA-1, one of the rest a line.
        breached_passwords: Option<PathBuf> = "";
        /// File with a name and its TXT record a line, read instead of asking name servers when a tenant proves its domain.
        txt_records_file: Option<PathBuf> = "";
        tables { argon2: Argon2Config; }
    }
}

section! {
    /// Cost of a password hash (argon2id).
    Argon2Config at "identity.argon2" {
        /// KiB of memory a hash takes.
        memory_kib: u32 = "19456";
        /// Passes over it.
        iterations: u32 = "2";
        /// Lanes.
        parallelism: u32 = "1";
    }
}

section! {
    /// What one caller may spend in any minute, in units. What a tenant or a program may spend stands in its own record.
    LimitsConfig at "limits" {
        /// Units a minute for each person, and each program without a limit of its own; 0: no limit.
        user_per_minute: u32 = "120000";
        /// Units a minute for each network address that shows no token; 0: no limit.
        address_per_minute: u32 = "240000";
        /// Part of each connection pool that one tenant may hold at once, in percent.
        tenant_share_percent: u32 = "75";
        /// Milliseconds between two exchanges of counts with the other servers.
        exchange_ms: u64 = "1000";
        tables { costs: LimitCosts; }
    }
}

section! {
    /// Units a request costs.
    LimitCosts at "limits.costs" {
        /// One record by its id, a page, a document.
        read: u32 = "1";
        /// A change, or an operation; each step of a batch or transaction.
        write: u32 = "2";
        /// A list, a search, a history; each search in a batch.
        search: u32 = "5";
        /// An export, an import, a whole record at once.
        export: u32 = "100";
    }
}

section! {
    /// Logs and traces. Metrics are always at `/metrics` of the admin listener.
    TelemetryConfig at "telemetry" {
        /// `json` or `pretty`.
        log_format: LogFormat = "\"json\"";
        /// Filter by target and level, for example `info,enamel=debug`.
        log_filter: String = "\"info\"";
        /// OTLP/HTTP collector traces are sent to, for example `http://127.0.0.1:4318`.
        otlp_endpoint: Option<String> = "";
    }
}

section! {
    /// The audit log.
    AuditConfig at "audit" {
        /// Milliseconds an event waits for others to be written together.
        group_delay_ms: u64 = "1";
        /// Milliseconds between two seals.
        seal_interval_ms: u64 = "1000";
        /// Number of the chain; one more after a restore.
        epoch: u32 = "1";
    }
}

/// How the connection to PostgreSQL is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseTls {
    Disable,
    Require,
    VerifyFull,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Pretty,
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub secrets: SecretsConfig,
    pub storage: StorageConfig,
    pub identity: IdentityConfig,
    pub mail: MailConfig,
    pub limits: LimitsConfig,
    pub telemetry: TelemetryConfig,
    pub audit: AuditConfig,
}

/// Every table of the file with its keys, in the order of the reference.
const TABLES: &[(&str, &[Key])] = &[
    (ServerConfig::TABLE, ServerConfig::KEYS),
    (DatabaseConfig::TABLE, DatabaseConfig::KEYS),
    (PoolSizes::TABLE, PoolSizes::KEYS),
    (SecretsConfig::TABLE, SecretsConfig::KEYS),
    (KmsConfig::TABLE, KmsConfig::KEYS),
    (StorageConfig::TABLE, StorageConfig::KEYS),
    (IdentityConfig::TABLE, IdentityConfig::KEYS),
    (Argon2Config::TABLE, Argon2Config::KEYS),
    (MailConfig::TABLE, MailConfig::KEYS),
    (LimitsConfig::TABLE, LimitsConfig::KEYS),
    (LimitCosts::TABLE, LimitCosts::KEYS),
    (TelemetryConfig::TABLE, TelemetryConfig::KEYS),
    (AuditConfig::TABLE, AuditConfig::KEYS),
];

impl ServerConfig {
    /// Whether a program can prove itself by a certificate at all.
    pub fn sees_certificates(&self) -> bool {
        self.client_certificates && self.tls_cert.is_some() || self.client_certificates_of_proxies && !self.trusted_proxies.is_empty()
    }
}

impl DatabaseConfig {
    /// The password of one plane's role: base64url of HMAC-SHA-256(secret, role). The migration that makes the role
    /// and the pool that signs in as it derive the same, so there is one secret to keep instead of ten.
    pub fn plane_password(&self, role: &str) -> SecretString {
        use base64::Engine;
        let key = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes());
        // HMAC takes a key of any length, so the error arm cannot be reached; an empty MAC would still be a password
        // nobody can guess, since it is never stored.
        let tag = key.map(|mac| mac.chain_update(role).finalize().into_bytes()).unwrap_or_default();
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag).into()
    }
}

impl Config {
    /// Refuses secrets that protect nothing: `serve` calls it before it opens a port.
    pub fn refuse_weak(&self) -> Result<(), ConfigError> {
        let keys = [
            ("secrets.seal_key", &self.secrets.seal_key),
            ("secrets.envelope_key", &self.secrets.envelope_key),
            ("secrets.audit_signing_key", &self.secrets.audit_signing_key),
            ("secrets.password_pepper", &self.secrets.password_pepper),
        ];
        for (at, (name, key)) in keys.iter().enumerate() {
            key.refuse_weak().map_err(|why| ConfigError::new(format!("{name}: {why}")))?;
            if let Some((other, _)) = keys[..at].iter().find(|(_, other)| other == key) {
                return Err(ConfigError::new(format!("{name}: is the same key as {other}")));
            }
        }
        for key in &self.secrets.other_envelope_keys {
            key.refuse_weak().map_err(|why| ConfigError::new(format!("secrets.other_envelope_keys: {why}")))?;
        }
        for (name, secret) in [("database.secret", &self.database.secret), ("storage.secret_key", &self.storage.secret_key)] {
            secret::refuse_weak_text(secret).map_err(|why| ConfigError::new(format!("{name}: {why}")))?;
        }
        Ok(())
    }

    /// The table of all keys for the README, as Markdown.
    pub fn reference() -> String {
        let mut text = String::from("| key | default | meaning |\n|---|---|---|\n");
        for (table, keys) in TABLES {
            for key in *keys {
                let default = match (key.default, key.is_optional()) {
                    ("", true) => "none".to_owned(),
                    ("", false) => "**required**".to_owned(),
                    (value, _) => format!("`{value}`"),
                };
                text.push_str(&format!("| `{table}.{}` | {default} | {} |\n", key.name, key.meaning.trim()));
            }
        }
        text
    }
}

#[cfg(test)]
pub(crate) mod tests;
