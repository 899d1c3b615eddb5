//! Imports of codes under way. The file is read twice: first every line is checked and every bad one told; only a file
//! without one is then written, in one transaction, so that nothing is ever half there. A job that was cancelled leaves
//! nothing; one whose server died is begun again by the next.

use super::code_system::CODE_SYSTEM;
use super::code_value::CODE_VALUE;
use super::procedure_catalog_entry::PROCEDURE_CATALOG_ENTRY;
use super::sheet::{self, Form, Rules};
use super::stream::{BATCH, Sheet};
use crate::kernel::Kernel;
use crate::kernel::audit::{Action, Metadata};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Fault, Result};
use crate::kernel::table::{Record, Table, store};
use crate::sql;
use serde_json::{Map, Value as Json, json};
use std::collections::HashSet;
use uuid::Uuid;

/// Bad lines that are told one by one.
const TOLD_MAX: usize = 1_000;

sql! {
    DUE() = "select tenant_id, id from sec.imports_due()";
    /// $1 tenant, $2 job. A running one only when nobody has said a word about it for two minutes.
    TAKE(UUID, UUID) = "
        update sync_jobs j set status = 'RUNNING', started_at = now(), completed_at = null, error_details = null, cursor = null,
               created_count = 0, updated_count = 0, failed_count = 0
          from (select x.id from sync_jobs x where x.tenant_id = $1 and x.id = $2
                   and (x.status = 'QUEUED' or x.status = 'RUNNING' and x.updated_at < now() - interval '2 minutes')
                   for no key update skip locked) due
         where j.tenant_id = $1 and j.id = due.id
        returning j.params, j.created_by, j.source_file_id,
                  (select f.storage_key from files f where f.tenant_id = $1 and f.id = j.source_file_id and f.status = 'READY')";
    /// $1 tenant, $2 job, $3 how far it is. No row when it was cancelled.
    GOES_ON(UUID, UUID, TEXT) = "update sync_jobs set cursor = $3 where tenant_id = $1 and id = $2 and status = 'RUNNING' returning id";
    /// $1 tenant, $2 job, $3 state, $4 created, $5 updated, $6 failed, $7 why.
    ENDED(UUID, UUID, TEXT, INT4, INT4, INT4, TEXT) = "
        update sync_jobs set status = $3, created_count = $4, updated_count = $5, failed_count = $6, error_details = $7, completed_at = now()
         where tenant_id = $1 and id = $2 and status = 'RUNNING' returning id";
    /// $1 tenant, $2 job, $3 lines with what is wrong.
    TELL(UUID, UUID, JSONB) = "
        insert into sync_job_logs (tenant_id, id, job_id, record_ref, resource_type, outcome, error_message, occurred_at)
        select $1, gen_random_uuid(), $2, t.line, t.kind, 'FAILED', t.message, now() from jsonb_to_recordset($3) as t(line text, kind text, message text)";
    /// $1 tenant, $2 system in that version, $3 codes.
    KEEP_VALUES(UUID, UUID, JSONB) = "
        insert into code_values as v (tenant_id, id, code_system_id, code, display, definition, parent_code, properties, effective_from,
               effective_to, is_active)
        select $1, gen_random_uuid(), $2, g.code, g.display, g.definition, g.parent_code, coalesce(g.properties, '{}'), g.effective_from,
               g.effective_to, coalesce(g.is_active, true)
          from jsonb_to_recordset($3) as g(code text, display text, definition text, parent_code text, properties jsonb,
               effective_from date, effective_to date, is_active boolean)
            on conflict (tenant_id, code_system_id, code) do update set display = excluded.display, definition = excluded.definition,
               parent_code = excluded.parent_code, properties = excluded.properties, effective_from = excluded.effective_from,
               effective_to = excluded.effective_to, is_active = excluded.is_active
         where (v.display, v.definition, v.parent_code, v.properties, v.effective_from, v.effective_to, v.is_active)
               is distinct from (excluded.display, excluded.definition, excluded.parent_code, excluded.properties,
               excluded.effective_from, excluded.effective_to, excluded.is_active)
        returning v.version = 1";
    /// $1 tenant, $2 system in that version: codes that can be chosen.
    CHOSEN_VALUES(UUID, UUID) = "select id, code from code_values where tenant_id = $1 and code_system_id = $2 and is_active";
    /// $1 tenant, $2 codes.
    RETIRE_VALUES(UUID, UUID_ARRAY) = "update code_values set is_active = false where tenant_id = $1 and id = any ($2)";
    /// $1 tenant, $2 system (its code is the catalogue's), $3 codes, $4 edition.
    KEEP_ENTRIES(UUID, UUID, JSONB, TEXT) = "
        insert into procedure_catalog as v (tenant_id, id, code_system, code, code_version, description, is_custom, category, tooth_rule,
               surface_rule, default_duration_minutes, default_fee_minor, currency, effective_from, effective_to, is_active)
        select $1, gen_random_uuid(), s.code, g.code, $4, g.description, coalesce(g.is_custom, false), g.category,
               coalesce(g.tooth_rule, 'NONE'), coalesce(g.surface_rule, 'NONE'), g.default_duration_minutes, g.default_fee_minor,
               g.currency, g.effective_from, g.effective_to, coalesce(g.is_active, true)
          from code_systems s, jsonb_to_recordset($3) as g(code text, description text, is_custom boolean, category text, tooth_rule text,
               surface_rule text, default_duration_minutes int, default_fee_minor bigint, currency text, effective_from date,
               effective_to date, is_active boolean)
         where s.tenant_id = any ((select sec.shared(0))::uuid[]) and s.id = $2
            on conflict (tenant_id, code_system, code, code_version) where deleted_at is null do update set
               description = excluded.description, is_custom = excluded.is_custom, category = excluded.category,
               tooth_rule = excluded.tooth_rule, surface_rule = excluded.surface_rule,
               default_duration_minutes = excluded.default_duration_minutes, default_fee_minor = excluded.default_fee_minor,
               currency = excluded.currency, effective_from = excluded.effective_from, effective_to = excluded.effective_to,
               is_active = excluded.is_active
         where (v.description, v.is_custom, v.category, v.tooth_rule, v.surface_rule, v.default_duration_minutes, v.default_fee_minor,
                v.currency, v.effective_from, v.effective_to, v.is_active)
               is distinct from (excluded.description, excluded.is_custom, excluded.category, excluded.tooth_rule,
                excluded.surface_rule, excluded.default_duration_minutes, excluded.default_fee_minor, excluded.currency,
                excluded.effective_from, excluded.effective_to, excluded.is_active)
        returning v.version = 1";
    /// $1 tenant, $2 system, $3 edition, $4 true: every other edition's too, and of those no code stays.
    CHOSEN_ENTRIES(UUID, UUID, TEXT, BOOL) = "
        select id, case when code_version = $3 then code else '' end from procedure_catalog
         where tenant_id = $1 and is_active and deleted_at is null and ($4 or code_version = $3)
           and code_system in (select s.code from code_systems s where s.tenant_id = any ((select sec.shared(0))::uuid[]) and s.id = $2)";
    RETIRE_ENTRIES(UUID, UUID_ARRAY) = "update procedure_catalog set is_active = false where tenant_id = $1 and id = any ($2)";
    /// $1 tenant, $2 system, $3 version, $4 id of a new row: the tenant's own row of that system in that version.
    OWN_SYSTEM(UUID, UUID, TEXT, UUID) = "
        insert into code_systems as c (tenant_id, id, code, name, uri, system_version, code_pattern, copyright_notice, requires_licence)
        select $1, $4, s.code, s.name, s.uri, $3, s.code_pattern, s.copyright_notice, s.requires_licence
          from code_systems s where s.tenant_id = any ((select sec.shared(0))::uuid[]) and s.id = $2
            on conflict (tenant_id, code, system_version) do update set name = c.name
        returning c.id";
    /// $1 tenant, $2 system, $3 version: whether the tenant holds the licence it needs.
    LICENSED(UUID, UUID, TEXT) = "
        select not s.requires_licence or exists (
               select from code_licences l where l.tenant_id = $1 and l.code_system_code = s.code and l.edition = $3
                  and coalesce(l.valid_until >= current_date, true))
          from code_systems s where s.tenant_id = any ((select sec.shared(0))::uuid[]) and s.id = $2";
}

/// What an import is about, as its job keeps it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Order {
    pub target: Target,
    pub code_system_id: Uuid,
    pub version: String,
    pub form: String,
    /// Of the catalogue: entries of other editions are retired too.
    #[serde(default)]
    pub retire_others: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    CodeValues,
    ProcedureCatalog,
}

impl Target {
    fn table(self) -> &'static Table {
        match self {
            Target::CodeValues => &CODE_VALUE,
            Target::ProcedureCatalog => &PROCEDURE_CATALOG_ENTRY,
        }
    }
}

/// Why an import ended without its codes.
enum Stop {
    Cancelled,
    Bad { lines: i32, why: String },
    Failed(Error),
}

impl From<sheet::Unreadable> for Stop {
    fn from(why: sheet::Unreadable) -> Stop {
        Stop::Bad { lines: 0, why: why.to_owned() }
    }
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Stop {
        Stop::Failed(error.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// Carries out what waits, one after the other. Jobs that were carried out.
pub async fn carry_on(kernel: &Kernel) -> Result<usize> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let due = scope.rows(&DUE, &[]).await?;
    scope.commit().await?;
    let mut done = 0;
    for row in &due {
        let (tenant, job): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        match run(kernel, tenant, job).await {
            Ok(ran) => done += usize::from(ran),
            Err(failure) => tracing::warn!(job.id = %job, error = %failure, "The end of an import could not be written down"),
        }
    }
    Ok(done)
}

/// False when somebody else has it.
pub async fn run(kernel: &Kernel, tenant: Uuid, job: Uuid) -> Result<bool> {
    let mut context = Context::system(Plane::Jobs, Some(tenant));
    let mut scope = kernel.door.open(&context).await?;
    let Some(row) = scope.optional(&TAKE, &[&tenant, &job]).await? else {
        scope.commit().await?;
        return Ok(false);
    };
    scope.commit().await?;
    // In the name of who ordered it.
    context.actor = row.try_get(1)?;
    let (params, key): (Json, Option<String>) = (row.try_get(0)?, row.try_get(3)?);
    let loaded = match (serde_json::from_value::<Order>(params), key) {
        (Ok(order), Some(key)) => Load { kernel, context: &context, tenant, job, order, key }.load().await,
        (Err(_), _) => Err(Stop::Bad { lines: 0, why: "Its params are not those of an import.".to_owned() }),
        (_, None) => Err(Stop::Bad { lines: 0, why: "Its file is not there or not READY.".to_owned() }),
    };
    let (lines, why) = match loaded {
        Ok(()) | Err(Stop::Cancelled) => return Ok(true),
        Err(Stop::Bad { lines, why }) => (lines, why),
        Err(Stop::Failed(failure)) => {
            tracing::warn!(job.id = %job, error = %failure, "An import of codes failed");
            (0, format!("{} ({})", failure.code.title, failure.code.code))
        }
    };
    let mut scope = kernel.door.open(&context).await?;
    scope.rows(&ENDED, &[&tenant, &job, &"FAILED", &0, &0, &lines, &why]).await?;
    scope.commit().await?;
    Ok(true)
}

struct Load<'a> {
    kernel: &'a Kernel,
    context: &'a Context,
    tenant: Uuid,
    job: Uuid,
    order: Order,
    key: String,
}

impl Load<'_> {
    async fn load(&self) -> Result<(), Stop> {
        let bad = |why: &str| Stop::Bad { lines: 0, why: why.to_owned() };
        let mut scope = self.kernel.door.open(self.context).await?;
        if !licensed(&mut scope, self.tenant, self.order.code_system_id, &self.order.version).await? {
            return Err(bad("The tenant has attested no licence for this edition."));
        }
        let system = store::seen(&mut scope, &CODE_SYSTEM, self.order.code_system_id, &self.kernel.keys).await?;
        scope.commit().await?;
        let codes = self.check(&system).await?;
        self.write(&system, codes).await
    }

    fn given(&self, system: &Record) -> Map<String, Json> {
        let given = match self.order.target {
            Target::CodeValues => json!({"code_system_id": system.id}),
            Target::ProcedureCatalog => json!({"code_system": system.text("code"), "code_version": self.order.version}),
        };
        given.as_object().cloned().unwrap_or_default()
    }

    fn rules(&self, system: &Record) -> Result<Rules, Stop> {
        Ok(Rules::new(self.order.target.table(), self.given(system), system.text("code_pattern"))?)
    }

    /// Every code of a file without a bad line.
    async fn check(&self, system: &Record) -> Result<HashSet<String>, Stop> {
        let mut rules = self.rules(system)?;
        let (mut lines, mut told) = (0, Vec::new());
        let mut sheet = self.open().await?;
        while let Some(batch) = sheet.next().await?? {
            for line in batch {
                let number = line.number;
                if let Err(faults) = rules.check(line) {
                    lines += 1;
                    told.extend((told.len() < TOLD_MAX).then(|| self.say(number, &faults)));
                }
            }
            self.goes_on(&format!("checked {}", rules.lines)).await?;
        }
        let read = rules.lines;
        let (orphans, codes) = rules.end();
        for (number, fault) in orphans {
            lines += 1;
            told.extend((told.len() < TOLD_MAX).then(|| self.say(number, &[fault])));
        }
        if lines == 0 && read > 0 {
            return Ok(codes);
        }
        let mut scope = self.kernel.door.open(self.context).await?;
        scope.exec(&TELL, &[&self.tenant, &self.job, &Json::Array(told)]).await?;
        scope.commit().await?;
        let why =
            if read == 0 { "It holds no codes.".to_owned() } else { format!("{lines} of {read} codes break rules; nothing was loaded.") };
        Err(Stop::Bad { lines, why })
    }

    fn say(&self, number: u64, faults: &[Fault]) -> Json {
        let word = if self.order.form == "csv" { "line" } else { "concept" };
        let told: Vec<String> = faults.iter().map(|fault| format!("{} ({}): {}", fault.field, fault.rule, fault.text)).collect();
        let message: String = told.join(" ").chars().take(300).collect();
        json!({"line": format!("{word} {number}"), "kind": self.order.target.table().schema, "message": message})
    }

    async fn write(&self, system: &Record, codes: HashSet<String>) -> Result<(), Stop> {
        let (tenant, version) = (self.tenant, self.order.version.as_str());
        let mut scope = self.kernel.door.open(self.context).await?;
        let home = match self.order.target {
            Target::CodeValues => {
                let fresh = scope.new_id();
                scope.one(&OWN_SYSTEM, &[&tenant, &system.id, &version, &fresh]).await?.try_get(0)?
            }
            Target::ProcedureCatalog => system.id,
        };
        let mut rules = self.rules(system)?;
        let (mut created, mut updated) = (0, 0);
        let mut sheet = self.open().await?;
        while let Some(batch) = sheet.next().await?? {
            let rows: Result<Vec<Json>, _> = batch.into_iter().map(|line| rules.check(line).map(Json::Object)).collect();
            let rows = Json::Array(rows.map_err(|_| Stop::Bad { lines: 0, why: "The file changed while it was read.".to_owned() })?);
            let kept = match self.order.target {
                Target::CodeValues => scope.rows(&KEEP_VALUES, &[&tenant, &home, &rows]).await?,
                Target::ProcedureCatalog => scope.rows(&KEEP_ENTRIES, &[&tenant, &home, &rows, &version]).await?,
            };
            for row in &kept {
                if row.try_get(0)? { created += 1 } else { updated += 1 }
            }
            self.goes_on(&format!("written {}", rules.lines)).await?;
        }
        updated += self.retire(&mut scope, home, &codes).await?;
        let ended = scope.optional(&ENDED, &[&tenant, &self.job, &"SUCCEEDED", &created, &updated, &0, &None::<&str>]).await?;
        ended.ok_or(Stop::Cancelled)?;
        let mut event = audit_store::of_record(self.context, Action::Execute, system, scope.now());
        event.metadata = Metadata::new().text("operation", "import").integer("count", i64::from(created + updated));
        scope.audit(event);
        Ok(scope.commit().await?)
    }

    /// Codes the file has no more stay, and can be chosen no more.
    async fn retire(&self, scope: &mut Scope, home: Uuid, codes: &HashSet<String>) -> Result<i32, Stop> {
        let (version, others) = (self.order.version.as_str(), self.order.retire_others);
        let (chosen, retire) = match self.order.target {
            Target::CodeValues => (scope.rows(&CHOSEN_VALUES, &[&self.tenant, &home]).await?, &RETIRE_VALUES),
            Target::ProcedureCatalog => (scope.rows(&CHOSEN_ENTRIES, &[&self.tenant, &home, &version, &others]).await?, &RETIRE_ENTRIES),
        };
        let mut gone: Vec<Uuid> = Vec::new();
        for row in &chosen {
            if !codes.contains(row.try_get::<_, &str>(1)?) {
                gone.push(row.try_get(0)?);
            }
        }
        for part in gone.chunks(BATCH) {
            scope.exec(retire, &[&self.tenant, &part]).await?;
            self.goes_on("retiring").await?;
        }
        Ok(i32::try_from(gone.len()).unwrap_or(i32::MAX))
    }

    /// Says how far the job is, and hears whether it was cancelled. On a connection of another pool: this job holds one
    /// of the jobs' while it writes.
    async fn goes_on(&self, place: &str) -> Result<(), Stop> {
        let mut scope = self.kernel.door.open_from("keys", self.context).await?;
        let on = scope.optional(&GOES_ON, &[&self.tenant, &self.job, &place]).await?;
        scope.commit().await?;
        on.map(|_| ()).ok_or(Stop::Cancelled)
    }

    async fn open(&self) -> Result<Sheet, Stop> {
        let object = self.kernel.storage.read(&self.key).await?;
        if object.size > sheet::BYTES_MAX {
            return Err(Stop::Bad { lines: 0, why: format!("It has more than {} MiB.", sheet::BYTES_MAX >> 20) });
        }
        let form = if self.order.form == "csv" { Form::Csv } else { Form::Fhir };
        Ok(Sheet::open(form, self.order.target.table(), object))
    }
}

pub async fn licensed(scope: &mut Scope, tenant: Uuid, system: Uuid, version: &str) -> Result<bool> {
    let row = scope.one(&LICENSED, &[&tenant, &system, &version]).await?;
    Ok(row.try_get(0)?)
}
