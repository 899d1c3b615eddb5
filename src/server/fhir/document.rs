//! `Composition/id/$document`: the composition and what it names, in one Bundle that can leave (R4 §2.42).

use super::operations::Call;
use super::{allowed, library, read, record_id, types};
use crate::fhir::link;
use crate::fhir::reference::Literal;
use crate::fhir::registry::Interaction;
use crate::kernel::error::{self, Error, Result};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Resources that one composition can name.
const NAMED_MAX: usize = 500;

/// Each is read as its reader reads it. What they may not read is missed by nobody who is given half of a document, so there is
/// none then; what is not there is not missed.
pub async fn run(call: &Call<'_>) -> Result<Json> {
    for name in ["persist", "graph"] {
        if call.inputs.get(name).is_some_and(|value| value != &Json::Bool(false) && value != "false") {
            return Err(Error::new(&error::PARAMETER_INVALID).fault(
                name,
                "not-supported",
                "A document is made, and kept by a create of it.",
            ));
        }
    }
    let id = record_id(call.id)?;
    let composition = read::one(call.caller, types::sources(call.def.name)?, id).await?.resource.into_value();
    let names: BTreeSet<(&str, &str)> = link::references(&composition)
        .into_iter()
        .filter_map(|text| match Literal::parse(text, call.base) {
            Literal::Local { type_name, id, .. } => Some((type_name, id)),
            _ => None,
        })
        .collect();
    if names.len() > NAMED_MAX {
        return Err(Error::new(&error::TOO_COSTLY).detail("A document holds at most 500 resources."));
    }
    let entry = |name: &str, id: &str, resource: &Json| json!({"fullUrl": format!("{}/{name}/{id}", call.base), "resource": resource});
    let own = id.to_string();
    let mut entries = vec![entry(call.def.name, &own, &composition)];
    for (name, id) in names {
        if (name, id) != (call.def.name, own.as_str())
            && let Some(resource) = named(call, name, id).await?
        {
            entries.push(entry(name, id, &resource));
        }
    }
    Ok(json!({
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{}", Uuid::now_v7())},
        "type": "document",
        "timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "entry": entries,
    }))
}

/// What a reference leads to; nothing, where nothing is.
async fn named(call: &Call<'_>, name: &str, id: &str) -> Result<Option<Json>> {
    if let Some(known) = library::get(name, id) {
        return known.map(Some);
    }
    let (Ok(def), Ok(id)) = (types::registry().find(name), record_id(Some(id))) else { return Ok(None) };
    let found = match allowed(call.caller, def, Interaction::Read) {
        Ok(()) => read::one(call.caller, types::sources(def.name)?, id).await,
        Err(refusal) => Err(refusal),
    };
    match super::told(call.caller, def, Some(id), super::action(Interaction::Read), found).await {
        Ok(shown) => Ok(Some(shown.resource.into_value())),
        Err(refusal) if refusal.code == &error::NOT_FOUND || refusal.code == &error::GONE => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
