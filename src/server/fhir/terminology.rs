//! The terminology operations, over what HL7 and the caller's tenant say.

use super::operations::{self, Call};
use super::way::Way;
use super::{page, read, search, types};
use crate::fhir::definitions::Definitions;
use crate::fhir::negotiate::Prefer;
use crate::fhir::search::{Query, form};
use crate::fhir::terminology::{self, Coding, Known, Verdict, bare, parameters, part};
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

/// Concepts on one page of an expansion.
const PAGE_MAX: usize = 1_000;
/// Kept sets and systems that one value set may lead to.
const LOOKUPS_MAX: usize = 16;

fn unknown(what: &str) -> Error {
    Error::new(&error::NOT_FOUND).detail(format!("The {what} is not known here."))
}

/// Where the answer is neither yes nor no.
fn untold() -> Error {
    Error::new(&error::NOT_SUPPORTED).detail("It draws on code systems that are not held here, so this cannot be told.")
}

fn required(name: &'static str) -> Error {
    Error::new(&error::PARAMETER_INVALID).fault(name, "required", "The parameter is required.")
}

/// What the caller's tenant keeps under that address; nothing, where the caller may not see such resources.
async fn kept(caller: &Caller, way: &mut Way<'_>, base: &str, type_name: &str, url: &str) -> Result<Option<Json>> {
    let def = types::registry().find(type_name)?;
    if super::allowed(caller, def, crate::fhir::registry::Interaction::SearchType).is_err()
        || read::readable(caller, types::sources(def.name)?).is_err()
    {
        return Ok(None);
    }
    let text = form::encode([("url", bare(url))]);
    let query = match search::parse(def.name, def.search, &text, Prefer::STRICT, base) {
        Ok(query) => query,
        Err(_) => return Ok(None),
    };
    let found = page::run(caller, way, def.name, &Query { count: 1, ..query }, base).await?;
    Ok(found["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).find(|it| it["resourceType"] == type_name))
}

/// What has to be known beside HL7's to judge by these resources: they and what they lead to.
pub async fn gathered(caller: &Caller, way: &mut Way<'_>, base: &str, mut open: Vec<Json>) -> Result<Known> {
    let mut known: Vec<Json> = Vec::new();
    let mut lookups = 0;
    while let Some(resource) = open.pop() {
        for (kind, url) in terminology::named_by(&resource) {
            let is_known = known.iter().chain(&open).any(|it| it["url"] == url.as_str())
                || Definitions.code_system(&url).is_some()
                || Definitions.value_set(&url).is_some();
            if !is_known && lookups < LOOKUPS_MAX {
                lookups += 1;
                open.extend(kept(caller, way, base, kind, &url).await?);
            }
        }
        known.push(resource);
    }
    Ok(Known::of(known))
}

/// HL7's or the tenant's resource of that address.
pub async fn addressed(caller: &Caller, way: &mut Way<'_>, base: &str, type_name: &str, url: &str) -> Result<Option<Json>> {
    match Known::default().resource(type_name, url) {
        Some(known) => Ok(Some(known)),
        None => kept(caller, way, base, type_name, url).await,
    }
}

/// The resource an operation is about: of the path, handed in, or named by its address.
async fn subject(call: &Call<'_>, handed_in: &str, named: &'static str) -> Result<Option<Json>> {
    if let Some(id) = call.id {
        return operations::by_id(call, id).await.map(Some);
    }
    if let Some(resource) = call.inputs.get(handed_in).filter(|it| it.is_object()) {
        return Ok(Some(resource.clone()));
    }
    let Some(url) = call.inputs.text(named) else { return Ok(None) };
    let found = addressed(call.caller, &mut Way::Apart, call.base, call.def.name, url).await?;
    found.map(Some).ok_or_else(|| unknown("resource of that address"))
}

pub async fn expand(call: &Call<'_>) -> Result<Json> {
    let mut set = subject(call, "valueSet", "url").await?.ok_or_else(|| required("url"))?;
    if set["url"].as_str().is_none() {
        set["url"] = json!(format!("urn:uuid:{}", Uuid::new_v4()));
    }
    let known = gathered(call.caller, &mut Way::Apart, call.base, vec![set.clone()]).await?;
    let mut codes = known.expanded(&set).ok_or_else(untold)?;
    if let Some(filter) = call.inputs.text("filter") {
        let filter = filter.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&filter);
        codes.retain(|coding| holds(&coding.code) || coding.display.as_deref().is_some_and(holds));
    }
    let offset = call.inputs.whole("offset")?.unwrap_or(0);
    let count = call.inputs.whole("count")?.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let told: Vec<Json> = codes.iter().skip(offset).take(count).map(coded).collect();
    let mut expansion = json!({
        "identifier": format!("urn:uuid:{}", Uuid::new_v4()),
        "timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        "total": codes.len(),
        "offset": offset,
        "parameter": [part("count", "valueInteger", json!(count)), part("offset", "valueInteger", json!(offset))],
    });
    if !told.is_empty() {
        expansion["contains"] = Json::Array(told);
    }
    let mut answer = Map::new();
    for key in ["resourceType", "id", "url", "version", "name", "title", "status", "experimental"] {
        answer.extend(set.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    answer.entry("status").or_insert_with(|| json!("active"));
    answer.insert("expansion".into(), expansion);
    Ok(Json::Object(answer))
}

fn coded(coding: &Coding) -> Json {
    let mut told = Map::new();
    for (key, value) in [("system", &coding.system), ("code", &Some(coding.code.clone())), ("display", &coding.display)] {
        told.extend(value.as_ref().map(|value| (key.to_owned(), json!(value))));
    }
    Json::Object(told)
}

/// The first code that is in; or why the last is not.
fn judged(asked: &[Coding], judge: impl Fn(&Coding) -> Option<Verdict>) -> Result<Json> {
    let mut verdicts = Vec::new();
    for coding in asked {
        verdicts.extend(judge(coding));
    }
    let is_any = verdicts.iter().position(|verdict| verdict.is_in);
    let at = is_any.unwrap_or(verdicts.len().saturating_sub(1));
    // Where one of several cannot be told, only a yes is an answer.
    let told = verdicts.get(at).filter(|verdict| verdict.is_in || verdicts.len() == asked.len()).ok_or_else(untold)?;
    let mut parts = vec![part("result", "valueBoolean", json!(told.is_in))];
    parts.extend(told.message.map(|message| part("message", "valueString", json!(message))));
    parts.extend(told.display.as_ref().map(|display| part("display", "valueString", json!(display))));
    Ok(parameters(parts))
}

fn asked(call: &Call<'_>) -> Result<Vec<Coding>> {
    let asked = call.inputs.codings();
    if asked.is_empty() { Err(required("code")) } else { Ok(asked) }
}

pub async fn in_set(call: &Call<'_>) -> Result<Json> {
    let mut set = subject(call, "valueSet", "url").await?.ok_or_else(|| required("url"))?;
    if set["url"].as_str().is_none() {
        set["url"] = json!(format!("urn:uuid:{}", Uuid::new_v4()));
    }
    let known = gathered(call.caller, &mut Way::Apart, call.base, vec![set.clone()]).await?;
    let url = set["url"].as_str().unwrap_or_default();
    judged(&asked(call)?, |coding| known.in_set(url, coding))
}

/// The code system that the call is about, which is the address of a coding where nothing else says so.
async fn system(call: &Call<'_>) -> Result<Json> {
    if let Some(found) = subject(call, "codeSystem", "url").await? {
        return Ok(found);
    }
    let of = |key: &str| call.inputs.get(key).and_then(|coding| coding["system"].as_str());
    let url = call.inputs.text("system").or_else(|| of("coding")).or_else(|| of("codingA")).ok_or_else(|| required("system"))?;
    addressed(call.caller, &mut Way::Apart, call.base, "CodeSystem", url).await?.ok_or_else(|| unknown("code system"))
}

pub async fn in_system(call: &Call<'_>) -> Result<Json> {
    let system = system(call).await?;
    let url = system["url"].as_str().unwrap_or_default().to_owned();
    let known = Known::of(vec![system]);
    let other = |coding: &Coding| coding.system.as_ref().is_some_and(|system| *system != url);
    let not_of_it = || Verdict { is_in: false, display: None, message: Some("The code is of another code system.") };
    judged(&asked(call)?, |coding| if other(coding) { Some(not_of_it()) } else { known.in_system(&url, coding) })
}

pub async fn lookup(call: &Call<'_>) -> Result<Json> {
    let code = asked(call)?.into_iter().next().ok_or_else(|| required("code"))?;
    let system = system(call).await?;
    terminology::looked_up(&system, &code.code).ok_or_else(|| unknown("code"))
}

pub async fn subsumes(call: &Call<'_>) -> Result<Json> {
    let code = |plain: &'static str, coding: &str| {
        let coded = call.inputs.get(coding).and_then(|coding| coding["code"].as_str());
        call.inputs.text(plain).or(coded).map(str::to_owned).ok_or_else(|| required(plain))
    };
    let (one, other) = (code("codeA", "codingA")?, code("codeB", "codingB")?);
    let system = system(call).await?;
    let url = system["url"].as_str().unwrap_or_default().to_owned();
    let known = Known::of(vec![system]);
    let told = known.subsumed(&url, &one, &other).ok_or_else(|| unknown("code"))?;
    Ok(parameters(vec![part("outcome", "valueCode", json!(told))]))
}

pub async fn translate(call: &Call<'_>) -> Result<Json> {
    let map = subject(call, "conceptMap", "url").await?.ok_or_else(|| required("url"))?;
    let asked = asked(call)?;
    let coding = asked.first().ok_or_else(|| required("code"))?;
    Ok(terminology::translated(&map, coding, call.inputs.text("targetsystem"), call.inputs.flag("reverse")))
}
