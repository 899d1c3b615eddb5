//! Whether the records by which tenants proved their e-mail domains still stand. A domain changes hands, and whoever has it next is
//! not to sign people in here: one whose record was missing each time for a day is nobody's any more. A name server that does
//! not answer says nothing.

use super::domains::{challenge, record_name};
use super::service::Service;
use crate::kernel::Kernel;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::sql;
use uuid::Uuid;

/// Looked up so often, and missing at so many times one after the other, it has gone.
const EVERY_HOURS: i32 = 6;
pub const MISSES_MAX: i32 = 4;
/// Domains a round looks at.
const ROUND: i64 = 100;

sql! {
    /// $1 hours, $2 how many.
    DUE(INT4, INT8) = "select tenant_id, provider_id, domain from sec.domains_due(make_interval(hours => $1), $2)";
    /// $1 tenant, $2 id, $3 provider, $4 domain, $5 hours. No row when another server looks it up.
    TAKE(UUID, UUID, UUID, TEXT, INT4) = "
        insert into domain_checks (tenant_id, id, provider_id, domain, checked_at) values ($1, $2, $3, $4, now())
        on conflict (tenant_id, provider_id, domain) do update set checked_at = now()
         where domain_checks.checked_at <= now() - make_interval(hours => $5)
        returning id";
    /// $1 tenant, $2 check, $3 whether the record stands.
    FOUND(UUID, UUID, BOOL) = "
        update domain_checks set misses = case when $3 then 0 else misses + 1 end where tenant_id = $1 and id = $2 returning misses";
    /// $1 tenant, $2 provider, $3 domain.
    WITHDRAW(UUID, UUID, TEXT) = "
        update identity_providers set proven_domains = array_remove(proven_domains, $3) where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 check.
    FORGET(UUID, UUID) = "delete from domain_checks where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 id, $3 provider, $4 title, $5 message.
    TELL(UUID, UUID, UUID, TEXT, TEXT) = "
        insert into notifications (tenant_id, id, audience, role_code, type, resource_type, resource_id, title, message, priority)
        values ($1, $2, 'ROLE', 'TENANT_ADMIN', 'SYSTEM_MESSAGE', 'IdentityProvider', $3, $4, $5, 'HIGH')";
}

/// Looks up what is due; each domain whatever became of the others.
pub async fn carry_on(kernel: &Kernel) -> Result<()> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&DUE).into(), vec![&EVERY_HOURS, &ROUND])]).await?;
    for row in answers.iter().flatten() {
        let (tenant, provider, domain): (Uuid, Uuid, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if let Err(failure) = check(kernel, tenant, provider, &domain).await {
            tracing::warn!(tenant.id = %tenant, error = %failure, "A proven domain could not be looked up");
        }
    }
    Ok(())
}

async fn check(kernel: &Kernel, tenant: Uuid, provider: Uuid, domain: &str) -> Result<()> {
    let (service, context) = (Service::of(kernel)?, Context::system(Plane::Jobs, Some(tenant)));
    let mut scope = kernel.door.open(&context).await?;
    let id = scope.new_id();
    let taken = scope.optional(&TAKE, &[&tenant, &id, &provider, &domain, &EVERY_HOURS]).await?;
    scope.commit().await?;
    let Some(taken) = taken else { return Ok(()) };
    let check: Uuid = taken.try_get(0)?;
    let stands = service.records.of(&record_name(domain)).await?.contains(&challenge(service, tenant, domain));
    let mut scope = kernel.door.open(&context).await?;
    let misses: i32 = scope.one(&FOUND, &[&tenant, &check, &stands]).await?.try_get(0)?;
    match misses {
        1 => {
            let told = "The TXT record of a proven domain is missing. If it does not come back within a day, the provider answers for the domain no more.";
            tell(&mut scope, tenant, provider, "A domain's record is missing", told).await?;
        }
        MISSES_MAX.. => withdraw(&mut scope, tenant, provider, check, domain).await?,
        _ => {}
    }
    scope.commit().await
}

async fn withdraw(scope: &mut Scope, tenant: Uuid, provider: Uuid, check: Uuid, domain: &str) -> Result<()> {
    scope.exec(&WITHDRAW, &[&tenant, &provider, &domain]).await?;
    scope.exec(&FORGET, &[&tenant, &check]).await?;
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Update, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("IdentityProvider".into()), Some(provider));
    event.metadata = Metadata::new().text("operation", "withdraw-domain");
    scope.audit(event);
    let told =
        "The TXT record of a domain was missing for a day: the provider answers for the domain no more. Prove it again to change that.";
    tell(scope, tenant, provider, "A domain is no longer proven", told).await
}

async fn tell(scope: &mut Scope, tenant: Uuid, provider: Uuid, title: &str, message: &str) -> Result<()> {
    let id = scope.new_id();
    scope.exec(&TELL, &[&tenant, &id, &provider, &title, &message]).await?;
    Ok(())
}
