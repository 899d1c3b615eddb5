//! The kernel: what every domain stands on. It knows no dentistry.
pub mod audit;
pub mod audit_store;
pub mod bell;
pub mod caller;
pub mod certificate;
pub mod config;
pub mod context;
pub mod crypto;
pub mod db;
pub mod embedded;
pub mod error;
pub mod fair;
pub mod group;
pub mod hex;
pub mod json;
pub mod money;
pub mod operation;
pub mod page;
pub mod path;
pub mod post;
pub mod storage;
pub mod table;
pub mod telemetry;

pub use caller::Caller;
pub use error::{Error, Result};

/// What a running server shares: the door to the database, the keys, the audit log, the object store.
pub struct Kernel {
    pub door: db::SharedDoor,
    pub keys: crypto::Keyring,
    pub audit: audit::AuditLog,
    pub storage: storage::Store,
    pub config: config::Config,
    /// What higher floors keep for the life of the server, by its type.
    pub services: http::Extensions,
}
