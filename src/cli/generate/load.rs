//! The load itself: tenants first, then the rows of one tenant after the other, each tenant in one transaction.

use super::plan::{Plan, Share};
use super::verify;
use crate::cli::{Line, Outcome, line};
use crate::kernel::audit::{Action, Metadata, Outcome as AuditOutcome};
use crate::kernel::context::{Caps, Context, Plane};
use crate::kernel::crypto::TenantKeys;
use crate::kernel::db::{Connector, Param};
use crate::kernel::{Kernel, audit_store};
use chrono::{TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement, Transaction};
use uuid::Uuid;

/// Tenants at a time; PostgreSQL does the work, a core each.
const AT_ONCE: usize = 2;
/// Patients that are first written as staff write them, to see that nothing is refused.
const JUDGED: u64 = 100;

/// Table and statement, in the order they are filled.
static PARTS: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| include_str!("parts.sql").split("\n-- part ").skip(1).filter_map(|part| part.split_once('\n')).collect());
/// So many of them are about patients and nothing else.
const OF_PATIENTS: usize = 6;

const TENANT: &str =
    "insert into tenants (id, name, slug, type, parent_tenant_id, root_tenant_id, jurisdiction, default_currency, time_zone)
    values ($1, $2, $3, $4, $5, $1, 'DE', 'EUR', 'Europe/Berlin')";
/// What a hash is of: ciphertexts and blind indexes do not follow from the seed.
const COLUMNS: &str = "
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute where attrelid = $1::text::regclass and attnum > 0
       and not attisdropped and attname !~ '_(enc|bidx)$'";
/// It takes two parameters more: policy numbers, sealed and blinded.
const SEALED: &str = "patient_insurance_policies";
const AUTHOR: &str = "insert into users (id, email, full_name, kind, status) values ($1, $2, $3, 'SERVICE', 'ACTIVE')";

pub struct Loaded {
    /// That are there whole, those included that were there before.
    pub tenants: usize,
    pub rows: u64,
}

/// A connection with all it says of a tenant, prepared once: the statements are long and most tenants are small.
struct Hand {
    client: Client,
    parts: Vec<Part>,
    questions: Vec<Statement>,
}

struct Part {
    table: &'static str,
    fill: Statement,
    /// Rows of the tenant, and their hash.
    told: Statement,
}

fn parts(plan: &Plan) -> &'static [(&'static str, &'static str)] {
    if plan.patients_only { &PARTS[..OF_PATIENTS] } else { &PARTS }
}

/// Loads what is not there yet. `told` hears how many patients came with each tenant; `stop` ends it behind the tenant at hand.
pub async fn load(admin: &Connector, kernel: &Kernel, plan: &Plan, stop: &AtomicBool, told: impl Fn(u64)) -> Outcome<Loaded> {
    let mut first = connect(admin, plan).await?;
    let shares = plan.shares();
    tenants(&mut first, plan, &shares).await?;
    let next = AtomicUsize::new(0);
    let worker = async |client: Client| -> Outcome<Loaded> {
        let mut hand = Hand::of(client, plan).await?;
        let mut loaded = Loaded { tenants: 0, rows: 0 };
        while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed))
            && !stop.load(Ordering::Relaxed)
        {
            loaded.rows += tenant(&mut hand, kernel, plan, share).await?;
            loaded.tenants += 1;
            told(share.patients);
        }
        Ok(loaded)
    };
    let second = connect(admin, plan).await?;
    let clients: [Client; AT_ONCE] = [first, second];
    let all = futures_util::future::try_join_all(clients.into_iter().map(worker)).await?;
    for (table, _) in parts(plan).iter().filter(|_| !stop.load(Ordering::Relaxed)) {
        connect(admin, plan).await?.batch_execute(&format!("vacuum (analyze) {table}")).await?;
    }
    Ok(all
        .into_iter()
        .fold(Loaded { tenants: 0, rows: 0 }, |all, one| Loaded { tenants: all.tenants + one.tenants, rows: all.rows + one.rows }))
}

async fn connect(admin: &Connector, plan: &Plan) -> Outcome<Client> {
    let client = admin.connect().await?;
    if client.query_one("select current_setting('is_superuser')", &[]).await?.try_get::<_, &str>(0)? != "on" {
        return Err(line("a load needs a superuser in database.admin_url: it writes with triggers off"));
    }
    client.batch_execute("set search_path = enamel, kernel, pg_catalog; set time zone 'UTC'; set synchronous_commit = off").await?;
    client.batch_execute(&include_str!("helpers.sql").replace("SEED", &plan.seed.to_string())).await?;
    Ok(client)
}

/// The tree, under all triggers; the same plan finds it there the second time.
async fn tenants(client: &mut Client, plan: &Plan, shares: &[Share]) -> Outcome {
    let ids: Vec<Uuid> = shares.iter().map(|share| plan.tenant_id(share.number)).collect();
    let there: i64 = client.query_one("select count(*) from tenants where id = any ($1)", &[&ids]).await?.try_get(0)?;
    let more: bool =
        client.query_one("select exists (select from tenants where id = $1)", &[&plan.tenant_id(plan.tenants + 1)]).await?.try_get(0)?;
    if there == shares.len() as i64 && !more {
        return Ok(());
    }
    if there > 0 {
        return Err(line(format!("a load of another size has the seed {}; choose another", plan.seed)));
    }
    let transaction = client.transaction().await?;
    let (tenant, author) = (transaction.prepare(TENANT).await?, transaction.prepare(AUTHOR).await?);
    for share in shares {
        let Share { number, parent, dso, .. } = share;
        let parent = parent.map(|number| plan.tenant_id(number));
        let kind = if *dso { "DSO" } else { "GROUP_PRACTICE" };
        let slug = format!("practice-{}-{number}", plan.seed);
        transaction.execute(&tenant, &[&plan.tenant_id(*number), &format!("Practice {number}"), &slug, &kind, &parent]).await?;
        let email = format!("load-{slug}@services.invalid");
        transaction.execute(&author, &[&plan.author_id(*number), &email, &format!("Load of practice {number}")]).await?;
    }
    Ok(transaction.commit().await?)
}

impl Hand {
    async fn of(client: Client, plan: &Plan) -> Outcome<Hand> {
        let tables: Vec<&str> = parts(plan).iter().map(|(table, _)| *table).collect();
        let questions = verify::questions(&client, &tables).await?;
        let types = [Type::UUID, Type::INT8, Type::INT8, Type::UUID, Type::DATE, Type::INT8, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY];
        let mut prepared = Vec::with_capacity(tables.len());
        for (table, sql) in parts(plan) {
            let used = if *table == SEALED { 8 } else { 6 };
            let fill = client.prepare_typed(sql, types.get(..used).unwrap_or(&types)).await.map_err(|failure| refused(table, &failure))?;
            let columns: String = client.query_one(COLUMNS, &[table]).await?.try_get(0)?;
            let told = format!(
                "select count(*), sha256(convert_to(coalesce(string_agg(row({columns})::text, E'\\n' order by id), ''), 'UTF8')) from {table} where tenant_id = $1"
            );
            prepared.push(Part { table, fill, told: client.prepare_typed(&told, &[Type::UUID]).await? });
        }
        Ok(Hand { client, parts: prepared, questions })
    }
}

/// One tenant whole; the rows it got.
async fn tenant(hand: &mut Hand, kernel: &Kernel, plan: &Plan, share: &Share) -> Outcome<u64> {
    let id = plan.tenant_id(share.number);
    let there: bool = hand.client.query_one("select exists (select from patients where tenant_id = $1)", &[&id]).await?.try_get(0)?;
    if there || share.patients == 0 {
        return Ok(0);
    }
    let keys = kernel.keys.of(id).await?;
    if share.first == 0 {
        judge(hand, kernel, plan, share, &keys).await?;
    }
    let transaction = hand.client.transaction().await?;
    transaction.batch_execute("set local session_replication_role = replica").await?;
    fill(&transaction, &hand.parts, plan, share, &keys).await?;
    transaction.batch_execute("set local session_replication_role = origin").await?;
    verify::verify(&transaction, &hand.questions, id).await?;
    let rows = told(&transaction, &hand.parts, plan, share).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// The first patients as the clinic's own staff would write them, under every policy and trigger; taken back.
async fn judge(hand: &mut Hand, kernel: &Kernel, plan: &Plan, share: &Share, keys: &TenantKeys) -> Outcome {
    let judged = hand.client.transaction().await?;
    let pid = judged.query_one("select pg_backend_pid()", &[]).await?.try_get(0)?;
    let mut context = Context::system(Plane::Staff, Some(plan.tenant_id(share.number)));
    context.actor = Some(plan.author_id(share.number));
    context.caps = Caps::ALL;
    let sealed = kernel.door.sealer.seal(&context, pid, Utc::now() + TimeDelta::minutes(5));
    judged
        .batch_execute(
            "-- Rows that the server alone writes are none here, where all claims are drafts; their statements run all the same.
             grant insert on claim_status_events, remittance_lines, payments to enamel_staff;
             do $$ begin execute format('grant usage on schema %1$s to enamel_staff; grant execute on all functions in schema %1$s to enamel_staff', pg_my_temp_schema()::regnamespace); end $$;
             set local session authorization enamel_staff",
        )
        .await?;
    judged.query("select set_config('app.ctx', $1, true)", &[&sealed]).await?;
    fill(&judged, &hand.parts, plan, &Share { patients: share.patients.min(JUDGED), ..*share }, keys).await?;
    Ok(judged.rollback().await?)
}

async fn fill(transaction: &Transaction<'_>, parts: &[Part], plan: &Plan, share: &Share, keys: &TenantKeys) -> Outcome {
    let numbers = share.first..share.first + share.patients;
    let (tenant, author) = (plan.tenant_id(share.number), plan.author_id(share.number));
    let (first, count, number) = (share.first as i64, share.patients as i64, i64::from(share.number));
    let params: [Param<'_>; 6] = [&tenant, &first, &count, &author, &plan.day, &number];
    for Part { table, fill, .. } in parts {
        let (enc, bidx): (Vec<Vec<u8>>, Vec<Vec<u8>>) = if *table == SEALED {
            numbers.clone().map(|number| policy(plan, keys, number)).collect::<Outcome<Vec<_>>>()?.into_iter().unzip()
        } else {
            Default::default()
        };
        let all: Vec<Param<'_>> = params.iter().copied().chain([&enc as Param<'_>, &bidx]).collect();
        let used = fill.params().len();
        transaction.execute(fill, all.get(..used).unwrap_or(&all)).await.map_err(|failure| refused(table, &failure))?;
    }
    Ok(())
}

/// What is loaded is nobody's data, so the refusal may be told whole.
fn refused(table: &str, failure: &tokio_postgres::Error) -> Line {
    line(format!("{table}: {}", failure.as_db_error().map_or_else(|| failure.to_string(), |said| said.message().to_owned())))
}

/// A policy's number, as it is kept and as it is found.
fn policy(plan: &Plan, keys: &TenantKeys, number: u64) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let (table, column, plain) = ("patient_insurance_policies", "policy_number", format!("P{}-{number:09}", plan.seed));
    Ok((keys.seal(table, column, plan.policy_id(number), plain.as_bytes())?, keys.blind(table, column, &plain)?))
}

/// The audit event of a tenant's load, written by the role that writes them all.
async fn told(transaction: &Transaction<'_>, parts: &[Part], plan: &Plan, share: &Share) -> Outcome<u64> {
    let tenant = plan.tenant_id(share.number);
    let (mut counts, mut hash, mut rows) = (Metadata::new(), Sha256::new(), 0);
    for Part { table, told, .. } in parts {
        let row = transaction.query_one(told, &[&tenant]).await?;
        let count: i64 = row.try_get(0)?;
        counts = counts.integer(table, count);
        hash.update(row.try_get::<_, &[u8]>(1)?);
        rows += count as u64;
    }
    let mut event =
        audit_store::of(&Context::system(Plane::Jobs, Some(tenant)), "DATA_LOADED", Action::Create, AuditOutcome::Success, Utc::now());
    event.metadata =
        Metadata::new().integer("seed", plan.seed.into()).map("rows", counts).text("sha256", crate::kernel::hex::hex(&hash.finalize()));
    let events = audit_store::rows(&[event])?;
    transaction.batch_execute("set local session authorization enamel_log").await?;
    transaction.query("select sec.audit_append($1)", &[&events]).await?;
    transaction.batch_execute("set local session authorization default").await?;
    Ok(rows)
}
