//! What an import is asked for (in the style of SMART's Bulk Import proposal), read from the Parameters of its kick-off. Its
//! files were uploaded here: no address of elsewhere is ever fetched.

use super::head::{Head, parameters, wrong};
use super::jobs::IMPORT;
use super::start::{accepted, is_asked_for, queued};
use crate::fhir::reference::Literal;
use crate::fhir::registry::Interaction;
use crate::imaging::access;
use crate::imaging::file::FILE;
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::context::Permission;
use crate::kernel::error::{self, Error, Result};
use crate::server::fhir::write::{self, Change};
use crate::server::fhir::{Fhir, allowed, caller, types};
use crate::workflow::order::By;
use poem::{Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

/// Imports of a tenant that wait or run.
const IMPORTS_MAX: i64 = 2;
const INPUTS_MAX: usize = 1_000;
/// Types in the order in which their records name each other; all others come behind.
const ORDER: [&str; 24] = [
    "Organization",
    "Location",
    "HealthcareService",
    "Practitioner",
    "PractitionerRole",
    "Device",
    "Medication",
    "Patient",
    "RelatedPerson",
    "Group",
    "Coverage",
    "Schedule",
    "Slot",
    "CareTeam",
    "EpisodeOfCare",
    "Appointment",
    "Encounter",
    "Condition",
    "AllergyIntolerance",
    "CarePlan",
    "ServiceRequest",
    "Procedure",
    "Claim",
    "ExplanationOfBenefit",
];

/// Kept with the job, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    #[serde(flatten)]
    pub head: Head,
    pub inputs: Vec<Input>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    pub type_name: String,
    /// As it was given.
    pub url: String,
    pub file: Uuid,
}

pub async fn import(fhir: Fhir, mut request: Request) -> Result<Response> {
    let caller = caller(&request)?;
    let done = ordered(&fhir, &caller, &mut request).await;
    if let Err(refusal) = &done {
        caller.refused("Import", None, Action::Execute, refusal).await?;
    }
    let id = done?;
    accepted(&fhir, id)
}

async fn ordered(fhir: &Fhir, caller: &Caller, request: &mut Request) -> Result<Uuid> {
    let by = By::of(caller, Permission::ManageIntegrations)?;
    is_asked_for(request)?;
    let body = parameters(request).await?.unwrap_or_default();
    let mut inputs = Vec::new();
    let mut has_source = false;
    for parameter in body["parameter"].as_array().into_iter().flatten() {
        match parameter["name"].as_str().unwrap_or_default() {
            "inputFormat" if is_ndjson(value(parameter)) => {}
            "inputFormat" => return Err(wrong("inputFormat", "not-supported", "Files are read as application/fhir+ndjson.")),
            "inputSource" => has_source = value(parameter).is_some(),
            "storageDetail" => {
                return Err(wrong("storageDetail", "not-supported", "Files are uploaded here; none is fetched from elsewhere."));
            }
            "input" => inputs.push(input(caller, parameter, &fhir.base).await?),
            _ => return Err(wrong("?", "unknown", "A parameter is none of an import's.")),
        }
    }
    if !has_source {
        return Err(wrong("inputSource", "required", "Say where the data comes from."));
    }
    if inputs.is_empty() || inputs.len() > INPUTS_MAX {
        return Err(wrong("input", "cardinality", "An import reads 1 to 1000 files."));
    }
    let place = |input: &Input| ORDER.iter().position(|name| *name == input.type_name).unwrap_or(ORDER.len());
    inputs.sort_by_key(place);
    let order = Order { head: Head::of(by, format!("{}/$import", fhir.base), &fhir.base), inputs };
    queued(caller, IMPORT, IMPORTS_MAX, &order, order.inputs.iter().map(|input| input.type_name.as_str())).await
}

fn value(parameter: &Json) -> Option<&str> {
    let mut members = parameter.as_object().into_iter().flatten();
    members.find(|(key, _)| key.starts_with("value")).and_then(|(_, value)| value.as_str())
}

fn is_ndjson(format: Option<&str>) -> bool {
    matches!(format, Some("application/fhir+ndjson" | "application/ndjson" | "ndjson"))
}

/// A type that the caller may make resources of, and a READY file that they may read.
async fn input(caller: &Caller, parameter: &Json, base: &str) -> Result<Input> {
    let part = |name: &str| parameter["part"].as_array().into_iter().flatten().find(|part| part["name"] == name).and_then(value);
    let name = part("type").ok_or_else(|| wrong("input", "required", "An input names its type."))?;
    let def = types::registry().find(name).map_err(|_| wrong("input", "code", "A type is unknown here."))?;
    allowed(caller, def, Interaction::Create)?;
    write::permitted(caller, types::sources(def.name)?, Change::Create)?;
    let unknown = || wrong("input", "reference", "An input's url names a file that was uploaded here, as Binary/id.");
    let url = part("url").ok_or_else(unknown)?;
    let Literal::Local { type_name: "Binary", id, .. } = Literal::parse(url, base) else { return Err(unknown()) };
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let file = access::read(caller, &caller.reading(&FILE)?, id).await.map_err(|_| unknown())?;
    if file.text("status") != Some("READY") {
        return Err(Error::new(&error::FILE_NOT_READY));
    }
    Ok(Input { type_name: def.name.to_owned(), url: url.to_owned(), file: id })
}
