//! Procedures along their states (catalogue 9.12, 9.13, 9.15, C23). The plan item, the chart entry, the recall and the charge
//! follow by trigger in the same transaction.

use super::details::{inside, members};
use super::procedure::PROCEDURE;
use super::procedure_material::PROCEDURE_MATERIAL;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use serde_json::Value as Json;

sql! {
    /// $1 tenant, $2 encounter.
    ENCOUNTER_STATE(UUID, UUID) = "select status from encounters where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 entry of the procedure catalogue.
    SITE_RULES(UUID, UUID) = "select tooth_rule, surface_rule from procedure_catalog where tenant_id = $1 and id = $2";
}

const STEPS: Steps = Steps { tag: "Treatment plans", planes: &[Plane::Staff], permission: Permission::EditClinical };

const REASON: &[Field] = &[Field::text("reason").required().length(1_000)];

pub static SCHEDULE: Operation = STEPS.by(Permission::EditSchedule).post(
    "scheduleProcedure",
    "/procedures/{id}/schedule",
    "A planned procedure has its appointment",
    &[],
    Gives::Record(&PROCEDURE),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &PROCEDURE, vec![]))),
);

pub static START: Operation = STEPS.post(
    "startProcedure",
    "/procedures/{id}/start",
    "Begin a procedure in a visit that is under way; its plan is in treatment from then on",
    &[],
    Gives::Record(&PROCEDURE),
    Run::Inside(|scope, call| Box::pin(start(scope, call))),
);

async fn start(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let was = store::lock(scope, &PROCEDURE, call.id()?, call.version, &call.caller.kernel.keys).await?;
    let visit = was.uuid("encounter_id").ok_or_else(|| needed("encounter_id", "A procedure begins in a visit."))?;
    let state: Option<String> = scope.optional(&ENCOUNTER_STATE, &[&was.tenant, &visit]).await?.map(|row| row.try_get(0)).transpose()?;
    if state.as_deref() != Some("IN_PROGRESS") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The visit is not in progress.").fault(
            "encounter_id",
            "state",
            "It is not in progress.",
        ));
    }
    let begun = if was.get("start_at").is_null() { vec![("start_at", Value::Instant(scope.now()))] } else { vec![] };
    transition(scope, call, &PROCEDURE, begun).await
}

pub static COMPLETE: Operation = STEPS.post(
    "completeProcedure",
    "/procedures/{id}/complete",
    "A procedure is done: the chart, the plan item, the recall and the charge follow",
    &[
        Field::instant("start_at").doc("when it began, unless that is known"),
        Field::instant("end_at").doc("now when left out"),
        Field::json("materials").doc("a list of procedure materials"),
    ],
    Gives::Record(&PROCEDURE),
    Run::Inside(|scope, call| Box::pin(complete(scope, call))),
);

async fn complete(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &PROCEDURE, call.id()?, call.version, keys).await?;
    let mut wrong = Error::new(&error::INVALID);
    for name in ["provider_id", "encounter_id"] {
        if was.get(name).is_null() {
            wrong = wrong.fault(name, "required", "A procedure that is done has one.");
        }
    }
    if was.get("start_at").is_null() && call.instant("start_at").is_none() {
        wrong = wrong.fault("start_at", "required", "A procedure that is done has its date.");
    }
    if let Some(entry) = was.uuid("catalog_id")
        && let Some(row) = scope.optional(&SITE_RULES, &[&was.tenant, &entry]).await?
    {
        let (tooth, surface): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        for (field, text) in site_faults(&tooth, &surface, Site::of(&was)) {
            wrong = wrong.fault(field, "site", text);
        }
    }
    if !wrong.faults.is_empty() {
        return Err(wrong);
    }
    materials(scope, call, &was).await?;
    let mut columns = vec![("end_at", Value::Instant(call.instant("end_at").unwrap_or(scope.now())))];
    if let Some(began) = call.instant("start_at") {
        columns.push(("start_at", Value::Instant(began)));
    }
    transition(scope, call, &PROCEDURE, columns).await
}

async fn materials(scope: &mut Scope, call: &Call, procedure: &Record) -> Result<()> {
    let list = match call.value("materials") {
        None => return Ok(()),
        Some(Value::Json(Json::Array(list))) => list,
        Some(_) => return Err(Error::new(&error::INVALID).fault("materials", "type", "It must be a list.")),
    };
    for (place, element) in list.iter().enumerate() {
        let mut body = members("materials", place, element)?;
        body.insert("procedure_id".into(), procedure.id.to_string().into());
        body.insert("patient_id".into(), procedure.get("patient_id").clone());
        let used = Draft::create(&PROCEDURE_MATERIAL, &body).map_err(|failure| inside("materials", place, failure))?;
        let stored = store::insert(scope, &PROCEDURE_MATERIAL, &used, &call.caller.kernel.keys).await;
        stored.map_err(|failure| inside("materials", place, failure))?;
    }
    Ok(())
}

fn needed(field: &str, text: &str) -> Error {
    Error::new(&error::INVALID).fault(field, "required", text)
}

/// Where in the mouth a procedure was done.
#[derive(Debug, Clone, Copy)]
struct Site {
    tooth: bool,
    area: bool,
    surface: bool,
}

impl Site {
    fn of(procedure: &Record) -> Site {
        Site {
            tooth: !procedure.get("tooth_number").is_null(),
            area: !procedure.get("oral_area").is_null(),
            surface: procedure.get("surface").as_array().is_some_and(|surfaces| !surfaces.is_empty()),
        }
    }
}

/// What the code's entry in the catalogue asks of the site, and is not met.
fn site_faults(tooth_rule: &str, surface_rule: &str, site: Site) -> Vec<(&'static str, &'static str)> {
    let mut faults = Vec::new();
    match tooth_rule {
        "TOOTH" if !site.tooth => faults.push(("tooth_number", "The code is for a tooth.")),
        "AREA" if !site.area => faults.push(("oral_area", "The code is for an area of the mouth.")),
        "TOOTH_OR_AREA" if site.tooth == site.area => faults.push(("tooth_number", "The code is for a tooth or an area, one of them.")),
        "NONE" if site.tooth => faults.push(("tooth_number", "The code is for no single tooth.")),
        "NONE" if site.area => faults.push(("oral_area", "The code is for no area.")),
        _ => {}
    }
    match surface_rule {
        "REQUIRED" if !site.surface => faults.push(("surface", "The code needs the surfaces.")),
        "NONE" if site.surface => faults.push(("surface", "The code has no surfaces.")),
        _ => {}
    }
    faults
}

pub static CANCEL: Operation = STEPS.post(
    "cancelProcedure",
    "/procedures/{id}/cancel",
    "A procedure will not be done, or was broken off",
    REASON,
    Gives::Record(&PROCEDURE),
    Run::Inside(|scope, call| Box::pin(ended(scope, call))),
);

pub static VOID: Operation = STEPS.by(Permission::SignClinical).post(
    "voidProcedure",
    "/procedures/{id}/void",
    "A procedure was recorded in error: the chart is reverted. One that a submitted claim names stays",
    REASON,
    Gives::Record(&PROCEDURE),
    Run::Inside(|scope, call| Box::pin(ended(scope, call))),
);

async fn ended(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let reason = call.text("reason").unwrap_or_default().to_owned();
    transition(scope, call, &PROCEDURE, vec![("status_reason", Value::Text(reason))]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(tooth_rule: &str, surface_rule: &str, tooth: bool, area: bool, surface: bool) -> Vec<&'static str> {
        site_faults(tooth_rule, surface_rule, Site { tooth, area, surface }).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn a_code_says_where_it_is_done() {
        assert_eq!(fields("TOOTH", "REQUIRED", true, false, true), [""; 0]);
        assert_eq!(fields("TOOTH", "REQUIRED", false, true, false), ["tooth_number", "surface"]);
        assert_eq!(fields("AREA", "NONE", true, false, true), ["oral_area", "surface"]);
        assert_eq!(fields("AREA", "OPTIONAL", false, true, true), [""; 0]);
        assert_eq!(fields("TOOTH_OR_AREA", "OPTIONAL", false, false, false), ["tooth_number"]);
        assert_eq!(fields("TOOTH_OR_AREA", "OPTIONAL", false, true, false), [""; 0]);
        assert_eq!(fields("NONE", "NONE", true, false, false), ["tooth_number"]);
        assert_eq!(fields("NONE", "NONE", false, false, false), [""; 0]);
    }
}
