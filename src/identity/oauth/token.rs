//! The token endpoint: three grants, one answer.

use super::Form;
use super::client::{Client, authenticated};
use super::refusal::Refusal;
use crate::identity::grant::{self, Issued, Opening};
use crate::identity::pkce::Challenge;
use crate::identity::token::{Kind, Token};
use crate::identity::{scope, sign_in};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::sql;
use chrono::{DateTime, Utc};
use poem::http::header;
use poem::{Request, Response};
use serde_json::json;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 client, $3 code hash. Twins take turns.
    CODE_FIND(UUID, UUID, BYTEA) = "
        select id, user_id, patient_id, scopes, code_challenge, code_expires_at, redirect_uri, session_id, revoked_at
          from oauth_authorizations where tenant_id = $1 and api_client_id = $2 and code_hash = $3 for update";
    /// $1 tenant, $2 authorization, $3 session.
    CODE_SPEND(UUID, UUID, UUID) = "update oauth_authorizations set session_id = $3 where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 authorization.
    CODE_END(UUID, UUID) = "update oauth_authorizations set revoked_at = now(), code_expires_at = now() where tenant_id = $1 and id = $2";
}

pub async fn exchange(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    let form = Form::read(&mut request).await?;
    let grant = form.get("grant_type").ok_or_else(|| Refusal::request("grant_type is needed."))?;
    let client = authenticated(&caller, &request, &form).await?;
    if !["client_credentials", "authorization_code", "refresh_token"].contains(&grant) {
        return Err(Refusal::new("unsupported_grant_type", "This kind of grant is not served."));
    }
    // A refresh token comes with the scope offline_access, whatever the list of the client says.
    let renews = grant == "refresh_token" && client.may("authorization_code");
    if !renews && !client.may(grant) {
        return Err(Refusal::new("unauthorized_client", "The client may not use this kind of grant."));
    }
    let issued = match grant {
        "client_credentials" => by_itself(&caller, &client, &form).await?,
        "authorization_code" => by_code(&caller, &client, &form).await?,
        _ => {
            let token = form.get("refresh_token").ok_or_else(|| Refusal::request("refresh_token is needed."))?;
            grant::renew(&caller.kernel, &of(&caller, &client), token, Some(client.id)).await?
        }
    };
    Ok(answer(&issued))
}

/// Everything is done as this client, in its tenant.
fn of(caller: &Caller, client: &Client) -> Context {
    Context { client: Some(client.id), ..grant::behind(&caller.context, Some(client.tenant)) }
}

async fn by_itself(caller: &Caller, client: &Client, form: &Form) -> Result<Issued, Refusal> {
    if client.is_public() {
        return Err(Refusal::new("unauthorized_client", "A client without a secret cannot act by itself."));
    }
    let own = |word: &String| scope::Resource::parse(word).is_some_and(|scope| scope.level == scope::Level::System);
    let scopes: Vec<String> = scope::granted(form.get("scope"), &client.scopes).into_iter().filter(own).collect();
    if scopes.is_empty() {
        return Err(Refusal::new("invalid_scope", "None of these scopes can be granted."));
    }
    let mut scope = caller.kernel.door.open(&Context { actor: Some(client.service_user), ..of(caller, client) }).await?;
    let opening = Opening {
        user: client.service_user,
        tenant: client.tenant,
        client: Some(client.id),
        method: "API_CLIENT",
        factor: "NONE",
        kind: Kind::Access,
        scopes,
        patient: None,
        renewable: false,
    };
    let issued = grant::open(&mut scope, &caller.kernel.config.identity, opening).await?;
    sign_in::remember(&mut scope, client.service_user, client.tenant, issued.session, "API_CLIENT");
    scope.commit().await?;
    Ok(issued)
}

/// A code is good once, for one minute, for its own client, address and verifier. Whatever is wrong ends it, and a second
/// use ends what came from the first (RFC 6749 §4.1.2).
async fn by_code(caller: &Caller, client: &Client, form: &Form) -> Result<Issued, Refusal> {
    let given = |name, why| form.get(name).ok_or_else(|| Refusal::request(why));
    let (code, verifier) = (given("code", "code is needed.")?, given("code_verifier", "code_verifier is needed.")?);
    let redirect = given("redirect_uri", "redirect_uri is needed.")?;
    let code = Token::parse(Kind::Code, code).ok_or_else(Refusal::grant)?;
    let mut scope = caller.kernel.door.open(&of(caller, client)).await?;
    let row = scope.optional(&CODE_FIND, &[&client.tenant, &client.id, &code.hash().as_bytes()]).await?;
    let row = row.ok_or_else(Refusal::grant)?;
    let read = |failure: tokio_postgres::Error| Refusal::from(crate::kernel::Error::from(failure));
    let (id, used): (Uuid, Option<Uuid>) = (row.try_get("id").map_err(read)?, row.try_get("session_id").map_err(read)?);
    let until: Option<DateTime<Utc>> = row.try_get("code_expires_at").map_err(read)?;
    let challenge = row.try_get::<_, Option<&str>>("code_challenge").map_err(read)?.and_then(Challenge::from_stored);
    let right = used.is_none()
        && row.try_get::<_, Option<DateTime<Utc>>>("revoked_at").map_err(read)?.is_none()
        && until.is_some_and(|until| until > scope.now())
        && row.try_get::<_, Option<&str>>("redirect_uri").map_err(read)? == Some(redirect)
        && challenge.is_some_and(|challenge| challenge.verify(verifier).is_ok());
    if !right {
        scope.exec(&CODE_END, &[&client.tenant, &id]).await?;
        if let Some(session) = used {
            grant::end(&mut scope, session, "REUSE_DETECTED").await?;
        }
        scope.commit().await?;
        grant::forget(&caller.kernel, |context| used.is_some() && context.session == used)?;
        return Err(Refusal::grant());
    }
    let (user, scopes): (Uuid, Vec<String>) = (row.try_get("user_id").map_err(read)?, row.try_get("scopes").map_err(read)?);
    let renewable = scopes.iter().any(|word| word == scope::OFFLINE);
    let opening = Opening {
        user,
        tenant: client.tenant,
        client: Some(client.id),
        method: "OAUTH",
        factor: "NONE",
        kind: Kind::Access,
        scopes,
        patient: row.try_get("patient_id").map_err(read)?,
        renewable,
    };
    let issued = grant::open(&mut scope, &caller.kernel.config.identity, opening).await?;
    scope.exec(&CODE_SPEND, &[&client.tenant, &id, &issued.session]).await?;
    let event = sign_in::succeeding(scope.context(), user, client.tenant, issued.session, "OAUTH");
    scope.commit().await?;
    caller.kernel.audit.record(event).await?;
    Ok(issued)
}

fn answer(issued: &Issued) -> Response {
    let mut body = json!({
        "access_token": issued.access.expose(), "token_type": "Bearer", "expires_in": issued.expires_in_s, "scope": issued.scopes.join(" "),
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh.expose());
    }
    if let Some(patient) = issued.patient {
        body["patient"] = json!(patient);
    }
    Response::builder().content_type("application/json").header(header::CACHE_CONTROL, "no-store").body(body.to_string())
}
