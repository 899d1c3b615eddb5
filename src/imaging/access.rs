//! Which file a caller may touch, and in whose name the server then works on it.

use super::file::FILE;
use crate::kernel::Caller;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::db::{Param, Query};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::Record;
use crate::sql;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 file. The key is a secret of the jobs plane.
    OBJECT_KEY(UUID, UUID) = "select storage_key from files where tenant_id = $1 and id = $2";
    /// The clinics that know the login.
    CLINICS() = "select t from unnest((select sec.tenants(0))::uuid[]) t";
    /// $1 tenant, $2 patient, $3 the permission to add files: as the policy of files has it.
    CHART_OPEN(UUID, UUID, INT8) = "
        select from patients where tenant_id = $1 and id = $2 and deleted_at is null
           and uuid_send(tenant_id) || uuid_send(id) = any ((select sec.pairs($3, 'documents'))::bytea[])";
    /// $1 tenant, $2 patient, $3 the permission a token must not lack: the chart is the login's own, or it acts for it.
    LOGIN_HAS_CHART(UUID, UUID, INT8) = "select (uuid_send($1) || uuid_send($2)) = any ((select sec.pairs($3, 'documents'))::bytea[])";
    /// $1 patient, $2 permission: whether a role of the caller's for a part of the tenant gives it for that patient.
    PART_HAS_CHART(UUID, INT8) = "select $1 = any ((select sec.my_patients($2, 'any'))::uuid[])";
    /// $1 patient, $2 the permission to add files: the clinics in which the login may add to that chart.
    CHART_HOMES(UUID, INT8) = "
        select tenant_id from patients where id = $1 and deleted_at is null
           and uuid_send(tenant_id) || uuid_send(id) = any ((select sec.pairs($2, 'documents'))::bytea[]) limit 2";
}

/// Who writes: staff themselves; for a patient, who may only add files, the server.
pub fn writer(caller: &Caller, tenant: Uuid) -> Context {
    if caller.context.plane == Plane::Staff { caller.context.clone() } else { caller.server(tenant) }
}

/// The file as these eyes see it.
pub async fn read(caller: &Caller, context: &Context, id: Uuid) -> Result<Record> {
    let record = caller.glance(context, &FILE, id).await?;
    if record.deleted() { Err(Error::new(&error::NOT_FOUND)) } else { Ok(record) }
}

/// A file whose upload this caller may end. Policies show a patient only what is ready, so the server looks for what
/// that login itself began, in a chart it may still add to.
pub async fn upload(caller: &Caller, id: Uuid) -> Result<Record> {
    match caller.context.plane {
        Plane::Patient => own_upload(caller, id).await,
        _ => read(caller, &caller.context, id).await,
    }
}

async fn own_upload(caller: &Caller, id: Uuid) -> Result<Record> {
    let actor = caller.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let answers = caller.kernel.door.open(&caller.context).await?.once(&[((&CLINICS).into(), vec![])]).await?;
    for row in answers.iter().flatten() {
        let tenant: Uuid = row.try_get(0)?;
        let file = match read(caller, &caller.server(tenant), id).await {
            Ok(file) => file,
            Err(refusal) if refusal.code == &error::NOT_FOUND => continue,
            Err(failure) => return Err(failure),
        };
        let Some(patient) = file.patient.filter(|_| file.uuid("created_by") == Some(actor)) else { continue };
        if file.text("uploaded_by_party") == Some("PATIENT") && chart_is_open(caller, tenant, patient).await? {
            return Ok(file);
        }
    }
    Err(Error::new(&error::NOT_FOUND))
}

async fn chart_is_open(caller: &Caller, tenant: Uuid, patient: Uuid) -> Result<bool> {
    let scope = caller.kernel.door.open(&caller.context).await?;
    let answers = scope.once(&[((&CHART_OPEN).into(), vec![&tenant, &patient, &Permission::EditImaging.bit()])]).await?;
    Ok(answers.iter().flatten().next().is_some())
}

/// The clinic of a chart the login may add to. An id that stands in two clinics needs a login narrowed to one of them.
pub async fn home_of_chart(caller: &Caller, patient: Uuid) -> Result<Uuid> {
    let scope = caller.kernel.door.open(&caller.context).await?;
    let answers = scope.once(&[((&CHART_HOMES).into(), vec![&patient, &Permission::EditImaging.bit()])]).await?;
    let homes = answers.iter().flatten().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
    match (homes.as_slice(), caller.context.tenant) {
        (homes, Some(tenant)) if homes.contains(&tenant) => Ok(tenant),
        ([home], None) => Ok(*home),
        _ => Err(Error::new(&error::REFERENCE_UNKNOWN).fault("patient_id", "reference", "It points to nothing the caller can see.")),
    }
}

/// Whether the caller may do that in the chart of a record they see, where the server then does it for them: staff by a role
/// for all of the tenant or for a part with that patient; a patient's login by a chart that it may change.
pub async fn acts_in_chart(caller: &Caller, record: &Record, permission: Permission) -> Result<()> {
    let context = &caller.context;
    let (edit, bit) = (Permission::EditPatient.bit(), permission.bit());
    let asked: (Query, Vec<Param<'_>>) = match context.plane {
        Plane::Patient => ((&LOGIN_HAS_CHART).into(), vec![&record.tenant, &record.patient, &edit]),
        _ if context.part.allows(permission) && !context.caps.allows(permission) => ((&PART_HAS_CHART).into(), vec![&record.patient, &bit]),
        _ => return caller.needs_throughout(permission),
    };
    let answers = caller.kernel.door.open(context).await?.once(&[asked]).await?;
    let row = answers.iter().flatten().next();
    match row.map(|row| row.try_get::<_, Option<bool>>(0)).transpose()?.flatten() {
        Some(true) => Ok(()),
        _ => Err(Error::new(&error::FORBIDDEN)),
    }
}

/// Where the bytes of an authorised file lie.
pub async fn object_key(caller: &Caller, tenant: Uuid, id: Uuid) -> Result<String> {
    let scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let answers = scope.once(&[((&OBJECT_KEY).into(), vec![&tenant, &id])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    Ok(row.try_get(0)?)
}
