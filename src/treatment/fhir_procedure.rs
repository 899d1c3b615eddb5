//! A performed or scheduled service as FHIR Procedure.

use super::procedure::PROCEDURE;
use crate::fhir::bind::{Bind, Coded, How, Words, code, note, points, when, words};
use crate::fhir::mapping::{Columns, Complete, Mapping, PEOPLE, Taken};
use crate::fhir::registry::{KEPT, TypeDef};
use crate::kernel::error::Result;
use crate::kernel::table::Value;
use crate::sql;
use serde_json::Value as Json;
use tokio_postgres::Row;

/// How services are coded. The dental codes' own address is the American Dental Association's.
pub const SYSTEMS: Words = &[
    ("CDT", "http://www.ada.org/cdt"),
    ("CPT", "http://www.ama-assn.org/go/cpt"),
    ("SNOMED", "http://snomed.info/sct"),
    ("HCPCS", "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes"),
    ("CUSTOM", ""),
];

static CODE: Coded =
    Coded { code: "cdt_code", system: Some("code_system"), systems: SYSTEMS, version: Some("code_version"), display: Some("description") };

pub static TYPE: TypeDef = TypeDef {
    interactions: KEPT,
    profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure"],
    ..TypeDef::all("Procedure")
};

pub static MAPPING: Mapping = Mapping {
    binds: BINDS,
    creates: true,
    fits: Some(is_ours),
    complete: Some(Complete { query: &PROCEDURE_DEFAULTS, asks: nothing, fill }),
    ..Mapping::new(&TYPE, &PROCEDURE, PEOPLE)
};

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("PLANNED", "preparation"),
                ("SCHEDULED", "preparation"),
                ("IN_PROGRESS", "in-progress"),
                ("IN_PROGRESS", "on-hold"),
                ("COMPLETED", "completed"),
                ("COMPLETED", "unknown"),
                ("CANCELLED", "not-done"),
                ("CANCELLED", "stopped"),
                ("ENTERED_IN_ERROR", "entered-in-error"),
            ],
        ),
    )
    .otherwise("COMPLETED"),
    Bind::one("statusReason", words("status_reason")),
    Bind::one("code", How::Coded(&CODE)).otherwise("Unknown"),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("performed", when("start_at", "end_at")),
    Bind::item("performer", How::Within(PERFORMER)),
    Bind::item("bodySite", words("oral_area")),
    Bind::item("note", note("notes")),
];
const PERFORMER: &[Bind] = &[Bind::one("actor", points("provider_id", "Practitioner"))];

/// What was done here was done by somebody at a visit; what is told of elsewhere is kept as it is told.
fn is_ours(columns: &Columns) -> bool {
    let has = |column| columns.get(column).is_some_and(|value| !value.is_null());
    match columns.get("status").and_then(Json::as_str) {
        Some("IN_PROGRESS") => has("encounter_id"),
        Some("COMPLETED" | "ENTERED_IN_ERROR") => has("encounter_id") && has("provider_id"),
        _ => true,
    }
}

sql! {
    /// $1 tenant.
    PROCEDURE_DEFAULTS(UUID) = "select t.default_currency from tenants t where t.id = $1";
}

fn nothing(_: &Taken) -> Vec<Value> {
    Vec::new()
}

/// The currency is the clinic's.
fn fill(row: &Row, taken: &mut Taken) -> Result<()> {
    taken.root.set("currency", row.try_get::<_, String>(0)?, "Procedure".into());
    Ok(())
}
