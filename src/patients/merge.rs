//! Two records of one person become one (catalogue 4.01): what belongs to the source is re-pointed to the record that
//! stays; the source is kept, inactive, and says where it went.
//!
//! Reversible: every re-pointed row has its image before in `change_log` under the request id of the merge, so setting
//! the old values of those rows (and of the source) again, newest first, undoes it.

use super::patient::PATIENT;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Value, store};
use crate::sql;
use tokio_postgres::types::Type;
use uuid::Uuid;

sql! {
    /// $1 source, $2 the record that stays, $3 columns that follow in their own way or stay.
    REPOINT(UUID, UUID, TEXT_ARRAY) = "select sec.repoint_patient($1, $2, $3)";
}

pub static MERGE: Operation = Operation {
    id: "mergePatient",
    method: Method::Post,
    path: "/patients/{id}/merge",
    tag: "Patients",
    doc: "Merge this record into another of the same person; a person has compared them",
    takes: &[Field::uuid("into_patient_id").required().doc("the record that stays"), Field::text("reason").required().length(1_000)],
    gives: Gives::Record(&PATIENT),
    planes: &[Plane::Staff],
    permission: Permission::EditPatient,
    run: Run::Inside(|scope, call| Box::pin(merge(scope, call))),
};

/// A column that points to a patient and whose rows follow a merge in their own way; every other column with a foreign key
/// to patients follows as it is (`sec.repoint_patient`). In SQL, $1 is the tenant, $2 the source, $3 the
/// record that stays, and `r` the row.
pub struct Pointer {
    pub table: &'static str,
    pub column: &'static str,
    /// Makes room among what both records may have one of.
    room: &'static str,
    /// Rows that would stand twice, or point to themselves, stay with the source.
    unless: &'static str,
}

const fn plain(table: &'static str, column: &'static str) -> Pointer {
    Pointer { table, column, room: "", unless: "false" }
}

pub static FOLLOWING: &[Pointer] = &[
    Pointer {
        room: "update patient_identifiers r set is_primary = false
                where r.tenant_id = $1 and r.patient_id = $2 and r.is_primary and exists (
                      select from patient_identifiers k where k.tenant_id = $1 and k.patient_id = $3 and k.system = r.system
                         and k.is_primary and k.deleted_at is null)",
        ..plain("patient_identifiers", "patient_id")
    },
    Pointer {
        room: "update patient_addresses r set is_primary = false
                where r.tenant_id = $1 and r.patient_id = $2 and r.is_primary and exists (
                      select from patient_addresses k where k.tenant_id = $1 and k.patient_id = $3 and k.is_primary and k.deleted_at is null)",
        ..plain("patient_addresses", "patient_id")
    },
    Pointer {
        unless: "r.related_patient_id = $3 or exists (
            select from patient_relationships k where k.tenant_id = $1 and k.patient_id = $3 and k.relationship_type = r.relationship_type
               and k.related_patient_id is not distinct from r.related_patient_id
               and k.external_contact_id is not distinct from r.external_contact_id and k.deleted_at is null)",
        ..plain("patient_relationships", "patient_id")
    },
    Pointer {
        unless: "r.patient_id in ($2, $3) or exists (
            select from patient_relationships k where k.tenant_id = $1 and k.patient_id = r.patient_id and k.related_patient_id = $3
               and k.relationship_type = r.relationship_type and k.deleted_at is null)",
        ..plain("patient_relationships", "related_patient_id")
    },
    Pointer {
        room: "update patient_proxies r set status = 'REVOKED', revoked_at = now()
                where r.tenant_id = $1 and r.patient_id = $2 and r.status in ('PENDING', 'ACTIVE') and exists (
                      select from patient_proxies k where k.tenant_id = $1 and k.patient_id = $3 and k.user_id = r.user_id
                         and k.status in ('PENDING', 'ACTIVE'))",
        ..plain("patient_proxies", "patient_id")
    },
    // No foreign key: it follows its record, whatever that is. What was sent about the source itself stays with it.
    Pointer { unless: "r.record_id = $2", ..plain("fhir_extras", "patient_id") },
];

/// A launch was granted for the chart it names and ends with it.
pub static STAYING: &[(&str, &str)] = &[("oauth_authorizations", "patient_id")];

/// What one person has one of, and both records have: a person decides first.
static CLASHES: &[(&str, &str)] = &[
    (
        "select from patient_portal_accounts a join patient_portal_accounts b on b.tenant_id = a.tenant_id
          where a.tenant_id = $1 and a.patient_id = $2 and b.patient_id = $3
            and a.status in ('INVITED', 'ACTIVE', 'SUSPENDED') and b.status in ('INVITED', 'ACTIVE', 'SUSPENDED')",
        "Both records have an open portal account: close one first.",
    ),
    (
        "select from patient_insurance_policies a join patient_insurance_policies b
             on b.tenant_id = a.tenant_id and b.coverage_order = a.coverage_order
          where a.tenant_id = $1 and a.patient_id = $2 and b.patient_id = $3 and a.status = 'ACTIVE' and b.status = 'ACTIVE'
            and a.deleted_at is null and b.deleted_at is null",
        "Both records have an active policy of the same order: cancel or reorder one first.",
    ),
];

async fn merge(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let tenant = scope.tenant()?;
    let (source, target) = both(scope, call).await?;
    let ids = [(&tenant as _, Type::UUID), (&source.id as _, Type::UUID), (&target.id as _, Type::UUID)];
    for (sql, text) in CLASHES {
        if !scope.rows_once(sql, &ids).await?.is_empty() {
            return Err(Error::new(&error::CONFLICT).detail(*text));
        }
    }
    for pointer in FOLLOWING {
        if !pointer.room.is_empty() {
            scope.rows_once(pointer.room, &ids).await?;
        }
        let Pointer { table, column, unless, .. } = pointer;
        // $3 stands in every statement, so that all have the same parameters.
        let sql = format!("update {table} r set {column} = $3 where r.tenant_id = $1 and r.{column} = $2 and ({unless}) is not true");
        scope.rows_once(&sql, &ids).await?;
    }
    let apart: Vec<String> = FOLLOWING
        .iter()
        .map(|pointer| (pointer.table, pointer.column))
        .chain(STAYING.iter().copied())
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    scope.exec(&REPOINT, &[&source.id, &target.id, &apart]).await?;
    close(scope, call, &source, target.id).await
}

/// Both records, locked in the order of their ids so that two merges cannot wait for each other. Neither may have been
/// merged away: so no chain of merges ever closes to a ring.
async fn both(scope: &mut Scope, call: &Call) -> Result<(Record, Record)> {
    let keys = &call.caller.kernel.keys;
    let wrong = |rule, text: &str| Error::new(&error::INVALID).fault("into_patient_id", rule, text);
    let (from, into) = (call.id()?, call.uuid("into_patient_id").unwrap_or_default());
    if from == into {
        return Err(wrong("value", "A record is not merged into itself."));
    }
    let mut locked: Vec<Record> = Vec::with_capacity(2);
    for id in [from.min(into), from.max(into)] {
        let version = call.version.filter(|_| id == from);
        let record = store::lock(scope, &PATIENT, id, version, keys).await;
        let unknown = |failure: Error| {
            if id == into && failure.code == &error::NOT_FOUND { wrong("reference", "There is no such record.") } else { failure }
        };
        locked.push(record.map_err(unknown)?);
    }
    if locked.first().is_some_and(|record| record.id != from) {
        locked.reverse();
    }
    let [source, target] = <[Record; 2]>::try_from(locked).map_err(|_| Error::internal("two records were locked"))?;
    if source.uuid("merged_into_id").is_some() {
        return Err(Error::new(&error::MOVE_REFUSED).detail("The record was merged before."));
    }
    if target.uuid("merged_into_id").is_some() {
        return Err(wrong("state", "That record was merged into another."));
    }
    Ok((source, target))
}

/// The source says where it went; both logs say that it was done, by whom and why.
async fn close(scope: &mut Scope, call: &Call, source: &Record, target: Uuid) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let mut draft = Draft::default().set(&PATIENT, "merged_into_id", Value::Uuid(target))?;
    if source.text("status") == Some("ACTIVE") {
        draft = draft.set(&PATIENT, "status", Value::Text("INACTIVE".into()))?;
    }
    store::update(scope, source, &draft, "deactivate", keys).await?;
    let kept = store::lock(scope, &PATIENT, target, None, keys).await?;
    for (record, other) in [(source, target), (&kept, source.id)] {
        let mut event = audit_store::of_record(scope.context(), Action::Execute, record, scope.now());
        event.event_type = "PATIENT_MERGED".into();
        event.metadata = Metadata::new()
            .text("operation", call.operation.id)
            .text("other", other.to_string())
            .text("reason", call.text("reason").unwrap_or_default());
        scope.audit(event);
    }
    Ok(Answer::Record(kept))
}
