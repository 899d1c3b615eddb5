//! Profiles that are a clinic's own: StructureDefinitions, ValueSets and CodeSystems that it keeps whole, compiled when a resource
//! that claims one of them is judged. What R4 and the guides say is known already.

use super::{read, search, types};
use crate::fhir::definitions::Definitions;
use crate::fhir::definitions::profiles::Profiles;
use crate::fhir::search::form;
use crate::fhir::{Resource, check};
use crate::kernel::Caller;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, INVALID, Result};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// Definitions that one resource may lead to.
const DEFINITIONS_MAX: usize = 64;

type Name = (&'static str, String);

/// A resource that claims a profile of the clinic's is what the profile says; one that claims what nobody knows here is stored.
pub async fn judge(scope: &mut Scope, caller: &Caller, resource: &Resource, base: &str) -> Result<()> {
    let mut claimed = BTreeSet::new();
    claims_of(resource.as_map(), &mut claimed);
    let Some(own) = load(scope, caller, claimed, base).await? else { return Ok(()) };
    let faults = check::judge(&Json::Object(resource.as_map().clone()), &own);
    if faults.is_empty() { Ok(()) } else { Err(Error::new(&INVALID).faults(faults)) }
}

/// The clinic's own definitions of those that the resource claims and of those that are named, with all they lead to.
pub async fn of(scope: &mut Scope, caller: &Caller, resource: &Json, named: &[&str], base: &str) -> Result<Profiles> {
    let mut claimed: BTreeSet<Name> = named.iter().filter_map(|url| unknown("StructureDefinition", url)).collect();
    claims(resource, &mut claimed);
    Ok(load(scope, caller, claimed, base).await?.unwrap_or_default())
}

/// What is claimed by the resource and by those inside of it, and is not of R4 or a guide.
fn claims(value: &Json, claimed: &mut BTreeSet<Name>) {
    match value {
        Json::Object(map) => claims_of(map, claimed),
        Json::Array(items) => items.iter().for_each(|item| claims(item, claimed)),
        _ => {}
    }
}

fn claims_of(map: &Map<String, Json>, claimed: &mut BTreeSet<Name>) {
    let urls = map.get("meta").and_then(|meta| meta.get("profile")).and_then(Json::as_array);
    claimed.extend(urls.into_iter().flatten().filter_map(Json::as_str).filter_map(|url| unknown("StructureDefinition", url)));
    // Resources stand in other resources here alone.
    ["contained", "entry", "resource", "parameter", "part"].iter().filter_map(|key| map.get(*key)).for_each(|inner| claims(inner, claimed));
}

fn unknown(kind: &'static str, url: &str) -> Option<Name> {
    let url = url.split('|').next().filter(|url| !url.is_empty())?;
    let is_known = match kind {
        "StructureDefinition" => Definitions.by_url(url).is_some(),
        "ValueSet" => Definitions.value_set(url).is_some(),
        _ => Definitions.code_system(url).is_some(),
    };
    (!is_known).then(|| (kind, url.to_owned()))
}

/// None, where the clinic has none of them.
async fn load(scope: &mut Scope, caller: &Caller, mut waiting: BTreeSet<Name>, base: &str) -> Result<Option<Profiles>> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(name) = waiting.pop_first() {
        if seen.len() >= DEFINITIONS_MAX {
            return Err(Error::new(&error::TOO_COSTLY).detail("The profiles lead to more than 64 definitions."));
        }
        if seen.insert(name.clone())
            && let Some(definition) = kept(scope, caller, &name, base).await?
        {
            leads_to(&definition, &mut waiting);
            found.push(definition);
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut own = Profiles::default();
    // What cannot be compiled cannot be judged by: it is as unknown as what is not here.
    own.load(&found);
    Ok(Some(own))
}

/// The clinic's definition of that address. Who may read none of them is judged by none.
async fn kept(scope: &mut Scope, caller: &Caller, (kind, url): &Name, base: &str) -> Result<Option<Json>> {
    let def = types::registry().find(kind)?;
    let query = search::strict(def, &form::encode([("url", url.as_str())]), base)?;
    let ids = match search::matches(scope, caller, def, &query).await {
        Err(refusal) if refusal.code == &error::FORBIDDEN => return Ok(None),
        found => found?,
    };
    let Some(id) = ids.first() else { return Ok(None) };
    Ok(Some(read::within(scope, caller, types::sources(kind)?, *id).await?.resource.into_value()))
}

/// Bases, profiles of types, and the codes that elements are bound to.
fn leads_to(definition: &Json, waiting: &mut BTreeSet<Name>) {
    let mut add = |kind: &'static str, url: &Json| waiting.extend(url.as_str().and_then(|url| unknown(kind, url)));
    add("StructureDefinition", &definition["baseDefinition"]);
    for part in ["snapshot", "differential"] {
        for element in definition[part]["element"].as_array().into_iter().flatten() {
            add("ValueSet", &element["binding"]["valueSet"]);
            let types = element["type"].as_array().into_iter().flatten();
            types.filter_map(|of| of["profile"].as_array()).flatten().for_each(|url| add("StructureDefinition", url));
        }
    }
    for part in ["include", "exclude"] {
        for include in definition["compose"][part].as_array().into_iter().flatten() {
            add("CodeSystem", &include["system"]);
            include["valueSet"].as_array().into_iter().flatten().for_each(|url| add("ValueSet", url));
        }
    }
}
