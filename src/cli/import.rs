//! `enamel import`: a tenant's own code file, loaded as the operation of the same name loads it.

use super::{Outcome, line};
use crate::imaging::{made, media};
use crate::integrations::sync_job::SYNC_JOB;
use crate::kernel::config::Config;
use crate::kernel::context::{Context, Plane};
use crate::kernel::table::{Draft, Record, store};
use crate::kernel::{Caller, Kernel};
use crate::reference::code_licence::CODE_LICENCE;
use crate::reference::code_system::CODE_SYSTEM;
use crate::reference::import::queue;
use crate::reference::load::{self, Order, Target};
use crate::server::start;
use crate::sql;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 code: the newest of the tenant's own, else the platform's.
    SYSTEM(UUID, TEXT) = "
        select id from code_systems where tenant_id = any ((select sec.shared(0))::uuid[]) and code = $2
         order by tenant_id <> $1, id desc limit 1";
    /// $1 tenant, $2 job.
    TOLD(UUID, UUID) = "
        select record_ref, error_message from sync_job_logs where tenant_id = $1 and job_id = $2
         order by length(record_ref), record_ref limit 100";
}

#[derive(Subcommand)]
pub enum Import {
    /// The codes of a coding system: CSV, or a FHIR CodeSystem in JSON
    CodeSystem(What),
    /// The procedures of a catalogue, as codes of a coding system
    ProcedureCatalog(What),
}

#[derive(Args)]
pub struct What {
    /// TOML file; environment variables ENAMEL_<TABLE>__<KEY> come on top
    #[arg(long, env = "ENAMEL_CONFIG")]
    config: Option<PathBuf>,
    /// Whose codes; no other tenant sees them
    #[arg(long)]
    tenant: Uuid,
    /// Of the coding system; one that is not there yet is made
    #[arg(long)]
    code: String,
    /// Version of the system, or edition of the catalogue
    #[arg(long)]
    version: String,
    /// Canonical address of a system that is made
    #[arg(long, default_value = "urn:enamel:codes")]
    uri: String,
    /// Number of the licence; that the tenant holds it is attested by the login given with --attested-by
    #[arg(long, requires = "attested_by")]
    licence: Option<String>,
    #[arg(long)]
    attested_by: Option<Uuid>,
    /// Of a catalogue: retire the entries of other editions too
    #[arg(long)]
    retire_others: bool,
    file: PathBuf,
}

pub async fn run(import: Import) -> Outcome {
    let (what, target) = match import {
        Import::CodeSystem(what) => (what, Target::CodeValues),
        Import::ProcedureCatalog(what) => (what, Target::ProcedureCatalog),
    };
    let config = Config::load(what.config.as_deref())?;
    config.refuse_weak()?;
    let prepared = start::prepare(config).await?;
    let loaded = load_file(&prepared.kernel, &what, target).await;
    prepared.stop().await;
    let (job, told) = loaded?;
    if job.text("status") != Some("SUCCEEDED") {
        told.iter().for_each(|told| eprintln!("{told}"));
        return Err(line(format!("{}: {}", what.file.display(), job.text("error_details").unwrap_or("the import was cancelled"))));
    }
    let count = |name: &str| job.int(name).unwrap_or_default();
    println!("{} codes created, {} changed or retired.", count("created_count"), count("updated_count"));
    Ok(())
}

/// Gives the finished job and what it says about bad lines.
async fn load_file(kernel: &Arc<Kernel>, what: &What, target: Target) -> Outcome<(Record, Vec<String>)> {
    let bytes = std::fs::read(&what.file).map_err(|error| line(format!("{}: {error}", what.file.display())))?;
    let (media_type, form) = if media::is(media::JSON, &bytes, bytes.len() as u64) { (media::JSON, "fhir") } else { (media::CSV, "csv") };
    let mut server = Context::system(Plane::Jobs, Some(what.tenant));
    server.actor = what.attested_by;
    let system = system(kernel, &server, what).await?;
    let name = what.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let file =
        made::Made { kind: "DOCUMENT", name: &name, media_type, source: "import", bytes: bytes.into(), patient: None, visible: false };
    let file = made::keep(kernel, &server, file).await?;
    let order =
        Order { target, code_system_id: system, version: what.version.clone(), form: form.to_owned(), retire_others: what.retire_others };
    let caller = Caller { kernel: kernel.clone(), context: server.clone(), reads_subtree: false, scopes: Arc::from([]) };
    let job = queue(&caller, &server, &order, file.id).await?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    let running = load::run(kernel, what.tenant, job.id);
    tokio::pin!(running);
    loop {
        tokio::select! {
            done = &mut running => break done.map(|_| ())?,
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {
                let mut scope = kernel.door.open_from("keys", &server).await?;
                let seen = store::seen(&mut scope, &SYNC_JOB, job.id, &kernel.keys).await?;
                scope.commit().await?;
                bar.set_message(seen.text("cursor").unwrap_or("reading").to_owned());
            }
        }
    }
    bar.finish_and_clear();
    let mut scope = kernel.door.open(&server).await?;
    let job = store::seen(&mut scope, &SYNC_JOB, job.id, &kernel.keys).await?;
    let told = scope.rows(&TOLD, &[&what.tenant, &job.id]).await?;
    scope.commit().await?;
    let told =
        told.iter().map(|row| Ok(format!("{}: {}", row.try_get::<_, &str>(0)?, row.try_get::<_, Option<&str>>(1)?.unwrap_or_default())));
    Ok((job, told.collect::<Result<_, tokio_postgres::Error>>()?))
}

/// The system the codes belong to, with the licence attested now.
async fn system(kernel: &Kernel, server: &Context, what: &What) -> Outcome<Uuid> {
    let mut scope = kernel.door.open(server).await?;
    let now = crate::kernel::table::value::instant_text(scope.now());
    if let (Some(licence), Some(who)) = (&what.licence, what.attested_by) {
        let body = json!({
            "code_system_code": what.code, "edition": what.version, "licence_reference": licence, "attested_by": who, "attested_at": now,
        });
        store::insert(&mut scope, &CODE_LICENCE, &draft(&CODE_LICENCE, &body)?, &kernel.keys).await?;
    }
    let found = match scope.optional(&SYSTEM, &[&what.tenant, &what.code]).await? {
        Some(row) => row.try_get(0)?,
        None => {
            let body = json!({
                "code": what.code, "name": what.code, "uri": what.uri, "system_version": what.version, "requires_licence": what.licence.is_some(),
            });
            store::insert(&mut scope, &CODE_SYSTEM, &draft(&CODE_SYSTEM, &body)?, &kernel.keys).await?.id
        }
    };
    scope.commit().await?;
    Ok(found)
}

fn draft(table: &'static crate::kernel::table::Table, body: &Json) -> Outcome<Draft> {
    Ok(Draft::create(table, body.as_object().ok_or_else(|| line("a record is an object"))?)?)
}
