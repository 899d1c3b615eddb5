//! What happened to a patient, newest first: one row an event, the record itself is at its own resource (catalogue 4.20).

use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Query;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::page::{CURSOR, LIMIT, limit};
use crate::kernel::table::value::instant_text;
use crate::kernel::table::{Cursor, Field, List, Sort, Ty, store};
use crate::patients::patient::PATIENT;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Word, SQL over $1 tenant and $2 patient giving (kind, id, at, status, title), planes that have no right to the table.
struct Source {
    kind: &'static str,
    sql: &'static str,
    hidden_from: &'static [Plane],
}

const SOURCES: &[Source] = &[
    Source {
        kind: "ENCOUNTER",
        sql: "select 'ENCOUNTER', r.id, coalesce(r.check_in_at, r.scheduled_start_at, r.created_at), r.status, r.encounter_type
                from encounters r where r.tenant_id = $1 and r.patient_id = $2",
        hidden_from: &[],
    },
    Source {
        kind: "NOTE",
        sql: "select 'NOTE', r.id, coalesce(r.signed_at, r.created_at), r.status, coalesce(r.title, r.note_type)
                from clinical_notes r where r.tenant_id = $1 and r.patient_id = $2 and r.status <> 'ENTERED_IN_ERROR'",
        hidden_from: &[],
    },
    Source {
        kind: "PROCEDURE",
        sql: "select 'PROCEDURE', r.id, coalesce(r.start_at, r.created_at), r.status, r.description
                from procedures r where r.tenant_id = $1 and r.patient_id = $2 and r.status <> 'ENTERED_IN_ERROR'",
        hidden_from: &[],
    },
    Source {
        kind: "IMAGING_STUDY",
        sql: "select 'IMAGING_STUDY', r.id, coalesce(r.acquisition_datetime, r.created_at), r.status, coalesce(r.description, r.modality)
                from imaging_studies r where r.tenant_id = $1 and r.patient_id = $2 and r.deleted_at is null",
        hidden_from: &[],
    },
    Source {
        kind: "TREATMENT_PLAN",
        sql: "select 'TREATMENT_PLAN', r.id, coalesce(r.presented_at, r.created_at), r.status, r.title
                from treatment_plans r where r.tenant_id = $1 and r.patient_id = $2",
        hidden_from: &[],
    },
    Source {
        kind: "MESSAGE",
        sql: "select 'MESSAGE', r.id, r.sent_at, r.delivery_state, null
                from messages r where r.tenant_id = $1 and r.patient_id = $2",
        hidden_from: &[Plane::Share],
    },
];
const KINDS: &[&str] = &["ENCOUNTER", "NOTE", "PROCEDURE", "IMAGING_STUDY", "TREATMENT_PLAN", "MESSAGE"];

pub static TIMELINE: Operation = Operation {
    id: "getPatientTimeline",
    method: Method::Get,
    path: "/patients/{id}/timeline",
    tag: PATIENT.tag,
    doc: "Encounters, notes, procedures, images, plans and messages by date, newest first; of what the caller may see",
    takes: &[Field::choice("kind", KINDS).doc("only these"), LIMIT, CURSOR],
    gives: Gives::Object(
        "PatientTimeline",
        &[
            Field::objects(
                "items",
                &[
                    Field::choice("kind", KINDS).required(),
                    Field::uuid("id").required().doc("of the record of that kind"),
                    Field::instant("at").required(),
                    Field::text("status").required(),
                    Field::text("title").length(0).phi(),
                ],
            )
            .required(),
            Field::text("next").length(0).doc("give it as `cursor` for the next page; null on the last"),
        ],
    ),
    planes: &[Plane::Staff, Plane::Patient, Plane::Share],
    permission: Permission::ViewClinical,
    run: Run::Apart(|call| Box::pin(timeline(call))),
};

async fn timeline(call: Call) -> Result<Answer> {
    let caller = &call.caller;
    let (context, keys) = (&caller.context, &caller.kernel.keys);
    caller.needs(PATIENT.read)?;
    let limit = limit(&call);
    let order = List { question: context.who(), ..order() };
    let after = call.text("cursor").map(|text| Cursor::open(text, &order, keys.own())).transpose()?;
    let (before, last) = match &after {
        Some(cursor) => (Some(moment(cursor)?), Some(cursor.id)),
        None => (None, None),
    };
    let mut scope = caller.kernel.door.open(context).await?;
    let patient = store::seen(&mut scope, &PATIENT, call.id()?, keys).await?;
    let rows_wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows = match events(context.plane, call.text("kind")) {
        Some(query) => scope.rows(query, &[&patient.tenant, &patient.id, &before, &last, &rows_wanted]).await?,
        None => Vec::new(),
    };
    scope.commit().await?;

    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut items = Vec::with_capacity(rows.len());
    let mut end = None;
    for row in &rows {
        let (id, at): (Uuid, DateTime<Utc>) = (row.try_get(1)?, row.try_get(2)?);
        items.push(json!({"kind": row.try_get::<_, &str>(0)?, "id": id, "at": instant_text(at),
            "status": row.try_get::<_, &str>(3)?, "title": row.try_get::<_, Option<&str>>(4)?}));
        end = Some(Cursor { value: Some(instant_text(at)), id, tenant: patient.tenant });
    }
    let next = end.filter(|_| more).map(|cursor| cursor.seal(&order, keys.own())).transpose()?;
    let mut seen = audit_store::of(context, "RECORD_SEARCHED", Action::Search, Outcome::Success, Utc::now());
    (seen.tenant_id, seen.resource_type, seen.patient_id) = (patient.tenant, Some("PatientTimeline".into()), Some(patient.id));
    seen.metadata = Metadata::new().integer("count", i64::try_from(items.len()).unwrap_or(i64::MAX));
    caller.kernel.audit.record(seen).await?;
    Ok(Answer::Object(Map::from_iter([
        ("items".to_owned(), Json::Array(items)),
        ("next".to_owned(), next.map_or(Json::Null, Json::String)),
    ])))
}

/// The order its cursors are sealed for.
fn order() -> List {
    let mut list = List::new(&PATIENT);
    list.sort = Sort { name: "timeline", column: "at", ty: Ty::Instant, nullable: false };
    list.descending = true;
    list
}

fn moment(cursor: &Cursor) -> Result<DateTime<Utc>> {
    cursor
        .value
        .as_deref()
        .and_then(|at| at.parse().ok())
        .ok_or_else(|| Error::new(&error::PARAMETER_INVALID).fault("cursor", "format", "The cursor is not one of ours."))
}

/// $1 tenant, $2 patient, $3 and $4 where the last page ended, $5 how many. None when the plane sees nothing of that kind.
fn events(plane: Plane, kind: Option<&str>) -> Option<Query> {
    let wanted = SOURCES.iter().filter(|source| !source.hidden_from.contains(&plane) && kind.is_none_or(|kind| kind == source.kind));
    let all = wanted.map(|source| source.sql).collect::<Vec<_>>().join(" union all ");
    let text = format!(
        "select kind, id, at, status, title from ({all}) e (kind, id, at, status, title)
          where $3::timestamptz is null or (at, id) < ($3, $4) order by at desc, id desc limit $5"
    );
    let types = vec![Type::UUID, Type::UUID, Type::TIMESTAMPTZ, Type::UUID, Type::INT8];
    (!all.is_empty()).then(|| Query::new(text.into(), types.into()))
}
