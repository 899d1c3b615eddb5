//! A statement of the chart is never changed and never deleted: another one takes its place (catalogue 8.04).

use super::chart_entry::CHART_ENTRY;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use serde_json::{Map, Value as Json};

pub static SUPERSEDE: Operation = Operation {
    id: "supersedeChartEntry",
    method: Method::Post,
    path: "/chart-entries/{id}/supersede",
    tag: CHART_ENTRY.tag,
    doc: "Put another statement in the place of this one, or none; the past keeps what was known then",
    takes: &[
        Field::text("reason").required().length(4_000),
        Field::json("replacement").phi().doc("what differs from this statement; left out, the statement is withdrawn"),
    ],
    gives: Gives::Created(&CHART_ENTRY),
    planes: &[Plane::Staff],
    permission: Permission::EditClinical,
    run: Run::Inside(|scope, call| Box::pin(supersede(scope, call))),
};

/// Columns that say how a statement was written and not what it says.
const HOW_WRITTEN: &[&str] = &["supersedes_id", "supersede_reason", "tooth_entered"];

/// The database ends the old statement, and refuses the second of two that would.
async fn supersede(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::seen(scope, &CHART_ENTRY, call.id()?, keys).await?;
    if !was.get("superseded_at").is_null() {
        return Err(Error::new(&error::CONFLICT).detail("The entry was superseded before."));
    }
    let mut body = said(&was);
    let mut draft = match call.value("replacement") {
        Some(Value::Json(Json::Object(changes))) => {
            if changes.contains_key("patient_id") {
                return Err(Error::new(&error::INVALID).fault("replacement.patient_id", "read_only", "It stays with its patient."));
            }
            forget_place(&mut body, changes);
            body.extend(changes.clone());
            Draft::create(&CHART_ENTRY, &body).map_err(of_replacement)?
        }
        Some(_) => return Err(Error::new(&error::INVALID).fault("replacement", "type", "It must be an object.")),
        // A statement that only withdraws another is itself over when it is made.
        None => Draft::create(&CHART_ENTRY, &body)?.set(&CHART_ENTRY, "superseded_at", Value::Instant(scope.now()))?,
    };
    draft = draft.set(&CHART_ENTRY, "supersedes_id", Value::Uuid(was.id))?.set(
        &CHART_ENTRY,
        "supersede_reason",
        Value::Text(call.text("reason").unwrap_or_default().to_owned()),
    )?;
    Ok(Answer::Record(store::insert(scope, &CHART_ENTRY, &draft, keys).await?))
}

fn said(was: &Record) -> Map<String, Json> {
    let fields = CHART_ENTRY.fields.iter().filter(|field| field.on_create() && !HOW_WRITTEN.contains(&field.name));
    fields.filter(|field| !was.get(field.name).is_null()).map(|field| (field.name.to_owned(), was.get(field.name).clone())).collect()
}

/// Another tooth or area replaces the old one whole; another axis leaves behind what only the old one says.
fn forget_place(body: &mut Map<String, Json>, changes: &Map<String, Json>) {
    let place = ["fdi_tooth", "tooth_entered", "oral_area"];
    if place.iter().any(|name| changes.contains_key(*name)) {
        for name in place.iter().chain(&["is_supernumerary", "supernumerary_ordinal", "surfaces"]) {
            body.remove(*name);
        }
    }
    if changes.get("axis").is_some_and(|axis| Some(axis) != body.get("axis")) {
        for name in ["presence", "missing_reason", "work_layer", "restoration_kind", "material_code", "caries_depth", "icdas"] {
            body.remove(name);
        }
    }
}

fn of_replacement(mut refusal: Error) -> Error {
    for fault in &mut refusal.faults {
        fault.field = format!("replacement.{}", fault.field);
    }
    refusal
}
