//! A tenant's identity provider tells that somebody has signed out there: the sessions that began with it end here too (OpenID
//! Connect Back-Channel Logout 1.0, as a relying party).

use super::Form;
use super::assertion::first_in;
use super::refusal::Refusal;
use crate::identity::federation;
use crate::identity::grant;
use crate::identity::service::Service;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::Utc;
use poem::http::header;
use poem::{Request, Response};
use sha2::{Digest, Sha256};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 provider, $3 hash of its session or null, $4 issuer, $5 subject or null.
    BEGUN(UUID, UUID, BYTEA, TEXT, TEXT) = "
        select s.id from sessions s
         where s.provider_id = $2 and s.active_tenant_id = $1 and s.api_client_id is null and s.revoked_at is null
           and ($3::bytea is null or s.provider_session_hash = $3)
           and ($5::text is null or s.user_id in (select i.user_id from user_auth_identities i
                 where i.kind = 'OIDC' and i.issuer = $4 and i.subject = $5 and i.deleted_at is null))
         order by s.id";
}

/// 200 whether or not anybody was signed in by it (§2.8); whatever is wrong with the token is one answer.
pub async fn take(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    let wrong = || Refusal::request("The logout token is not valid.");
    let form = Form::read(&mut request).await?;
    let id = |name: &str| request.raw_path_param(name).and_then(|text| text.parse::<Uuid>().ok());
    let (tenant, provider) = id("tenant_id").zip(id("provider_id")).ok_or_else(wrong)?;
    let token = form.get("logout_token").ok_or_else(|| Refusal::request("logout_token is needed."))?;
    match leave(&caller, tenant, provider, token).await {
        Ok(()) => Ok(Response::builder().header(header::CACHE_CONTROL, "no-store").finish()),
        Err(failure) if failure.code.status < 500 => Err(wrong()),
        Err(failure) => Err(failure.into()),
    }
}

async fn leave(caller: &Caller, tenant: Uuid, provider: Uuid, token: &str) -> Result<()> {
    let held = federation::registered(caller, tenant, provider).await?;
    let told = Service::of(&caller.kernel)?.openid.logged_out(&held.provider, token, Utc::now()).await?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    if !first_in(&mut scope, provider.as_bytes(), &told.jti, told.until).await? {
        return Err(Error::new(&error::CREDENTIALS_WRONG));
    }
    let session: Option<Vec<u8>> = told.session.map(|sid| Sha256::digest(sid.as_bytes()).to_vec());
    let begun = scope.rows(&BEGUN, &[&tenant, &provider, &session, &held.provider.issuer, &told.subject]).await?;
    let begun: Vec<Uuid> = begun.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
    for session in &begun {
        grant::end(&mut scope, *session, "LOGOUT").await?;
    }
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.session.is_some_and(|session| begun.contains(&session)))
}
