//! HL7's own definitions and vocabularies, the same for everybody, beside what clients keep of the same types.

use super::answer::{self, Shape};
use super::way::Way;
use super::{page, read, types};
use crate::fhir::definitions::Definitions;
use crate::fhir::definitions::originals::Original;
use crate::fhir::operation::{BULK, OPERATIONS};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::value::split;
use crate::fhir::search::{Kind, Query, SearchParam, Total};
use crate::fhir::{Resource, bundle, subset};
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use poem::Response;
use poem::http::StatusCode;
use serde_json::Value as Json;

/// Types of which clients keep none.
pub const OURS: [&str; 3] = ["CompartmentDefinition", "OperationDefinition", "SearchParameter"];
/// Types of which they keep their own.
const SHARED: [&str; 3] = ["CodeSystem", "StructureDefinition", "ValueSet"];
/// Where a page of HL7's ends; other cursors are those of what clients keep.
const CURSOR: &str = "hl7.";

pub fn is_of(name: &str) -> bool {
    OURS.contains(&name) || SHARED.contains(&name)
}

/// A parameter of R4 and the element of the head that answers it.
const PARAMETERS: &[(&str, &str)] = &[
    ("abstract", "abstract"),
    ("base", "base"),
    ("code", "code"),
    ("content-mode", "content"),
    ("derivation", "derivation"),
    ("instance", "instance"),
    ("kind", "kind"),
    ("name", "name"),
    ("publisher", "publisher"),
    ("status", "status"),
    ("system", "system"),
    ("target", "target"),
    ("title", "title"),
    ("type", "type"),
    ("url", "url"),
    ("version", "version"),
];

fn element(type_name: &str, parameter: &str) -> Option<&'static str> {
    match (type_name, parameter) {
        ("StructureDefinition", "base") => Some("baseDefinition"),
        // These are of concepts, which the head does not hold.
        ("CodeSystem" | "ValueSet", "code") | ("OperationDefinition", "base") => None,
        _ => PARAMETERS.iter().find(|(name, _)| *name == parameter).map(|(_, element)| *element),
    }
}

/// The parameters by which HL7's are found.
pub fn parameters(type_name: &str) -> Vec<SearchParam> {
    let known = Definitions.parameters(type_name).filter(|known| element(type_name, &known.code).is_some());
    let made = known.filter_map(|known| {
        let kind = Kind::named(&known.kind)?;
        Some(SearchParam::of(&known.code, kind, &known.url, &[]))
    });
    made.collect()
}

/// The types that are HL7's alone.
pub fn types() -> impl Iterator<Item = &'static TypeDef> {
    OURS.into_iter().map(|name| {
        let interactions = &[Interaction::Read, Interaction::SearchType];
        let search = types::forever(parameters(name));
        types::forever(TypeDef { interactions, search, ..TypeDef::all(name) })
    })
}

fn originals(type_name: &str) -> impl Iterator<Item = &'static Original> {
    let is_served = |id: &str| OPERATIONS.iter().any(|known| known.definition == id) || BULK.iter().any(|known| known.own == id);
    let is_offered = move |known: &&Original| known.text("kind") != Some("operation") || is_served(&known.id);
    Definitions.originals(type_name).filter(is_offered)
}

pub fn original(type_name: &str, id: &str) -> Option<&'static Original> {
    originals(type_name).find(|known| known.id == id)
}

/// HL7's resource of that id, for anybody.
pub fn get(type_name: &str, id: &str) -> Option<Result<Json>> {
    let known = original(type_name, id)?;
    Some(known.resource().ok_or_else(|| Error::internal("an original cannot be unpacked")))
}

pub fn answer(value: Json, shape: &Shape) -> Result<Response> {
    let mut resource = Resource::from_value(value)?;
    subset::cut(&mut resource, shape.query());
    answer::body(StatusCode::OK, &resource.into_value(), shape)
}

/// The searchset of a type: HL7's by their ids, then what clients keep.
pub async fn run(caller: &Caller, way: &mut Way<'_>, type_name: &str, query: &Query, base: &str) -> Result<Json> {
    let found: Vec<&Original> = originals(type_name).filter(|known| fits(type_name, known, query)).collect();
    let limit = if query.is_count_only() { 0 } else { query.count };
    let (from, kept_from) = match query.cursor.as_deref().map(|cursor| (cursor, cursor.strip_prefix(CURSOR))) {
        None => (0, None),
        Some((_, Some(place))) => (place.parse().map_err(|_| wrong_cursor())?, None),
        Some((cursor, None)) => (found.len(), Some(cursor.to_owned())),
    };
    let mut matches = Vec::new();
    for known in found.iter().skip(from).take(limit) {
        let value = known.resource().ok_or_else(|| Error::internal("an original cannot be unpacked"))?;
        let mut resource = Resource::from_value(value)?;
        subset::cut(&mut resource, query);
        matches.push((known.id.clone(), resource.into_value()));
    }
    let end = from.saturating_add(matches.len());
    let left = limit.saturating_sub(matches.len());
    let with_total = query.is_count_only() || query.total != Total::None;
    let mut page = bundle::Page { matches, included: Vec::new(), total: with_total.then_some(found.len() as u64), next: None };
    let sources = types::sources(type_name)?;
    let keeps = !sources.is_empty() && read::readable(caller, sources).is_ok();
    if keeps && (left > 0 || with_total) {
        let kept = page::run(caller, way, type_name, &Query { count: left, cursor: kept_from, ..query.clone() }, base).await?;
        take(&mut page, &kept);
    }
    if left == 0 && limit > 0 && (end < found.len() || keeps) {
        page.next = Some(format!("{CURSOR}{end}"));
    }
    Ok(bundle::searchset(base, type_name, query, page))
}

fn wrong_cursor() -> Error {
    Error::new(&error::PARAMETER_INVALID).fault("_cursor", "format", "The cursor is none of ours.")
}

/// Adds a page of what clients keep.
fn take(page: &mut bundle::Page, kept: &Json) {
    let of = |key: &str| kept[key].as_array().into_iter().flatten();
    for entry in of("entry") {
        let resource = (entry["resource"]["id"].as_str().unwrap_or_default().to_owned(), entry["resource"].clone());
        match entry["search"]["mode"].as_str() {
            Some("match") => page.matches.push(resource),
            Some("include") => page.included.push(resource),
            _ => {}
        }
    }
    page.total = page.total.map(|total| total + kept["total"].as_u64().unwrap_or(0));
    let next = of("link").find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
    page.next = next.and_then(|url| url.rsplit_once("_cursor=")).map(|(_, cursor)| cursor.to_owned());
}

/// Whether HL7's resource is what all parameters that took effect ask for.
fn fits(type_name: &str, known: &Original, query: &Query) -> bool {
    query.applied.iter().all(|(name, raw)| {
        let (name, modifier) = name.split_once(':').map_or((name.as_str(), None), |(name, modifier)| (name, Some(modifier)));
        let found: Vec<String> = match name {
            "_count" | "_sort" | "_summary" | "_total" | "_elements" | "_pretty" | "_format" | "_cursor" => return true,
            "_id" => vec![known.id.clone()],
            name => match element(type_name, name).and_then(|element| known.head(element)) {
                Some(Json::Array(items)) => items.iter().map(plain).collect(),
                Some(one) => vec![plain(one)],
                None => Vec::new(),
            },
        };
        let is_text = matches!(name, "name" | "title" | "publisher");
        let is_any = split(raw, ',').iter().any(|asked| found.iter().any(|found| agrees(found, asked, modifier, is_text)));
        if modifier == Some("not") { !is_any } else { is_any }
    })
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn agrees(found: &str, asked: &str, modifier: Option<&str>, is_text: bool) -> bool {
    match (is_text, modifier) {
        (true, None) => found.to_lowercase().starts_with(&asked.to_lowercase()),
        (true, Some("contains")) => found.to_lowercase().contains(&asked.to_lowercase()),
        (true, Some("exact")) => found == asked,
        // Of an address.
        (false, Some("contains")) => found.contains(asked),
        // A code's system is that of its element.
        (false, None | Some("not")) => found == asked || asked.rsplit_once('|').is_some_and(|(_, code)| found == code),
        _ => false,
    }
}
