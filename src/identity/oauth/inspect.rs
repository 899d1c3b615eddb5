//! Revocation (RFC 7009) and introspection (RFC 7662). Both answer about the asking client's own tenant only.

use super::Form;
use super::client::authenticated;
use super::id_token::fhir_user;
use super::refusal::Refusal;
use crate::identity::resolve::Bearer;
use crate::identity::scope::FHIR_USER;
use crate::identity::token::{Kind, Token};
use crate::identity::{grant, resolve};
use crate::kernel::Caller;
use crate::kernel::error::Error;
use crate::sql;
use chrono::Utc;
use poem::http::header;
use poem::{Request, Response};
use serde_json::{Value as Json, json};
use uuid::Uuid;

sql! {
    /// $1 client, $2 hash of an access or a refresh token.
    SESSION_OF_TOKEN(UUID, BYTEA) = "
        select id from sessions where api_client_id = $1 and token_hash = $2
        union all
        select s.id from refresh_tokens r join sessions s on s.id = r.session_id where s.api_client_id = $1 and r.token_hash = $2";
    /// $1 tenant, $2 client.
    CLIENT_OF(UUID, UUID) = "select client_id, service_user_id from api_clients where tenant_id = $1 and id = $2";
}

/// Either token ends the whole session. An unknown token is no error, so that nothing is learnt by trying.
pub async fn revoke(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    let form = Form::read(&mut request).await?;
    let client = authenticated(&caller, &request, &form).await?;
    let text = form.get("token").ok_or_else(|| Refusal::request("token is needed."))?;
    let token = [Kind::Access, Kind::Refresh].into_iter().find_map(|kind| Token::parse(kind, text));
    if let Some(token) = token {
        let mut context = grant::behind(&caller.context, Some(client.tenant));
        context.client = Some(client.id);
        let mut scope = caller.kernel.door.open(&context).await?;
        if let Some(row) = scope.optional(&SESSION_OF_TOKEN, &[&client.id, &token.hash().as_bytes()]).await? {
            let session: Uuid = row.try_get(0).map_err(Error::from)?;
            grant::end(&mut scope, session, "LOGOUT").await?;
            scope.commit().await?;
            grant::forget(&caller.kernel, |context| context.session == Some(session))?;
        }
    }
    Ok(Response::builder().header(header::CACHE_CONTROL, "no-store").finish())
}

pub async fn introspect(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    let form = Form::read(&mut request).await?;
    let client = authenticated(&caller, &request, &form).await?;
    if client.is_public() {
        return Err(Refusal::new("unauthorized_client", "A client without a secret cannot ask about tokens."));
    }
    let text = form.get("token").ok_or_else(|| Refusal::request("token is needed."))?;
    let bearer = match Token::parse(Kind::Access, text) {
        Some(token) => resolve::bearer(&caller.kernel, &token).await?,
        None => None,
    };
    let own = |bearer: &Bearer| [bearer.context.tenant, bearer.from].contains(&Some(client.tenant));
    let known = bearer.filter(|bearer| own(bearer) && bearer.expires > Utc::now());
    let body = match known.as_ref().and_then(|bearer| bearer.context.tenant.map(|tenant| (bearer, tenant))) {
        None => json!({"active": false}),
        Some((bearer, tenant)) => described(&caller, bearer, tenant).await?,
    };
    Ok(Response::builder().content_type("application/json").header(header::CACHE_CONTROL, "no-store").body(body.to_string()))
}

/// As it was issued: SMART wants the launch's context and the person beside the words of RFC 7662. Of an exchanged token it is
/// told who acts (RFC 8693 §4.1).
async fn described(caller: &Caller, bearer: &Bearer, tenant: Uuid) -> Result<Json, Error> {
    let mut told = json!({
        "active": true, "token_type": "Bearer", "scope": bearer.scopes.join(" "), "exp": bearer.expires.timestamp(),
        "sub": bearer.context.actor, "iss": caller.kernel.config.server.public_url, "tenant_id": tenant,
    });
    let home = bearer.from.unwrap_or(tenant);
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(home))).await?;
    let answers = scope.once(&[((&CLIENT_OF).into(), vec![&home, &bearer.context.client])]).await?;
    if let Some(row) = answers.iter().flatten().next() {
        let (id, service): (&str, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        told["client_id"] = json!(id);
        if bearer.from.is_some() {
            told["act"] = json!({"sub": service, "client_id": id, "tenant_id": home});
        }
    }
    if let Some(key) = &bearer.dpop {
        (told["cnf"], told["token_type"]) = (json!({"jkt": key}), json!("DPoP"));
    }
    if let Some(thumbprint) = &bearer.certificate {
        told["cnf"]["x5t#S256"] = json!(thumbprint);
    }
    for (name, id) in [("patient", bearer.patient), ("encounter", bearer.encounter)] {
        if let Some(id) = id {
            told[name] = json!(id);
        }
    }
    if let Some(user) = bearer.context.actor.filter(|_| bearer.scopes.iter().any(|word| word == FHIR_USER))
        && let Some(url) = fhir_user(caller, tenant, user).await?
    {
        told[FHIR_USER] = json!(url);
    }
    Ok(told)
}
