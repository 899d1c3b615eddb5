//! What stands for a request or a launch until it is used, once: pushed authorization requests (RFC 9126) and the launch
//! handles of SMART App Launch. Of both only hashes are kept.

use super::Form;
use super::asked::Asked;
use super::client::{Client, authenticated};
use super::refusal::Refusal;
use crate::identity::grant;
use crate::identity::token::{Kind, Token};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::db::Scope;
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use poem::http::{StatusCode, header};
use poem::{Request, Response};
use serde_json::json;
use uuid::Uuid;

/// Somebody signs in meanwhile, and may have to look for their telephone.
const PUSHED_LIVES_S: i64 = 600;
const LAUNCH_LIVES_S: i64 = 300;
pub const URN: &str = "urn:ietf:params:oauth:request_uri:";

sql! {
    /// $1 tenant, $2 id, $3 client, $4 kind, $5 hash, $6 user, $7 patient, $8 encounter, $9 pushed request, $10 until.
    ADD(UUID, UUID, UUID, TEXT, BYTEA, UUID, UUID, UUID, TEXT, TIMESTAMPTZ) = "
        insert into oauth_requests (tenant_id, id, api_client_id, kind, handle_hash, user_id, patient_id, encounter_id, pushed, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    /// $1 tenant, $2 client, $3 kind, $4 hash.
    FIND(UUID, UUID, TEXT, BYTEA) = "
        select id, user_id, patient_id, encounter_id, pushed from oauth_requests
         where tenant_id = $1 and api_client_id = $2 and kind = $3 and handle_hash = $4 and used_at is null and expires_at > now()";
    /// $1 tenant, $2 id. No row where it was used before.
    USE(UUID, UUID) = "update oauth_requests set used_at = now() where tenant_id = $1 and id = $2 and used_at is null";
}

/// Out of whose session, and for which patient, an application was launched.
pub struct Launch {
    id: Uuid,
    user: Option<Uuid>,
    pub patient: Option<Uuid>,
    pub encounter: Option<Uuid>,
}

/// What a launch is made for.
pub struct Launching {
    pub client: Uuid,
    pub user: Uuid,
    pub patient: Option<Uuid>,
    pub encounter: Option<Uuid>,
}

/// A handle that the application is given, and until when it is good.
pub async fn launch(caller: &Caller, tenant: Uuid, made: Launching) -> Result<(Token, DateTime<Utc>)> {
    let handle = Token::new(Kind::Launch)?;
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let (id, until) = (scope.new_id(), scope.now() + TimeDelta::seconds(LAUNCH_LIVES_S));
    let (hash, none) = (handle.hash(), None::<String>);
    let Launching { client, user, patient, encounter } = made;
    scope.exec(&ADD, &[&tenant, &id, &client, &"LAUNCH", &hash.as_bytes(), &Some(user), &patient, &encounter, &none, &until]).await?;
    scope.commit().await?;
    Ok((handle, until))
}

/// The launch of that handle, when it was made for this client and by this person.
pub async fn launched(caller: &Caller, client: &Client, handle: &str, user: Option<Uuid>) -> Result<Option<Launch>> {
    let Some(handle) = Token::parse(Kind::Launch, handle) else { return Ok(None) };
    let scope = caller.kernel.door.open(&of(caller, client)).await?;
    let hash = handle.hash();
    let answers = scope.once(&[((&FIND).into(), vec![&client.tenant, &client.id, &"LAUNCH", &hash.as_bytes()])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(None) };
    let launch = Launch {
        id: row.try_get("id")?,
        user: row.try_get("user_id")?,
        patient: row.try_get("patient_id")?,
        encounter: row.try_get("encounter_id")?,
    };
    Ok(Some(launch).filter(|launch| launch.user.is_some() && launch.user == user))
}

impl Launch {
    /// Whether it is the first to be used of its handle.
    pub async fn spend(&self, scope: &mut Scope, tenant: Uuid) -> Result<bool> {
        Ok(scope.exec(&USE, &[&tenant, &self.id]).await? == 1)
    }
}

fn of(caller: &Caller, client: &Client) -> Context {
    Context { client: Some(client.id), ..grant::behind(&caller.context, Some(client.tenant)) }
}

/// What the client has pushed under that name. It is looked at on every page of a sign-in, and good until its end.
pub async fn pushed(caller: &Caller, client: &Client, uri: &str) -> Result<Option<Form>> {
    let Some(handle) = uri.strip_prefix(URN).and_then(|text| Token::parse(Kind::Pushed, text)) else { return Ok(None) };
    let scope = caller.kernel.door.open(&of(caller, client)).await?;
    let hash = handle.hash();
    let answers = scope.once(&[((&FIND).into(), vec![&client.tenant, &client.id, &"PUSHED", &hash.as_bytes()])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(None) };
    let text: Option<String> = row.try_get("pushed")?;
    text.map(|text| Form::parse(text.as_bytes())).transpose()
}

/// The code was made: the pushed request has done its work.
pub async fn spend_pushed(scope: &mut Scope, client: &Client, uri: &str) -> Result<bool> {
    let Some(handle) = uri.strip_prefix(URN).and_then(|text| Token::parse(Kind::Pushed, text)) else { return Ok(false) };
    let hash = handle.hash();
    let row = scope.optional(&FIND, &[&client.tenant, &client.id, &"PUSHED", &hash.as_bytes()]).await?;
    let Some(row) = row else { return Ok(false) };
    let id: Uuid = row.try_get("id")?;
    Ok(scope.exec(&USE, &[&client.tenant, &id]).await? == 1)
}

/// The pushed authorization request endpoint.
pub async fn push(caller: Caller, mut request: Request) -> Result<Response, Refusal> {
    let form = Form::read(&mut request).await?;
    let client = authenticated(&caller, &request, &form).await?;
    if form.get("request_uri").is_some() || form.get("client_id").is_some_and(|id| id != client.public_id) {
        return Err(Refusal::request("A pushed request is whole, and its client's own."));
    }
    if client.place().is_none() {
        return Err(Refusal::new("invalid_target", "audience is needed: the tenant in which the application acts."));
    }
    let said = form.without(&["client_secret", "client_assertion", "client_assertion_type", "client_id"]);
    let pairs: Vec<(&str, &str)> = [("client_id", client.public_id.as_str())].into_iter().chain(said).collect();
    let text = serde_urlencoded::to_string(pairs).map_err(Error::internal)?;
    let (tenant, id) = (client.tenant, client.id);
    let context = of(&caller, &client);
    let asked = Asked::of(client, Form::parse(text.as_bytes())?, "").map_err(|_| Refusal::request("redirect_uri is not registered."))?;
    if let Some(fault) = asked.fault(&caller) {
        return Err(Refusal::new(fault, "The request cannot be granted."));
    }
    let handle = Token::new(Kind::Pushed)?;
    let mut scope = caller.kernel.door.open(&context).await?;
    let (row, until) = (scope.new_id(), scope.now() + TimeDelta::seconds(PUSHED_LIVES_S));
    let (hash, nobody) = (handle.hash(), None::<Uuid>);
    scope.exec(&ADD, &[&tenant, &row, &id, &"PUSHED", &hash.as_bytes(), &nobody, &nobody, &nobody, &Some(text), &until]).await?;
    scope.commit().await?;
    let body = json!({"request_uri": format!("{URN}{}", handle.expose()), "expires_in": PUSHED_LIVES_S});
    let response = Response::builder().status(StatusCode::CREATED).content_type("application/json");
    Ok(response.header(header::CACHE_CONTROL, "no-store").body(body.to_string()))
}
