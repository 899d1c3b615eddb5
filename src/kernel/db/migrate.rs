//! Brings a database to the schema of this binary: roles, kernel, migrations, policies, the sealing key. One server at a
//! time under an advisory lock; running it again changes nothing.

use super::Connector;
use crate::kernel::context::Sealer;
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

mod embedded {
    refinery::embed_migrations!("sql");
}

/// Reapplied whole at every start, in this order; `roles` and `kernel` come before the migrations.
static BEFORE: &[(&str, &str)] =
    &[("roles", include_str!("../../../policies/roles.sql")), ("kernel", include_str!("../../../policies/kernel.sql"))];
static AFTER: &[(&str, &str)] = &[
    ("tenancy", include_str!("../../../policies/tenancy.sql")),
    ("identity", include_str!("../../../policies/identity.sql")),
    ("kernel_tables", include_str!("../../../policies/kernel_tables.sql")),
    ("reference", include_str!("../../../policies/reference.sql")),
    ("directory", include_str!("../../../policies/directory.sql")),
    ("patients", include_str!("../../../policies/patients.sql")),
    ("scheduling", include_str!("../../../policies/scheduling.sql")),
    ("scheduling_times", include_str!("../../../policies/scheduling_times.sql")),
    ("scheduling_flow", include_str!("../../../policies/scheduling_flow.sql")),
    ("governance", include_str!("../../../policies/governance.sql")),
    ("imaging", include_str!("../../../policies/imaging.sql")),
    ("clinical", include_str!("../../../policies/clinical.sql")),
    ("charting", include_str!("../../../policies/charting.sql")),
    ("treatment", include_str!("../../../policies/treatment.sql")),
    ("ai", include_str!("../../../policies/ai.sql")),
    ("referrals", include_str!("../../../policies/referrals.sql")),
    ("messaging", include_str!("../../../policies/messaging.sql")),
    ("claims", include_str!("../../../policies/claims.sql")),
    ("billing", include_str!("../../../policies/billing.sql")),
    ("integrations", include_str!("../../../policies/integrations.sql")),
    ("workflow", include_str!("../../../policies/workflow.sql")),
    ("analytics", include_str!("../../../policies/analytics.sql")),
    ("finish", include_str!("../../../policies/finish.sql")),
];
const DATA: &[(&str, &str)] = &[("seed", include_str!("../../../policies/seed.sql"))];

/// What guards the rows, as the catalogue holds it: policies, rights, functions, triggers, roles.
const GUARDS: &str = "
    with ns as (select oid from pg_namespace where nspname in ('enamel', 'kernel', 'sec', 'sec_priv'))
    select md5(string_agg(line, chr(10) order by line collate \"C\")) from (
        select concat_ws(' ', 'policy', polrelid, polname, polcmd, polpermissive, polroles, pg_get_expr(polqual, polrelid),
                         pg_get_expr(polwithcheck, polrelid)) as line from pg_policy
        union all select concat_ws(' ', 'table', oid, relowner, relrowsecurity, relforcerowsecurity, relacl) from pg_class
            where relnamespace in (select oid from ns)
        union all select concat_ws(' ', 'column', attrelid, attname, attacl) from pg_attribute where attacl is not null
        union all select concat_ws(' ', 'function', oid, proowner, prosecdef, proconfig, proacl, md5(pg_get_functiondef(oid))) from pg_proc
            where pronamespace in (select oid from ns) and prokind = 'f'
        union all select concat_ws(' ', 'built-in', oid, proacl) from pg_proc where proacl is not null
        union all select concat_ws(' ', 'trigger', tgrelid, tgenabled, pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
        union all select concat_ws(' ', 'schema', oid, nspowner, nspacl) from pg_namespace
        union all select concat_ws(' ', 'role', oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
                         rolbypassrls) from pg_roles where rolname like 'enamel%'
        union all select concat_ws(' ', 'setting', setrole, setdatabase, setconfig) from pg_db_role_setting
        union all select concat_ws(' ', 'member', roleid, member) from pg_auth_members) lines";

/// Whether these very files were applied last and nothing that guards rows has changed since: then a start need not apply
/// them again, which with the whole record takes seconds.
struct Stand {
    files: String,
    holds: bool,
}

impl Stand {
    async fn of(client: &Client) -> Result<Stand> {
        let mut hash = Sha256::new();
        for (name, text) in BEFORE.iter().chain(AFTER) {
            hash.update(name.as_bytes());
            hash.update(text.as_bytes());
        }
        let files = hex(&hash.finalize());
        let known = client.query_one("select to_regclass('ledger.guards') is not null", &[]).await?.try_get(0)?;
        let holds = known && {
            let sql = format!("select exists (select from ledger.guards where files = $1 and guards = ({GUARDS}))");
            client.query_one(&sql, &[&files]).await?.try_get(0)?
        };
        Ok(Stand { files, holds })
    }

    async fn note(&self, client: &Client) -> Result<()> {
        let guards: String = client.query_one(GUARDS, &[]).await?.try_get(0)?;
        client
            .batch_execute(
                "create table if not exists ledger.guards (files text not null, guards text not null); delete from ledger.guards",
            )
            .await?;
        client.execute("insert into ledger.guards values ($1, $2)", &[&self.files, &guards]).await?;
        Ok(())
    }
}

/// Every role that signs in, with its password.
pub type Passwords = Vec<(&'static str, String)>;

/// Two servers that start together take turns here ("enamel" in ASCII).
const LOCK: i64 = 0x656e_616d_656c;

/// Migrations that were run now.
pub async fn migrate(admin: &Connector, sealer: &Sealer, passwords: &Passwords) -> Result<usize> {
    let mut client = admin.connect().await?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let outcome = apply(&mut client, sealer, passwords).await;
    // What failed is told, and not that the lock cannot be given back inside the transaction it broke.
    let unlocked = client.batch_execute(&format!("rollback; select pg_advisory_unlock({LOCK})")).await;
    let count = outcome?;
    unlocked?;
    Ok(count)
}

async fn apply(client: &mut Client, sealer: &Sealer, passwords: &Passwords) -> Result<usize> {
    client.batch_execute("set statement_timeout = 0; set lock_timeout = '60s'; set client_min_messages = warning").await?;
    let stand = Stand::of(client).await?;
    if !stand.holds {
        run(client, BEFORE).await?;
    }
    client.batch_execute("set search_path = enamel, kernel").await?;
    let mut runner = embedded::migrations::runner().set_abort_divergent(true).set_abort_missing(true);
    runner.set_migration_table_name("ledger.migrations");
    let report = runner.run_async(client).await.map_err(|failure| {
        // The report that comes along repeats every migration; what failed is enough.
        let why = std::error::Error::source(&failure).and_then(|cause| cause.downcast_ref()).map_or_else(|| failure.to_string(), describe);
        Error::internal(format!("a migration failed: {why}"))
    })?;
    client.batch_execute("reset search_path").await?;
    if !stand.holds || !report.applied_migrations().is_empty() {
        run(client, AFTER).await?;
        stand.note(client).await?;
    }
    run(client, DATA).await?;
    let (kid, inner, outer) = sealer.key_row();
    client
        .execute("insert into sec_priv.ctx_key (kid, ipad, opad) values ($1, $2, $3) on conflict (kid) do nothing", &[&kid, &inner, &outer])
        .await?;
    for (role, password) in passwords {
        batch(client, &format!("alter role enamel_{role} password '{}'", password.replace('\'', "''"))).await?;
    }
    Ok(report.applied_migrations().len())
}

/// Each file is one transaction: a reader never sees a table between two policies.
async fn run(client: &Client, files: &[(&str, &str)]) -> Result<()> {
    for (name, text) in files {
        batch(client, &format!("begin;\n{text}\ncommit;"))
            .await
            .map_err(|failure| Error::internal(format!("policies/{name}.sql: {}", describe(&failure))))?;
    }
    Ok(())
}

/// Roles belong to the whole cluster, our lock to one database: where another database's migration writes to the same role,
/// PostgreSQL refuses the later of the two. The earlier went through, so of many that meet one ends with each attempt.
async fn batch(client: &Client, text: &str) -> std::result::Result<(), tokio_postgres::Error> {
    const ATTEMPTS: u64 = 40;
    for attempt in 1..ATTEMPTS {
        match client.batch_execute(text).await {
            Err(failure) if failure.as_db_error().is_some_and(|db| *db.code() == SqlState::INTERNAL_ERROR) => {
                client.batch_execute("rollback").await?;
                tokio::time::sleep(Duration::from_millis(20 * attempt.min(10))).await;
            }
            ended => return ended,
        }
    }
    client.batch_execute(text).await
}

fn describe(failure: &tokio_postgres::Error) -> String {
    failure.as_db_error().map_or_else(|| failure.to_string(), |db| format!("{} {}", db.code().code(), db.message()))
}
