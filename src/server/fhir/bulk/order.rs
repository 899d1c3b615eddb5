//! What an export is asked for, read from the parameters of its kick-off (Bulk Data Access 2.0, "Query Parameters").

use super::head::{Head, wrong};
use crate::fhir::definitions::Definitions;
use crate::fhir::negotiate::Prefer;
use crate::fhir::reference::Literal;
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::search::Condition;
use crate::fhir::temporal;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::server::fhir::operations::Inputs;
use crate::server::fhir::{allowed, read, search, types};
use crate::workflow::order::By;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Patients that one export can name.
pub const PATIENTS_MAX: usize = 100_000;
const FILTERS_MAX: usize = 100;
/// Who looked at what is no part of what is exported unless it is asked for by name: it grows by being read.
const APART: &str = "AuditEvent";
/// Of no patient, and given beside a compartment to whoever names them.
const BESIDE: [&str; 5] = ["Practitioner", "PractitionerRole", "Organization", "Location", "Medication"];
const KNOWN: [&str; 10] =
    ["_outputFormat", "_since", "_until", "_type", "_typeFilter", "_elements", "patient", "includeAssociatedData", "_format", "_pretty"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    System,
    Patient,
    Group,
}

/// Kept with the job, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    #[serde(flatten)]
    pub head: Head,
    pub level: Level,
    pub types: Vec<String>,
    /// They were named, and are not all there are.
    pub are_named: bool,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// With their type, or for all of them.
    pub elements: Vec<(Option<String>, String)>,
    /// A type and a search of it.
    pub filters: Vec<(String, String)>,
    /// None: all of them, where the level is theirs.
    pub patients: Option<Vec<Uuid>>,
    /// What was asked for and is not done, as its error file tells.
    pub passed_over: Vec<String>,
}

/// A kick-off before it is an order.
pub struct Asked<'a> {
    pub caller: &'a Caller,
    pub inputs: &'a Inputs,
    pub level: Level,
    /// Of a group, the patients in it.
    pub members: Option<Vec<Uuid>>,
    pub is_post: bool,
    pub lenient: bool,
    pub base: &'a str,
}

impl Order {
    pub async fn read(asked: &Asked<'_>, by: By, request: String) -> Result<Order> {
        let head = Head::of(by, request, asked.base);
        let mut passed_over = Vec::new();
        format(asked.inputs)?;
        let since = moment(asked.inputs, "_since", head.at)?;
        let until = moment(asked.inputs, "_until", head.at)?;
        asked.known(&mut passed_over)?;
        let filters = asked.filters(&mut passed_over)?;
        let types = asked.types(&mut passed_over)?;
        let elements = asked.elements(&mut passed_over)?;
        let patients = asked.patients().await?;
        if types.is_empty() {
            return Err(Error::new(&error::FORBIDDEN).detail("The caller may export none of the types."));
        }
        let are_named = asked.inputs.texts("_type").next().is_some();
        Ok(Order { head, level: asked.level, types, are_named, since, until, elements, filters, patients, passed_over })
    }
}

fn format(inputs: &Inputs) -> Result<()> {
    let known = ["application/fhir+ndjson", "application/ndjson", "ndjson"];
    let named: Vec<String> = inputs.texts("_outputFormat").map(|format| format.replace(' ', "+")).collect();
    let is_known = named.iter().all(|format| known.contains(&format.as_str())) && named.len() <= 1;
    if is_known { Ok(()) } else { Err(wrong("_outputFormat", "not-supported", "Files are written as application/fhir+ndjson.")) }
}

fn moment(inputs: &Inputs, name: &'static str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let mut given = inputs.texts(name);
    let Some(text) = given.next() else { return Ok(None) };
    let at = temporal::instant(&text.replace(' ', "+")).ok_or_else(|| wrong(name, "format", "The value must be an instant."))?;
    if at > now {
        return Err(wrong(name, "range", "The moment is in the future."));
    }
    if given.next().is_some() {
        return Err(wrong(name, "cardinality", "The parameter may be given once."));
    }
    Ok(Some(at))
}

/// `Type?query,Type?query`: a comma before a type ends a filter, others belong to it.
fn split(text: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    for (at, _) in text.match_indices(',') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let name = rest.split('?').next().unwrap_or_default();
        if rest.contains('?') && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.bytes().all(|b| b.is_ascii_alphabetic()) {
            cuts.push(at + 1);
        }
    }
    cuts.push(text.len() + 1);
    cuts.windows(2).filter_map(|pair| text.get(pair[0]..pair[1] - 1)).filter(|filter| !filter.is_empty()).collect()
}

impl Asked<'_> {
    /// What cannot be done is refused, or told in the error file where the caller wants to go on.
    fn pass(&self, passed_over: &mut Vec<String>, refusal: Error) -> Result<()> {
        if !self.lenient {
            return Err(refusal);
        }
        passed_over.extend(refusal.faults.iter().map(|fault| format!("{}: {}", fault.field, fault.text)));
        passed_over.extend(refusal.detail);
        Ok(())
    }

    fn known(&self, passed_over: &mut Vec<String>) -> Result<()> {
        for name in self.inputs.names() {
            if !KNOWN.contains(&name) {
                self.pass(passed_over, wrong("?", "unknown", "A parameter is none of an export's."))?;
            }
        }
        if self.inputs.texts("includeAssociatedData").next().is_some() {
            self.pass(passed_over, wrong("includeAssociatedData", "not-supported", "No associated data is offered."))?;
        }
        Ok(())
    }

    fn types(&self, passed_over: &mut Vec<String>) -> Result<Vec<String>> {
        let named: BTreeSet<&str> = self.inputs.texts("_type").flat_map(|names| names.split(',')).map(str::trim).collect();
        if named.is_empty() {
            let all = types::registry().types().iter().filter(|def| def.name != APART && self.holds(def) && self.may(def).is_ok());
            return Ok(all.map(|def| def.name.to_owned()).collect());
        }
        let mut kept = Vec::new();
        for name in named {
            match types::registry().find(name) {
                Ok(def) if types::sources(def.name)?.is_empty() => {
                    self.pass(passed_over, wrong("_type", "not-supported", "A type holds no records here."))?
                }
                Ok(def) if !self.holds(def) && !BESIDE.contains(&name) => {
                    self.pass(passed_over, wrong("_type", "code", "A type is none of a patient's compartment."))?;
                }
                Ok(def) => match self.may(def) {
                    Ok(()) => kept.push(name.to_owned()),
                    Err(refusal) => self.pass(passed_over, refusal)?,
                },
                Err(_) => self.pass(passed_over, wrong("_type", "code", "A type is unknown here."))?,
            }
        }
        if kept.is_empty() && !passed_over.is_empty() {
            return Err(wrong("_type", "code", "None of the types can be exported."));
        }
        Ok(kept)
    }

    /// Whether the level has such resources.
    fn holds(&self, def: &TypeDef) -> bool {
        let sources = types::sources(def.name).unwrap_or_default();
        let is_member = || {
            let known = Definitions.compartment("Patient").map(|known| known.members.as_slice()).unwrap_or_default();
            def.name == "Patient" || known.iter().any(|(member, _)| member == def.name)
        };
        match self.level {
            Level::System => !sources.is_empty(),
            Level::Patient | Level::Group => is_member() && sources.iter().any(|mapping| mapping.table.patient.is_some()),
        }
    }

    /// The token covers it, and the caller reads at least one of its tables throughout.
    fn may(&self, def: &TypeDef) -> Result<()> {
        allowed(self.caller, def, Interaction::Read)?;
        let open = read::readable(self.caller, types::sources(def.name)?)?;
        let mut asked = open.iter().map(|(mapping, _)| self.caller.needs_throughout(mapping.table.read));
        let first = asked.next().unwrap_or(Ok(()));
        if first.is_ok() || asked.any(|other| other.is_ok()) { Ok(()) } else { first }
    }

    fn filters(&self, passed_over: &mut Vec<String>) -> Result<Vec<(String, String)>> {
        let mut filters = Vec::new();
        for filter in self.inputs.texts("_typeFilter").flat_map(split) {
            let (name, query) = filter.split_once('?').unwrap_or((filter, ""));
            match conditions(name, query, self.base) {
                Ok(_) => filters.push((name.to_owned(), query.to_owned())),
                Err(refusal) => self.pass(passed_over, refusal)?,
            }
        }
        if filters.len() > FILTERS_MAX {
            return Err(Error::new(&error::TOO_COSTLY).detail("An export takes at most 100 filters."));
        }
        Ok(filters)
    }

    fn elements(&self, passed_over: &mut Vec<String>) -> Result<Vec<(Option<String>, String)>> {
        let mut elements = Vec::new();
        for path in self.inputs.texts("_elements").flat_map(|paths| paths.split(',')).map(str::trim) {
            let (of, element) = path.split_once('.').map_or((None, path), |(of, element)| (Some(of.to_owned()), element));
            let has = |name: &str| Definitions::r4().named(name).is_some_and(|def| def.root.children.iter().any(|it| it.name == element));
            let is_known = of.as_deref().map_or_else(|| types::registry().types().iter().any(|def| has(def.name)), has);
            match is_known {
                true => elements.push((of, element.to_owned())),
                false => self.pass(passed_over, wrong("_elements", "unknown", "An element is unknown to the types."))?,
            }
        }
        Ok(elements)
    }

    /// Whose resources: those named, of whom the caller sees each, among the members of the group.
    async fn patients(&self) -> Result<Option<Vec<Uuid>>> {
        let named: Vec<&Json> = self.inputs.all("patient").collect();
        if named.is_empty() {
            return Ok(self.members.clone());
        }
        if self.level == Level::System || !self.is_post {
            return Err(wrong("patient", "not-supported", "Patients are named in the Parameters of a POST, for patients or a group."));
        }
        let unknown = || wrong("patient", "reference", "It points to no patient of the export.");
        let mut patients = BTreeSet::new();
        for reference in named {
            let text = reference.get("reference").and_then(Json::as_str).ok_or_else(unknown)?;
            let Literal::Local { type_name: "Patient", id, .. } = Literal::parse(text, self.base) else { return Err(unknown()) };
            patients.insert(id.parse::<Uuid>().map_err(|_| unknown())?);
        }
        if patients.len() > PATIENTS_MAX {
            return Err(Error::new(&error::TOO_COSTLY).detail("An export names at most 100,000 patients."));
        }
        let patients: Vec<Uuid> = patients.into_iter().collect();
        let are_known = match &self.members {
            Some(members) => patients.iter().all(|patient| members.contains(patient)),
            None => super::page::known_patients(self.caller, &patients).await? == patients.len(),
        };
        if are_known { Ok(Some(patients)) } else { Err(unknown()) }
    }
}

/// What a filter asks of its type.
pub fn conditions(name: &str, query: &str, base: &str) -> Result<Vec<Condition>> {
    let def = types::registry().find(name).map_err(|_| wrong("_typeFilter", "code", "A type is unknown here."))?;
    let query = search::parse(def.name, def.search, query, Prefer::STRICT, base)?;
    let shapes_the_answer = query.cursor.is_some() || query.summary.is_some() || !query.sort.is_empty() || query.is_count_only();
    if query.conditions.is_empty() || shapes_the_answer || !query.elements.is_empty() {
        return Err(wrong("_typeFilter", "not-supported", "A filter is a type and conditions of a search of it."));
    }
    Ok(query.conditions)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_comma_within_a_value_ends_no_filter() {
        assert_eq!(
            split("Condition?category=a,b,MedicationRequest?status=active,completed,Patient?x=1"),
            ["Condition?category=a,b", "MedicationRequest?status=active,completed", "Patient?x=1"]
        );
        assert_eq!(split("Patient?name=Smith,Jones"), ["Patient?name=Smith,Jones"]);
        assert!(split("").is_empty());
    }
}
