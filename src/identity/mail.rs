//! Letters to people: written into the outbox in the transaction that made them, for whoever delivers mail. A letter is sealed,
//! for it says an address and holds a key.

use super::words::Words;
use crate::kernel::Kernel;
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub const EVENT: &str = "mail.written";
const PLACE: &[u8] = b"mail";

sql! {
    /// $1 tenant, $2 id, $3 event, $4 kind of the record it is about, $5 its id, $6 request, $7 payload.
    WRITE(UUID, UUID, TEXT, TEXT, UUID, UUID, JSONB) = "
        insert into outbox_events (tenant_id, id, event_type, resource_type, resource_id, request_id, payload) values ($1, $2, $3, $4, $5, $6, $7)";
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

/// Writes it down; it goes when the scope is committed. The scope is the server's own.
pub async fn write(scope: &mut Scope, kernel: &Kernel, about: (&'static str, Uuid), letter: &Letter) -> Result<()> {
    let sealed = kernel.keys.own().seal(PLACE, &serde_json::to_vec(letter).map_err(Error::internal)?)?;
    let payload = json!({"sealed": BASE64_STANDARD.encode(sealed)});
    let (tenant, id, request) = (scope.context().tenant.unwrap_or(PLATFORM_TENANT), scope.new_id(), scope.context().request);
    scope.exec(&WRITE, &[&tenant, &id, &EVENT, &about.0, &about.1, &request, &payload]).await?;
    Ok(())
}

/// What an event of the outbox holds, for whoever delivers it.
pub fn read(kernel: &Kernel, payload: &Json) -> Result<Letter> {
    let sealed = BASE64_STANDARD.decode(payload["sealed"].as_str().unwrap_or_default()).map_err(Error::internal)?;
    serde_json::from_slice(&kernel.keys.own().open(PLACE, &sealed)?).map_err(Error::internal)
}
