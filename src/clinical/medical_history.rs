//! What is known of a patient's health, in one answer (catalogue 4.12).

use super::patient_allergy::PATIENT_ALLERGY;
use super::patient_condition::PATIENT_CONDITION;
use super::patient_medication::PATIENT_MEDICATION;
use super::patient_social_history::PATIENT_SOCIAL_HISTORY;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::list::{Built, PAGE_SIZE_MAX};
use crate::kernel::table::{Field, List, Record, Table, Value, store};
use crate::patients::patient::PATIENT;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

const PARTS: [(&str, &Table); 4] = [
    ("conditions", &PATIENT_CONDITION),
    ("allergies", &PATIENT_ALLERGY),
    ("medications", &PATIENT_MEDICATION),
    ("social_history", &PATIENT_SOCIAL_HISTORY),
];

pub static MEDICAL_HISTORY: Operation = Operation {
    id: "getPatientMedicalHistory",
    method: Method::Get,
    path: "/patients/{id}/medical-history",
    tag: PATIENT.tag,
    doc: "Conditions, allergies, medications, social history and the base text in one answer",
    takes: &[],
    gives: Gives::Object(
        "PatientMedicalHistory",
        &[
            Field::uuid("patient_id").required(),
            Field::text("base_medical_history").length(0).phi(),
            Field::records("conditions", &PATIENT_CONDITION).required().phi(),
            Field::records("allergies", &PATIENT_ALLERGY).required().phi(),
            Field::records("medications", &PATIENT_MEDICATION).required().phi(),
            Field::records("social_history", &PATIENT_SOCIAL_HISTORY).required().phi(),
            Field::texts("incomplete").required().doc("lists with more than 200 rows: the rest is at their own resource"),
        ],
    ),
    planes: &[Plane::Staff, Plane::Patient, Plane::Share],
    permission: Permission::ViewClinical,
    run: Run::Apart(|call| Box::pin(medical_history(call))),
};

async fn medical_history(call: Call) -> Result<Answer> {
    let (caller, id) = (&call.caller, call.id()?);
    let (context, keys) = (&caller.context, &caller.kernel.keys);
    caller.needs(PATIENT.read)?;
    let whole = store::get_query(&PATIENT, context.plane, context.tenant, id, false)?;
    let lists: Vec<List> = PARTS.iter().map(|(_, table)| part(table, id)).collect::<Result<_>>()?;
    let pages = lists.iter().map(|list| list.page(context.plane, context.tenant)).collect::<Result<Vec<_>>>()?;
    let queries: Vec<_> = std::iter::once(&whole).chain(&pages).map(Built::asked).collect();
    let answers = caller.kernel.door.open(context).await?.once(&queries).await?;
    let mut answers = answers.iter().map(Vec::as_slice);
    let patient = store::one(&PATIENT, context.plane, answers.next().unwrap_or_default(), keys).await?;

    let mut told = Map::new();
    told.insert("patient_id".into(), json!(patient.id));
    told.insert("base_medical_history".into(), patient.get("base_medical_history").clone());
    let mut incomplete = Vec::new();
    for (((name, table), list), rows) in PARTS.iter().zip(&lists).zip(answers) {
        let (mut records, next) = store::page(list, context.plane, rows, keys).await?;
        // A login of two clinics may know the same patient id in both.
        records.retain(|record: &Record| record.tenant == patient.tenant);
        caller.searched(context, table, &records).await?;
        if next.is_some() {
            incomplete.push(*name);
        }
        told.insert((*name).into(), records.into_iter().map(|record| Json::Object(record.json)).collect());
    }
    told.insert("incomplete".into(), json!(incomplete));
    caller.saw(context, &patient).await?;
    Ok(Answer::Object(told))
}

/// The newest rows of the patient.
fn part(table: &'static Table, patient: Uuid) -> Result<List> {
    let mut list = List::new(table);
    let by_patient = table.filters.iter().find(|filter| filter.name == "patient_id");
    let by_patient = by_patient.ok_or_else(|| Error::internal("a part of the history is a patient's"))?;
    list.filters.push((by_patient, Value::Uuid(patient)));
    list.descending = true;
    list.limit = PAGE_SIZE_MAX;
    Ok(list)
}
