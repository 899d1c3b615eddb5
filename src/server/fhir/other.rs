//! Types that no table of ours is, and resources that lack what our records need: kept whole, in the compartment of the patient
//! they name, those of the directory apart.

use super::types::forever;
use crate::directory::kept_directory_entry::KEPT_DIRECTORY_ENTRY;
use crate::fhir::Resource;
use crate::fhir::bind::selected;
use crate::fhir::definitions::Definitions;
use crate::fhir::find::Find;
use crate::fhir::mapping::{Mapping, PEOPLE, STAFF, Take, Taken};
use crate::fhir::reference::Literal;
use crate::fhir::registry::TypeDef;
use crate::integrations::kept_resource::KEPT_RESOURCE;
use crate::kernel::error::Result;
use crate::kernel::table::{Sort, Table, Ty};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What the server makes itself, what stands for no record, and what is a record of ours or nothing.
const NOT_KEPT: &[&str] = &[
    "AuditEvent",
    "Binary",
    "CompartmentDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Parameters",
    "SearchParameter",
    "Subscription",
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "Location",
    "Coverage",
];

/// Kept beside the charts they would give whoever reads the directory the permission to read charts: a scope for a type stands
/// for the permissions of all its tables.
const OF_DIRECTORY: &[&str] = &["PractitionerRole"];

/// The tables of what is kept whole; which type a row is, it says itself.
pub const HOMES: [&Table; 2] = [&KEPT_RESOURCE, &KEPT_DIRECTORY_ENTRY];

/// The rows of the type `name`, beside those of the `known` tables; None: such resources are not kept.
pub fn mapping(name: &'static str, known: &[&'static Mapping]) -> Option<&'static Mapping> {
    if NOT_KEPT.contains(&name) {
        return None;
    }
    // What is said in the directory is for those who work with it; patients read the records alone.
    let (table, take, planes) = match OF_DIRECTORY.contains(&name) {
        true => (&KEPT_DIRECTORY_ENTRY, None, STAFF),
        false => (&KEPT_RESOURCE, Some(take as Take), PEOPLE),
    };
    let of = known.first().map_or_else(|| forever(TypeDef::all(name)), |mapping| mapping.of);
    // What is sorted by a text has none here, and comes last: a row that is there has no such reason.
    let sorts = known.first().map(|mapping| mapping.sorts).unwrap_or_default().iter().filter(|sort| sort.ty == Ty::Text);
    let sorts: Vec<Sort> = sorts.map(|sort| Sort { column: "delete_reason", nullable: true, ..*sort }).collect();
    let search: Vec<(&'static str, Find)> = SUBJECTS
        .iter()
        .filter(|code| !about(name).is_empty() && paths(name, code) == about(name))
        .map(|code| (*code, Find::Points { column: "r.patient_id", to: "Patient" }))
        .collect();
    Some(forever(Mapping {
        only: Some(("resource_type", name)),
        take,
        creates: true,
        search: forever(search),
        sorts: forever(sorts),
        ..Mapping::new(of, table, planes)
    }))
}

/// The parameters that name whom a resource is about, in the order they are believed.
const SUBJECTS: [&str; 2] = ["patient", "subject"];

/// The elements that a parameter of the type selects; none, where it cannot lead to a patient.
fn paths(name: &str, code: &str) -> Vec<&'static str> {
    let known = Definitions::r4().parameter(name, code).filter(|known| known.targets.iter().any(|target| target == "Patient"));
    let mut paths = known.map(|known| selected(&known.expression, name)).unwrap_or_default();
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn about(name: &str) -> Vec<&'static str> {
    SUBJECTS.iter().map(|code| paths(name, code)).find(|paths| !paths.is_empty()).unwrap_or_default()
}

/// The patient of ours that the resource is about; its row is theirs.
fn take(resource: &Resource, base: &str, taken: &mut Taken) -> Result<()> {
    let name = resource.type_name();
    let found = match name {
        "Bundle" => inside(resource.as_map(), base).map(|id| (id, "entry")),
        _ => subject(name, resource.as_map(), base),
    };
    let (id, path) = found.map_or((Json::Null, name.to_owned()), |(id, path)| (json!(id), format!("{name}.{path}")));
    taken.root.set("patient_id", id, path);
    Ok(())
}

fn subject(name: &str, resource: &Map<String, Json>, base: &str) -> Option<(Uuid, &'static str)> {
    about(name).into_iter().find_map(|path| {
        let mut at = vec![resource.get(path.split('.').next()?)?];
        for step in path.split('.').skip(1) {
            at = at.into_iter().flat_map(items).filter_map(|node| node.get(step)).collect();
        }
        at.into_iter().flat_map(items).find_map(|node| patient(node, base)).map(|id| (id, path))
    })
}

/// The one patient of ours whom the resources of a Bundle are about: a document, or a set of findings. What came from another
/// server names that server's patients, unless it names ours by their whole address.
fn inside(bundle: &Map<String, Json>, base: &str) -> Option<Uuid> {
    let of_entry = |entry: &Json| {
        let resource = entry.get("resource")?.as_object()?;
        let is_ours =
            entry.get("fullUrl").and_then(Json::as_str).is_some_and(|url| url.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')));
        // A relative reference is relative to the entry's own address.
        let named = |node: &Json| is_ours || node.get("reference").and_then(Json::as_str).is_some_and(|text| text.starts_with(base));
        let name = resource.get("resourceType")?.as_str()?;
        let paths = about(name);
        let node = paths.into_iter().find_map(|path| resource.get(path).filter(|node| named(node)))?;
        patient(node, base)
    };
    let found: BTreeSet<Uuid> = bundle.get("entry")?.as_array()?.iter().filter_map(of_entry).collect();
    found.first().copied().filter(|_| found.len() == 1)
}

fn items(value: &Json) -> &[Json] {
    match value {
        Json::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

/// An id that none of our patients can have is nobody's, and refused as an unknown one is.
fn patient(reference: &Json, base: &str) -> Option<Uuid> {
    match Literal::parse(reference.get("reference")?.as_str()?, base) {
        Literal::Local { type_name: "Patient", id, .. } => Some(id.parse().unwrap_or_default()),
        _ => None,
    }
}
