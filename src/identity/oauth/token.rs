//! The token endpoint: its grants, one answer.

use super::Form;
use super::client::{Client, authenticated};
use super::crowd::Granted;
use super::dpop::Proof;
use super::exchange;
use super::id_token::{self, SignIn};
use super::refusal::Refusal;
use crate::identity::grant::{self, Renewal};
use crate::identity::opening::{self, Issued, Opening, Parent, Vouched};
use crate::identity::pkce::Challenge;
use crate::identity::service::Service;
use crate::identity::token::{Kind, Token};
use crate::identity::{scope, sign_in};
use crate::kernel::Caller;
use crate::kernel::audit::PreparedEvent;
use crate::kernel::context::Context;
use crate::kernel::error;
use crate::sql;
use chrono::{DateTime, Utc};
use poem::http::header;
use poem::{Request, Response};
use serde_json::json;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 client, $3 code hash. Twins take turns.
    CODE_FIND(UUID, UUID, BYTEA) = "
        select id, user_id, patient_id, encounter_id, scopes, code_challenge, code_expires_at, redirect_uri, session_id, revoked_at, nonce,
               authenticated_at, sign_in_session_id
          from oauth_authorizations where tenant_id = $1 and api_client_id = $2 and code_hash = $3 for update";
    /// $1 the browser's session in which it was allowed. It does not end meanwhile.
    SIGNED_IN(UUID) = "
        select id, expires_at, mfa_level, provider_id from sessions where id = $1 and revoked_at is null and expires_at > now() for share";
    /// $1 tenant, $2 authorization, $3 session.
    CODE_SPEND(UUID, UUID, UUID) = "update oauth_authorizations set session_id = $3 where tenant_id = $1 and id = $2";
    /// $1 tenant, $2 authorization.
    CODE_END(UUID, UUID) = "update oauth_authorizations set revoked_at = now(), code_expires_at = now() where tenant_id = $1 and id = $2";
}

pub async fn grant(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    let form = Form::read(&mut request).await?;
    let grant = form.get("grant_type").ok_or_else(|| Refusal::request("grant_type is needed."))?;
    let client = authenticated(&caller, &request, &form).await?;
    let dpop = bound(&caller, &request).await?;
    if grant == exchange::GRANT {
        let issued = exchange::exchange(&caller, &client, &form, dpop).await?;
        return Ok(answer(&issued, &[("issued_token_type", exchange::ACCESS_TOKEN.to_owned())]));
    }
    if !["client_credentials", "authorization_code", "refresh_token"].contains(&grant) {
        return Err(Refusal::new("unsupported_grant_type", "This kind of grant is not served."));
    }
    // A refresh token comes with the scope offline_access, whatever the list of the client says.
    let renews = grant == "refresh_token" && client.may("authorization_code");
    if !renews && !client.may(grant) {
        return Err(Refusal::new("unauthorized_client", "The client may not use this kind of grant."));
    }
    match grant {
        "client_credentials" => Ok(answer(&by_itself(&caller, &client, &form, dpop).await?, &[])),
        "authorization_code" => {
            let (issued, id_token) = by_code(&caller, &client, &form, dpop).await?;
            Ok(answer(&issued, &id_token.map(|token| ("id_token", token)).into_iter().collect::<Vec<_>>()))
        }
        _ => {
            let token = form.get("refresh_token").ok_or_else(|| Refusal::request("refresh_token is needed."))?;
            let renewal = Renewal {
                token,
                client: Some(client.id),
                asked: form.get("scope"),
                dpop: dpop.as_deref(),
                certificate: client.certificate.as_deref(),
            };
            let issued = grant::renew(&caller.kernel, &of(&caller, &client), renewal).await.map_err(|failure| {
                if failure.code == &error::INVALID {
                    Refusal::new("invalid_scope", "The grant does not reach that far.")
                } else {
                    failure.into()
                }
            })?;
            Ok(answer(&issued, &[]))
        }
    }
}

/// Everything is done as this client, in its tenant.
fn of(caller: &Caller, client: &Client) -> Context {
    Context { client: Some(client.id), ..grant::behind(&caller.context, Some(client.tenant)) }
}

/// The key to which the client binds its tokens, when it brings a proof.
async fn bound(caller: &Caller, request: &Request) -> Result<Option<String>, Refusal> {
    if !Proof::is_sent(request) {
        return Ok(None);
    }
    let wrong = || Refusal::new("invalid_dpop_proof", "The proof is not for this request, or was shown before.");
    let proof = Proof::of(request, &caller.kernel.config.server.public_url).ok_or_else(wrong)?;
    proof.key(&caller.kernel, None).await?.ok_or_else(wrong).map(Some)
}

async fn by_itself(caller: &Caller, client: &Client, form: &Form, dpop: Option<String>) -> Result<Issued, Refusal> {
    if client.is_public() {
        return Err(Refusal::new("unauthorized_client", "A client without a secret cannot act by itself."));
    }
    let nowhere = || Refusal::new("invalid_target", "audience is needed: the tenant in which the application acts.");
    let service = client.service_user.ok_or_else(nowhere)?;
    let own = |word: &String| scope::Resource::parse(word).is_some_and(|scope| scope.level == scope::Level::System);
    // SMART Backend Services name what they want each time.
    if form.get("client_assertion").is_some() && form.get("scope").is_none() {
        return Err(Refusal::new("invalid_scope", "scope is needed."));
    }
    let scopes: Vec<String> = scope::granted(form.get("scope"), &client.scopes).into_iter().filter(own).collect();
    if scopes.is_empty() {
        return Err(Refusal::new("invalid_scope", "None of these scopes can be granted."));
    }
    let opening = Opening {
        client: Some(client.id),
        scopes,
        dpop,
        certificate: client.certificate.clone(),
        ..Opening::of(service, client.tenant, "API_CLIENT", Kind::Access)
    };
    let (context, now) = (Context { actor: Some(service), ..of(caller, client) }, Utc::now());
    let (ready, issued) = opening.ready(&caller.kernel.config.identity, context.origin.as_deref(), now)?;
    let event = PreparedEvent::salted(sign_in::succeeding(&context, service, client.tenant, issued.session, "API_CLIENT"))?;
    Service::of(&caller.kernel)?.crowd.grant(Granted { ready, event }).await?;
    Ok(issued)
}

/// A code is good once, for one minute, for its own client, address and verifier. Whatever is wrong ends it, and a second
/// use ends what came from the first (RFC 6749 §4.1.2).
async fn by_code(caller: &Caller, client: &Client, form: &Form, dpop: Option<String>) -> Result<(Issued, Option<String>), Refusal> {
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
    let browser = scope.optional(&SIGNED_IN, &[&row.try_get::<_, Option<Uuid>>("sign_in_session_id").map_err(read)?]).await?;
    let right = used.is_none()
        && browser.is_some()
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
    let renewable = scopes.iter().any(|word| word == scope::OFFLINE || word == scope::ONLINE);
    let browser = browser.ok_or_else(Refusal::grant)?;
    let parent = Parent { session: browser.try_get("id").map_err(read)?, until: browser.try_get("expires_at").map_err(read)? };
    let sign_in = SignIn {
        user,
        nonce: row.try_get("nonce").map_err(read)?,
        at: row.try_get("authenticated_at").map_err(read)?,
        session: parent.session,
    };
    let opening = Opening {
        client: Some(client.id),
        factor: browser.try_get::<_, String>("mfa_level").map_err(read)?.into(),
        scopes,
        patient: row.try_get("patient_id").map_err(read)?,
        encounter: row.try_get("encounter_id").map_err(read)?,
        dpop,
        certificate: client.certificate.clone(),
        renewable,
        proved: sign_in.at,
        vouched: browser.try_get::<_, Option<Uuid>>("provider_id").map_err(read)?.map(|provider| Vouched { provider, session: None }),
        parent: Some(parent),
        ..Opening::of(user, client.tenant, "OAUTH", Kind::Access)
    };
    let issued = opening::open(&mut scope, &caller.kernel.config.identity, opening).await?;
    scope.exec(&CODE_SPEND, &[&client.tenant, &id, &issued.session]).await?;
    let event = sign_in::succeeding(scope.context(), user, client.tenant, issued.session, "OAUTH");
    scope.commit().await?;
    caller.kernel.audit.record(event).await?;
    // Asks on connections of its own: never while one is held.
    let id_token = id_token::of(caller, client, &issued, &sign_in).await?;
    Ok((issued, id_token))
}

fn answer(issued: &Issued, more: &[(&str, String)]) -> Response {
    let mut body = json!({
        "access_token": issued.access.expose(), "token_type": if issued.dpop { "DPoP" } else { "Bearer" }, "expires_in": issued.expires_in_s, "scope": issued.scopes.join(" "),
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh.expose());
    }
    for (name, text) in more {
        body[*name] = json!(text);
    }
    if let Some(patient) = issued.patient {
        (body["patient"], body["need_patient_banner"]) = (json!(patient), json!(true));
    }
    if let Some(encounter) = issued.encounter {
        body["encounter"] = json!(encounter);
    }
    // Which clinic was entered; an application may be registered with several.
    body["tenant"] = json!(issued.tenant);
    let response = Response::builder().content_type("application/json");
    response.header(header::CACHE_CONTROL, "no-store").header(header::PRAGMA, "no-cache").body(body.to_string())
}
