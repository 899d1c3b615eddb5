//! Bytes inside a resource: they go to the file registry, and the resource names the file in their place.

use crate::fhir::Resource;
use crate::fhir::mapping::{Columns, Mapping};
use crate::imaging::attached::{self, Attached, BYTES_MAX};
use crate::imaging::document::DOCUMENT;
use crate::imaging::file::FILE;
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

/// Bytes that were taken out, and where they stood.
pub struct Found {
    media_type: String,
    name: String,
    bytes: Vec<u8>,
    path: String,
}

/// The resource without its bytes, where its table has files. A file is what `id` names.
pub fn split(mapping: &Mapping, resource: &Resource, id: Uuid) -> Option<(Resource, Found)> {
    let name = resource.type_name();
    match (name, mapping.table.name) {
        ("Binary", table) if table == FILE.name => {
            let mut map = resource.as_map().clone();
            let found = taken(&mut map, format!("{name}.data"))?;
            Some((Resource::from_value(Json::Object(map)).ok()?, found))
        }
        ("DocumentReference", table) if table == DOCUMENT.name => {
            let mut whole = Json::Object(resource.as_map().clone());
            let attachment = whole.pointer_mut("/content/0/attachment")?.as_object_mut()?;
            let found = taken(attachment, format!("{name}.content[0].attachment.data"))?;
            attachment.insert("url".into(), json!(format!("Binary/{id}")));
            attachment.insert("size".into(), json!(found.bytes.len()));
            Some((Resource::from_value(whole).ok()?, found))
        }
        _ => None,
    }
}

fn taken(of: &mut Map<String, Json>, path: String) -> Option<Found> {
    let media_type = of.get("contentType")?.as_str()?.to_owned();
    let data = of.get("data")?.as_str()?;
    // What is far too large is told when it is stored.
    let bytes = if data.len() / 4 * 3 > BYTES_MAX + 3 { vec![0; BYTES_MAX + 1] } else { BASE64_STANDARD.decode(data).ok()? };
    if !attached::takes(&media_type) {
        return None;
    }
    let name = of.get("title").and_then(Json::as_str).unwrap_or("attachment").to_owned();
    of.shift_remove("data");
    Some(Found { media_type, name, bytes, path })
}

pub async fn keep(scope: &mut Scope, caller: &Caller, columns: &Columns, found: Found, id: Uuid) -> Result<()> {
    let patient = columns.get("patient_id").and_then(Json::as_str).and_then(|id| id.parse().ok());
    let Found { media_type, name, bytes, path } = found;
    let attached = Attached { id, patient, kind: "DOCUMENT", name, media_type, bytes: bytes.into() };
    attached::keep(scope, caller, attached, &path).await.map(drop)
}
