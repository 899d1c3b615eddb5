//! Brings a database to the schema of this binary: roles, kernel, migrations, policies, the sealing key. One server at a
//! time under an advisory lock; running it again changes nothing.

use super::Connector;
use crate::kernel::context::Sealer;
use crate::kernel::error::{Error, Result};
use tokio_postgres::Client;

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
    ("seed", include_str!("../../../policies/seed.sql")),
];

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
    run(client, BEFORE).await?;
    client.batch_execute("set search_path = enamel, kernel").await?;
    let mut runner = embedded::migrations::runner().set_abort_divergent(true).set_abort_missing(true);
    runner.set_migration_table_name("ledger.migrations");
    let report = runner.run_async(client).await.map_err(|failure| {
        // The report that comes along repeats every migration; what failed is enough.
        let why = std::error::Error::source(&failure).and_then(|cause| cause.downcast_ref()).map_or_else(|| failure.to_string(), describe);
        Error::internal(format!("a migration failed: {why}"))
    })?;
    client.batch_execute("reset search_path").await?;
    run(client, AFTER).await?;
    let (kid, inner, outer) = sealer.key_row();
    client
        .execute("insert into sec_priv.ctx_key (kid, ipad, opad) values ($1, $2, $3) on conflict (kid) do nothing", &[&kid, &inner, &outer])
        .await?;
    for (role, password) in passwords {
        client.batch_execute(&format!("alter role enamel_{role} password '{}'", password.replace('\'', "''"))).await?;
    }
    Ok(report.applied_migrations().len())
}

/// Each file is one transaction: a reader never sees a table between two policies.
async fn run(client: &Client, files: &[(&str, &str)]) -> Result<()> {
    for (name, text) in files {
        client
            .batch_execute(&format!("begin;\n{text}\ncommit;"))
            .await
            .map_err(|failure| Error::internal(format!("policies/{name}.sql: {}", describe(&failure))))?;
    }
    Ok(())
}

fn describe(failure: &tokio_postgres::Error) -> String {
    failure.as_db_error().map_or_else(|| failure.to_string(), |db| format!("{} {}", db.code().code(), db.message()))
}
