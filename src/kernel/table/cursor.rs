//! Where a page ends and the next begins.

use super::field::Ty;
use super::list::List;
use super::value::Value;
use crate::kernel::crypto::Ring;
use crate::kernel::error::{self, Error, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Where the last page ended. Travels sealed: a sort value may be a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    pub value: Option<String>,
    pub id: Uuid,
    pub tenant: Uuid,
}

/// A sort value as the cursor had it.
pub(super) fn from_text(ty: Ty, text: &str) -> Result<Value> {
    let wrong = || Error::new(&error::PARAMETER_INVALID).fault("cursor", "format", "The cursor is not one of ours.");
    let field = super::Field::text("cursor").length(4_000);
    let field = super::Field { ty, ..field };
    let json = match ty {
        Ty::Int | Ty::BigInt => Json::Number(text.parse::<i64>().map_err(|_| wrong())?.into()),
        Ty::Bool => Json::Bool(text == "true"),
        _ => Json::String(text.to_owned()),
    };
    super::value::parse(&field, &json).map_err(|_| wrong())
}

impl Cursor {
    /// Sealed for this list: a cursor of another list, sort or direction does not open.
    pub fn seal(&self, list: &List, ring: &Ring) -> Result<String> {
        let plain = json!([self.value, self.id.to_string(), self.tenant.to_string()]).to_string();
        Ok(BASE64_URL_SAFE_NO_PAD.encode(ring.seal(&place(list), plain.as_bytes())?))
    }
    pub fn open(text: &str, list: &List, ring: &Ring) -> Result<Cursor> {
        let wrong = || Error::new(&error::PARAMETER_INVALID).fault("cursor", "format", "The cursor is not one of this list's.");
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let plain = ring.open(&place(list), &sealed).map_err(|_| wrong())?;
        let (value, id, tenant): (Option<String>, Uuid, Uuid) = serde_json::from_slice(&plain).map_err(|_| wrong())?;
        Ok(Cursor { value, id, tenant })
    }
}

fn place(list: &List) -> Vec<u8> {
    format!("cursor {} {} {} {}", list.table.name, list.sort.name, list.descending, list.question).into_bytes()
}
