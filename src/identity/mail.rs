//! Letters to people: written down in the transaction that made them, for the worker to deliver. A letter is sealed, for it says
//! an address and holds a key.

use super::words::Words;
use crate::kernel::Kernel;
use crate::kernel::bell::Bell;
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const PLACE: &[u8] = b"mail";

sql! {
    /// $1 tenant, $2 id, $3 kind, $4 kind of the record it is about, $5 its id, $6 sealed, $7 good until.
    WRITE(UUID, UUID, TEXT, TEXT, UUID, BYTEA, TIMESTAMPTZ) = "
        insert into letters (tenant_id, id, kind, resource_type, resource_id, letter_enc, good_until) values ($1, $2, $3, $4, $5, $6, $7)";
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    /// Plain text.
    pub text: String,
}

impl Letter {
    /// A line for what it is about, the address to open, and that nothing happens to whoever leaves it.
    pub fn with_link(words: &Words, to: &str, subject: &str, about: &str, link: &str) -> Letter {
        let text = format!("{about}\n\n{link}\n\n{}\n", words.leave_letter);
        Letter { to: to.to_owned(), subject: subject.to_owned(), text }
    }
}

/// What a letter is about.
pub struct About {
    /// A word of `letters.kind`.
    pub kind: &'static str,
    pub table: &'static str,
    pub id: Uuid,
    /// What it says is worth nothing afterwards.
    pub good_until: DateTime<Utc>,
}

/// Writes it down with all that the scope has done, which is the server's own, and has it delivered.
pub async fn post(mut scope: Scope, kernel: &Kernel, about: &About, letter: &Letter) -> Result<()> {
    let sealed = kernel.keys.own().seal(PLACE, &serde_json::to_vec(letter).map_err(Error::internal)?)?;
    let (tenant, id) = (scope.context().tenant.unwrap_or(PLATFORM_TENANT), scope.new_id());
    let About { kind, table, id: record, good_until } = about;
    scope.exec(&WRITE, &[&tenant, &id, kind, table, record, &sealed, good_until]).await?;
    scope.commit().await?;
    Bell::of(kernel).letters.notify_one();
    Ok(())
}

/// What a row holds, for whoever delivers it.
pub fn read(kernel: &Kernel, sealed: &[u8]) -> Result<Letter> {
    serde_json::from_slice(&kernel.keys.own().open(PLACE, sealed)?).map_err(Error::internal)
}
