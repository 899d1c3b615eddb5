//! What was prescribed here, as FHIR MedicationRequest; the same row is a MedicationStatement too. What others prescribed is kept as
//! it is told.

use super::patient_medication::PATIENT_MEDICATION;
use crate::fhir::bind::{Bind, How, code, day, named, note, points, text};
use crate::fhir::mapping::{Columns, Complete, Mapping, PEOPLE, Taken};
use crate::fhir::registry::TypeDef;
use crate::kernel::error::Result;
use crate::kernel::table::Value;
use crate::reference::fhir_medication::CODE;
use crate::sql;
use serde_json::Value as Json;
use tokio_postgres::Row;
use uuid::Uuid;

static TYPE: TypeDef = TypeDef::all("MedicationRequest");

pub static MAPPING: Mapping = Mapping {
    binds: BINDS,
    only: Some(("is_prescribed_here", "true")),
    creates: true,
    complete: Some(Complete { query: &VISIT_HERE, asks: visit, fill }),
    fits: Some(by_us),
    ..Mapping::new(&TYPE, &PATIENT_MEDICATION, PEOPLE)
};

sql! {
    /// $1 tenant, $2 visit.
    VISIT_HERE(UUID, UUID) = "select exists (select from encounters e where e.tenant_id = $1 and e.id = $2)";
}

fn visit(taken: &Taken) -> Vec<Value> {
    let id = taken.root.get("encounter_id").and_then(Json::as_str).and_then(|id| id.parse::<Uuid>().ok());
    vec![id.map_or(Value::Null, Value::Uuid)]
}

/// At a visit elsewhere it was prescribed elsewhere.
fn fill(row: &Row, taken: &mut Taken) -> Result<()> {
    let is_here = row.try_get::<_, bool>(0)?;
    if !is_here && taken.root.get("encounter_id").is_some_and(Json::is_string) {
        taken.root.set("prescriber_id", Json::Null, "MedicationRequest.requester".into());
    }
    Ok(())
}

fn by_us(columns: &Columns) -> bool {
    columns.get("prescriber_id").is_some_and(Json::is_string)
}

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("ACTIVE", "active"),
                ("COMPLETED", "completed"),
                ("ENTERED_IN_ERROR", "entered-in-error"),
                ("STOPPED", "stopped"),
                ("ON_HOLD", "on-hold"),
            ],
        ),
    ),
    Bind::one("intent", How::Is(r#""order""#)),
    Bind::one("medicationCodeableConcept", How::Coded(&CODE)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("authoredOn", day("start_date")),
    Bind::one("requester", named("prescriber_name")),
    Bind::one("requester", points("prescriber_id", "Practitioner")),
    Bind::item("note", note("notes")),
    Bind::item("dosageInstruction", How::Within(DOSAGE)),
];
const DOSAGE: &[Bind] = &[
    Bind::one("text", text("dosage")),
    Bind::one("patientInstruction", text("frequency")),
    Bind::one("route", How::Words { column: "route" }),
];
