//! `$meta`, `$meta-add` and `$meta-delete`: a resource's profiles, tags and security labels.

use super::effect::{Aim, Done, Effect, What};
use super::operations::{self, Call};
use super::write::{self, Change};
use super::{allowed, library, read, record_id, types};
use crate::fhir::check;
use crate::fhir::registry::Interaction;
use crate::fhir::terminology::parameters;
use crate::kernel::error::{self, Error, Result};
use crate::server::idempotency::Turn;
use serde_json::{Map, Value as Json, json};

/// The lists of `meta` that are a client's.
const LISTS: [&str; 3] = ["profile", "tag", "security"];

type Edit = fn(&mut Vec<Json>, &Json);

pub async fn shown(call: &Call<'_>) -> Result<Json> {
    let id = call.id.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let resource = operations::by_id(call, id).await?;
    Ok(told(resource.get("meta").cloned().unwrap_or_else(|| json!({}))))
}

fn told(meta: Json) -> Json {
    parameters(vec![json!({"name": "return", "valueMeta": meta})])
}

/// A label is known by its system and code, a profile by its address.
fn is_same(one: &Json, other: &Json) -> bool {
    one == other || one.is_object() && one.get("system") == other.get("system") && one.get("code") == other.get("code")
}

pub fn add(list: &mut Vec<Json>, item: &Json) {
    if !list.iter().any(|known| is_same(known, item)) {
        list.push(item.clone());
    }
}

pub fn remove(list: &mut Vec<Json>, item: &Json) {
    list.retain(|known| !is_same(known, item));
}

/// An update of the resource like any other, of the version that was read.
pub async fn changed(call: &Call<'_>, edit: Edit) -> Result<Json> {
    let wrong = || Error::new(&error::PARAMETER_INVALID).fault("meta", "required", "The parameter is a Meta.");
    let given = call.inputs.get("meta").and_then(Json::as_object).ok_or_else(wrong)?;
    let id = call.id.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    if library::get(call.def.name, id).is_some() {
        return Err(Error::new(&error::METHOD_NOT_ALLOWED));
    }
    allowed(call.caller, call.def, Interaction::Update)?;
    let sources = types::sources(call.def.name)?;
    let found = read::one(call.caller, sources, record_id(Some(id))?).await?;
    let (record, version) = (found.record.id, found.record.version);
    let mut resource = found.resource.into_value();
    edited(&mut resource, given, edit);
    let what = What::Update(check::sound(resource, call.def.name)?);
    let effect = Effect { def: call.def, what, aim: Aim::There(record), version: Some(version) };
    let Turn::First(mut once) = write::begin_entry(call.caller, sources, Change::Update, None).await? else {
        return Err(Error::internal("a call without a key is its own first"));
    };
    let done = effect.run(&mut once.scope, call.caller, call.base).await?;
    once.end_kept(200, None).await?;
    match done {
        Done::Changed(shown) => Ok(told(shown.resource.into_value()["meta"].take())),
        _ => Err(Error::new(&error::NOT_FOUND)),
    }
}

fn edited(resource: &mut Json, given: &Map<String, Json>, edit: Edit) {
    let Some(resource) = resource.as_object_mut() else { return };
    let Some(meta) = resource.entry("meta").or_insert_with(|| json!({})).as_object_mut() else { return };
    for key in LISTS {
        let mut list = meta.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
        given.get(key).and_then(Json::as_array).into_iter().flatten().for_each(|item| edit(&mut list, item));
        if list.is_empty() {
            meta.shift_remove(key);
        } else {
            meta.insert(key.to_owned(), Json::Array(list));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sets() {
        let given = json!({"tag": [{"system": "urn:t", "code": "red"}], "profile": ["http://x.test/p"]});
        let given = given.as_object().unwrap();
        let mut resource = json!({"resourceType": "Patient", "meta": {"versionId": "3"}});
        edited(&mut resource, given, add);
        edited(&mut resource, given, add);
        assert_eq!(
            resource["meta"],
            json!({"versionId": "3", "profile": ["http://x.test/p"], "tag": [{"system": "urn:t", "code": "red"}]})
        );
        edited(&mut resource, json!({"tag": [{"system": "urn:t", "code": "red", "display": "Red"}]}).as_object().unwrap(), remove);
        assert_eq!(resource["meta"], json!({"versionId": "3", "profile": ["http://x.test/p"]}));
    }
}
