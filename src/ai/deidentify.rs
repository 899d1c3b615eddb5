//! What identifies is left behind (45 CFR 164.514(b)): no names, contacts, numbers, places below the state, pictures or free
//! text; ages in bands of ten years and 90 or over; every date of a member moved back by the same days of its own; codes
//! that fewer than k members have are left out. Pseudonyms hold within one data set only.

use super::research_dataset::RESEARCH_DATASET;
use crate::imaging::download::RESEARCH;
use crate::imaging::{made, media};
use crate::integrations::export_work::{self, Work};
use crate::kernel::Kernel;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::crypto::TenantKeys;
use crate::kernel::db::{Scope, Sql};
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::table::{Record, store};
use crate::sql;
use chrono::{Datelike, Days, NaiveDate};
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

const MEMBERS_MAX: i64 = 100_000;

/// Whom a data set is about; what is left out does not matter. `kernel.research_cohort` reads the same words.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Criteria {
    pub min_age: Option<u8>,
    pub max_age: Option<u8>,
    pub genders: Vec<String>,
    pub condition_codes: Vec<String>,
    pub procedure_codes: Vec<String>,
    pub seen_from: Option<NaiveDate>,
    pub seen_before: Option<NaiveDate>,
}

sql! {
    /// Data sets and exports that wait.
    DUE() = "select tenant_id, id, is_export from sec.research_due()";
    /// $1 tenant, $2 data set: locked, when it still waits to be built.
    TO_BUILD(UUID, UUID) = "
        select from research_datasets where tenant_id = $1 and id = $2 and status = 'BUILDING' and member_count = 0
           for no key update skip locked";
    /// $1 data set, $2 at most.
    COHORT(UUID, INT8) = "select patient_id, consent_id from kernel.research_cohort($1) limit $2";
    /// $1 tenant, $2 data set, $3 members.
    JOIN(UUID, UUID, JSONB) = "
        insert into research_dataset_members (tenant_id, id, dataset_id, pseudonym, patient_id, consent_id, included_at)
        select $1, gen_random_uuid(), $2, m.pseudonym, m.patient_id, m.consent_id, now()
          from jsonb_to_recordset($3) as m(pseudonym text, patient_id uuid, consent_id uuid)";
    /// $1 tenant, $2 data set, $3 members: none makes it a draft again.
    BUILT(UUID, UUID, INT4) = "
        update research_datasets set member_count = $3, status = case $3 when 0 then 'DRAFT' else status end where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 data set: consents that ended.
    LAPSED(UUID, UUID) = "
        update research_dataset_members m set valid_until = now() where m.tenant_id = $1 and m.dataset_id = $2 and m.valid_until is null
           and not exists (select from kernel.research_cohort($2) c where c.patient_id = m.patient_id)";
    MEMBERS(UUID, UUID) = "
        select m.pseudonym, null::date, jsonb_build_array(c.age_band, c.gender, c.region)
          from research_dataset_members m join kernel.research_cohort($2) c on c.patient_id = m.patient_id
         where m.tenant_id = $1 and m.dataset_id = $2 and m.valid_until is null order by 1";
    /// $3 fewest members a code must have.
    CONDITIONS(UUID, UUID, INT8) = "
        select pseudonym, day, cells from (
            select m.pseudonym, x.onset_date as day, jsonb_build_array(x.code_system, x.code, x.clinical_status, x.fdi_tooth) as cells,
                   (dense_rank() over (partition by x.code_system, x.code order by m.id) + dense_rank() over (partition by x.code_system, x.code order by m.id desc) - 1) as members
              from research_dataset_members m join patient_conditions x on x.tenant_id = m.tenant_id and x.patient_id = m.patient_id
             where m.tenant_id = $1 and m.dataset_id = $2 and m.valid_until is null and x.deleted_at is null and x.code is not null
               and x.verification_status = 'CONFIRMED') r
         where members >= $3 order by 1, 2, 3";
    PROCEDURES(UUID, UUID, INT8) = "
        select pseudonym, day, cells from (
            select m.pseudonym, x.start_at::date as day, jsonb_build_array(x.code_system, x.cdt_code, x.tooth_number, array_to_string(x.surface, '')) as cells,
                   (dense_rank() over (partition by x.code_system, x.cdt_code order by m.id) + dense_rank() over (partition by x.code_system, x.cdt_code order by m.id desc) - 1) as members
              from research_dataset_members m join procedures x on x.tenant_id = m.tenant_id and x.patient_id = m.patient_id
             where m.tenant_id = $1 and m.dataset_id = $2 and m.valid_until is null and x.status = 'COMPLETED' and x.cdt_code is not null) r
         where members >= $3 order by 1, 2, 3";
    PROBING(UUID, UUID) = "
        select m.pseudonym, e.examined_at::date, jsonb_build_array(x.tooth_number, x.site, x.pocket_depth_mm, x.cal_mm, x.bleeding_on_probing)
          from research_dataset_members m join perio_exams e on e.tenant_id = m.tenant_id and e.patient_id = m.patient_id and e.status = 'SIGNED'
          join perio_measurements x on x.tenant_id = e.tenant_id and x.exam_id = e.id and x.deleted_at is null
         where m.tenant_id = $1 and m.dataset_id = $2 and m.valid_until is null order by 1, 2, x.tooth_number, x.site";
}

/// A table of the export: its name, columns after pseudonym and day, where its rows come from, whether rare codes go.
type Sheet = (&'static str, &'static [&'static str], &'static Sql, bool);
static SHEETS: &[Sheet] = &[
    ("members", &["age_band", "gender", "region"], &MEMBERS, false),
    ("conditions", &["code_system", "code", "clinical_status", "tooth_fdi"], &CONDITIONS, true),
    ("procedures", &["code_system", "code", "tooth_fdi", "surfaces"], &PROCEDURES, true),
    ("probing", &["tooth_fdi", "site", "pocket_depth_mm", "attachment_loss_mm", "bleeding"], &PROBING, false),
];

/// Builds and exports what waits. How many were carried out.
pub async fn carry_on(kernel: &Kernel) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[]).await?;
    scope.commit().await?;
    for row in &due {
        let (tenant, id): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        let done = if row.try_get(2)? { export(kernel, tenant, id).await } else { build(kernel, tenant, id).await };
        if let Err(failure) = done {
            tracing::warn!(tenant.id = %tenant, id = %id, error = %failure, "Research data could not be made");
        }
    }
    Ok(due.len())
}

async fn build(kernel: &Kernel, tenant: Uuid, set: Uuid) -> Result<()> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    if scope.optional(&TO_BUILD, &[&tenant, &set]).await?.is_none() {
        return scope.commit().await;
    }
    let keys = kernel.keys.of(tenant).await?;
    let rows = scope.rows(&COHORT, &[&set, &MEMBERS_MAX]).await?;
    let mut members = Vec::with_capacity(rows.len());
    for row in &rows {
        let (patient, consent): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        members.push(json!({"pseudonym": pseudonym(&keys, set, patient)?, "patient_id": patient, "consent_id": consent}));
    }
    let count = i32::try_from(members.len()).map_err(Error::internal)?;
    scope.exec(&JOIN, &[&tenant, &set, &Json::Array(members)]).await?;
    scope.exec(&BUILT, &[&tenant, &set, &count]).await?;
    let record = store::seen(&mut scope, &RESEARCH_DATASET, set, &kernel.keys).await?;
    tell(&mut scope, &record, "build", i64::from(count));
    scope.commit().await
}

fn tell(scope: &mut Scope, set: &Record, operation: &'static str, count: i64) {
    let mut event = audit_store::of_record(scope.context(), Action::Execute, set, scope.now());
    event.metadata = Metadata::new().text("operation", operation).integer("count", count);
    scope.audit(event);
}

/// The same patient has another one in each data set, and none can be turned back without the tenant's key.
fn pseudonym(keys: &TenantKeys, set: Uuid, patient: Uuid) -> Result<String> {
    let tag = keys.blind("research_dataset_members", "pseudonym", &format!("{set} {patient}"))?;
    Ok(hex(tag.get(..10).unwrap_or_default()))
}

/// How far a member's dates are moved back: a day up to a year.
fn shift(keys: &TenantKeys, set: Uuid, pseudonym: &str) -> Result<Days> {
    let tag = keys.blind("research_dataset_members", "shift", &format!("{set} {pseudonym}"))?;
    let number = tag.iter().take(4).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Ok(Days::new(1 + number % 365))
}

async fn export(kernel: &Kernel, tenant: Uuid, job: Uuid) -> Result<()> {
    let Some(mut work) = export_work::take(kernel, tenant, job).await? else { return Ok(()) };
    let set = work.params["dataset_id"].as_str().and_then(|id| id.parse::<Uuid>().ok()).unwrap_or_default();
    let server = Context { actor: Some(work.requested_by), ..Context::system(Plane::Jobs, Some(tenant)) };
    let mut scope = kernel.door.open(&server).await?;
    scope.exec(&LAPSED, &[&tenant, &set]).await?;
    let set = store::seen(&mut scope, &RESEARCH_DATASET, set, &kernel.keys).await?;
    scope.commit().await?;
    match write(kernel, &server, &set, &mut work).await {
        Ok(None) => Ok(()),
        Ok(Some(rows)) => {
            let mut scope = kernel.door.open(&server).await?;
            work.done(&mut scope, rows).await?;
            tell(&mut scope, &set, "export", i64::try_from(rows).unwrap_or(i64::MAX));
            scope.commit().await
        }
        Err(failure) => work.failed(kernel, &server, &failure).await,
    }
}

/// The tables and, last, the manifest. How many rows they have; none when it was called off.
async fn write(kernel: &Kernel, server: &Context, set: &Record, work: &mut Work) -> Result<Option<usize>> {
    let keys = kernel.keys.of(set.tenant).await?;
    let (mut files, mut total) = (Vec::new(), 0);
    for (place, sheet) in SHEETS.iter().enumerate() {
        let rows = rows_of(kernel, server, set, sheet).await?;
        let name = format!("{}.csv", sheet.0);
        let file = kept(kernel, server, &name, media::CSV, table(&keys, set, sheet, &rows)?).await?;
        total += rows.len();
        let percent = i32::try_from((place + 1) * 90 / SHEETS.len()).map_err(Error::internal)?;
        if !work.wrote(kernel, server, percent, &file, Some(rows.len())).await? {
            return Ok(None);
        }
        files.push(json!({"name": name, "file_id": file.id, "sha256": file.text("sha256"), "rows": rows.len()}));
    }
    let bytes = serde_json::to_vec_pretty(&manifest(set, &files)).map_err(Error::internal)?;
    let file = kept(kernel, server, "manifest.json", media::JSON, bytes).await?;
    Ok(work.wrote(kernel, server, 90, &file, Some(1)).await?.then_some(total))
}

async fn kept(kernel: &Kernel, server: &Context, name: &str, media_type: &'static str, bytes: Vec<u8>) -> Result<Record> {
    let made = made::Made { kind: "OTHER", name, media_type, source: RESEARCH, bytes: bytes.into(), patient: None, visible: false };
    made::keep(kernel, server, made).await
}

fn manifest(set: &Record, files: &[Json]) -> Json {
    json!({
        "name": set.text("name"), "version": set.int("version_no"), "purpose": set.text("purpose"),
        "deidentification_method": set.text("deidentification_method"), "k_anonymity": fewest(set),
        "dates": if set.flag("date_shift") { "moved back by a number of days of each member's own" } else { "years" },
        "inclusion_criteria": set.get("inclusion_criteria"), "files": files,
    })
}

fn fewest(set: &Record) -> i64 {
    set.int("k_anonymity").unwrap_or(5)
}

async fn rows_of(kernel: &Kernel, server: &Context, set: &Record, (_, _, rows, rare): &Sheet) -> Result<Vec<Row>> {
    let mut scope = kernel.door.open(server).await?;
    let fewest = fewest(set);
    let rows = match rare {
        true => scope.rows(*rows, &[&set.tenant, &set.id, &fewest]).await?,
        false => scope.rows(*rows, &[&set.tenant, &set.id]).await?,
    };
    scope.commit().await?;
    Ok(rows)
}

fn table(keys: &TenantKeys, set: &Record, (_, columns, ..): &Sheet, rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["pseudonym", "date"].iter().chain(*columns)).map_err(Error::internal)?;
    for row in rows {
        let (who, day, cells): (&str, Option<NaiveDate>, Json) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let day = match (day, set.flag("date_shift")) {
            (Some(day), true) => (day - shift(keys, set.id, who)?).to_string(),
            (Some(day), false) => day.year().to_string(),
            (None, _) => String::new(),
        };
        let cells = cells.as_array().into_iter().flatten().map(|cell| match cell {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        });
        writer.write_record([who.to_owned(), day].into_iter().chain(cells)).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(Error::internal)
}
