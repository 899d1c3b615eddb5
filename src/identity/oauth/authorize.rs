//! The authorization endpoint: who signs in, what they allow, for which patient, and the code that says so.

use super::Form;
use super::asked::{Asked, names_a_patient};
use super::consent;
use super::handle::{self, Launch};
use crate::identity::browser;
use crate::identity::grant;
use crate::identity::resolve::Bearer;
use crate::identity::sign_in_pages;
use crate::identity::token::{Kind, Token};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::{DateTime, TimeDelta, Utc};
use poem::{Request, Response};
use std::sync::Arc;
use uuid::Uuid;

pub const AUTHORIZE: &str = "/oauth2/authorize";
const CODE_LIVES_S: i64 = 60;
/// How old a sign-in may be where the application asks for a new one, and how old one always may be: between the page on which
/// somebody signed in and this one lies a moment.
const NEW_S: i64 = 120;
const MOMENT_S: i64 = 15;

sql! {
    CODE_ADD(UUID, UUID, UUID, UUID, UUID, TEXT_ARRAY, BYTEA, TEXT, TIMESTAMPTZ, TEXT, TIMESTAMPTZ, TEXT, UUID, UUID) = "
        insert into oauth_authorizations (tenant_id, id, api_client_id, user_id, patient_id, scopes, code_hash, code_challenge,
                                          code_expires_at, redirect_uri, granted_at, nonce, encounter_id, authenticated_at, sign_in_session_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, (select created_at from sessions where id = $14), $14)";
    /// $1 tenant, $2 client, $3 user, $4 scopes: what this person has allowed this application before, if it was as much.
    PRIOR(UUID, UUID, UUID, TEXT_ARRAY) = "
        select patient_id from oauth_authorizations
         where tenant_id = $1 and api_client_id = $2 and user_id = $3 and scopes @> $4 and session_id is not null
           and revoked_at is null and deleted_at is null order by granted_at desc, id desc limit 1";
    /// $1 session.
    SIGNED_IN(UUID) = "select created_at from sessions where id = $1";
}

/// Somebody who is signed in here, and what they may allow.
pub struct Person {
    pub bearer: Arc<Bearer>,
    pub token: Token,
    pub launch: Option<Launch>,
    pub scopes: Vec<String>,
}

/// What was decided.
struct Granted {
    scopes: Vec<String>,
    patient: Option<Uuid>,
}

impl Person {
    /// None: nobody is signed in, or not for this application's tenant, or too long ago for what it asks.
    /// `arrives`: the request comes from the application, not back from our own page.
    async fn find(caller: &Caller, request: &Request, asked: &Asked, arrives: bool) -> Result<Option<Person>> {
        // A session of another tenant is none here.
        let session = browser::signed_in(&caller.kernel, request).await?;
        let session = session.filter(|(bearer, _)| bearer.context.tenant.is_some() && bearer.context.tenant == asked.client.place());
        let Some((bearer, token)) = session else { return Ok(None) };
        if arrives && !is_new_enough(caller, &bearer, asked).await? {
            return Ok(None);
        }
        let launch = match asked.form.get("launch") {
            Some(text) => handle::launched(caller, &asked.client, text, bearer.context.actor).await?,
            None => None,
        };
        let scopes = asked.scopes(&bearer, launch.as_ref());
        Ok(Some(Person { bearer, token, launch, scopes }))
    }

    /// A launch handle that is none of this person's for this application, and nothing to grant.
    fn fault(&self, asked: &Asked) -> Option<&'static str> {
        if asked.form.get("launch").is_some() && self.launch.is_none() {
            return Some("invalid_request");
        }
        self.scopes.is_empty().then_some("invalid_scope")
    }
}

/// `max_age` and `prompt=login` of OpenID Connect.
async fn is_new_enough(caller: &Caller, bearer: &Bearer, asked: &Asked) -> Result<bool> {
    let forced = (asked.form.get("prompt") == Some("login")).then_some(NEW_S);
    let most = asked.form.get("max_age").map(|age| age.parse::<u32>().map_or(0, i64::from)).into_iter().chain(forced).min();
    let Some((most, session)) = most.map(|most| most.max(MOMENT_S)).zip(bearer.context.session) else { return Ok(true) };
    let scope = caller.kernel.door.open(&Context::system(crate::kernel::context::Plane::Auth, None)).await?;
    let answers = scope.once(&[((&SIGNED_IN).into(), vec![&session])]).await?;
    let at: Option<DateTime<Utc>> = answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?;
    Ok(at.is_some_and(|at| (Utc::now() - at).num_seconds() <= most))
}

/// Where the browser's person is signed in.
async fn here(caller: &Caller, request: &Request) -> Result<Option<Uuid>> {
    Ok(browser::signed_in(&caller.kernel, request).await?.and_then(|(bearer, _)| bearer.context.tenant))
}

pub async fn show(caller: Caller, request: Request) -> Result<Response> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let asked = Asked::read(&caller, &query, here(&caller, &request).await?).await?;
    if let Some(fault) = asked.fault(&caller) {
        return asked.back(&caller, &[("error", fault)]);
    }
    let silent = asked.form.get("prompt") == Some("none");
    let Some(person) = Person::find(&caller, &request, &asked, true).await? else {
        if silent {
            return asked.back(&caller, &[("error", "login_required")]);
        }
        return Ok(browser::redirect(&sign_in_pages::before(&format!("{AUTHORIZE}?{}", asked.query))));
    };
    if let Some(fault) = person.fault(&asked) {
        return asked.back(&caller, &[("error", fault)]);
    }
    if silent { again(&caller, &asked, &person).await } else { consent::page(&caller, &request, &asked, &person, None).await }
}

/// Without a page, where the person has allowed as much before.
async fn again(caller: &Caller, asked: &Asked, person: &Person) -> Result<Response> {
    let user = person.bearer.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(asked.client.tenant))).await?;
    let answers = scope.once(&[((&PRIOR).into(), vec![&asked.client.tenant, &asked.client.id, &user, &person.scopes])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return asked.back(caller, &[("error", "consent_required")]) };
    let before: Option<Uuid> = row.try_get(0)?;
    let patient = match person.launch.as_ref() {
        Some(launch) => launch.patient,
        None => consent::chart(caller, &person.bearer, before).await?.map(|chart| chart.0),
    };
    if names_a_patient(&person.scopes) && patient.is_none() {
        return asked.back(caller, &[("error", "interaction_required")]);
    }
    finish(caller, asked, person, Granted { scopes: person.scopes.clone(), patient }).await
}

/// A decision on the page, a search on it for a patient, or a request that came as a form (SMART `authorize-post`).
pub async fn decide(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let Some(flow) = form.get("flow") else {
        let query = serde_urlencoded::to_string(form.without(&[]).collect::<Vec<_>>()).map_err(Error::internal)?;
        return Ok(browser::redirect(&format!("{AUTHORIZE}?{query}")));
    };
    let asked = Asked::read(&caller, flow, here(&caller, &request).await?).await?;
    let token = browser::signed_in(&caller.kernel, &request).await?.map(|(_, token)| token);
    let token = token.ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
    browser::check_form(&caller.kernel, &request, Some(token.expose()), form.get("csrf"))?;
    if let Some(fault) = asked.fault(&caller) {
        return asked.back(&caller, &[("error", fault)]);
    }
    let Some(person) = Person::find(&caller, &request, &asked, false).await? else {
        return asked.back(&caller, &[("error", "access_denied")]);
    };
    if let Some(fault) = person.fault(&asked) {
        return asked.back(&caller, &[("error", fault)]);
    }
    match form.get("decision") {
        Some("find") => consent::page(&caller, &request, &asked, &person, Some(&form)).await,
        Some("allow") => allowed(&caller, &asked, &person, &form).await,
        _ => {
            denied(&caller, &asked, &person).await?;
            asked.back(&caller, &[("error", "access_denied")])
        }
    }
}

async fn allowed(caller: &Caller, asked: &Asked, person: &Person, form: &Form) -> Result<Response> {
    let scopes = consent::kept(&person.scopes, form);
    if scopes.is_empty() {
        return asked.back(caller, &[("error", "access_denied")]);
    }
    let patient = match &person.launch {
        Some(launch) if launch.patient.is_some() => launch.patient,
        _ if !names_a_patient(&scopes) => None,
        _ => {
            let wanted = form.get("patient").and_then(|id| id.parse().ok());
            let Some((id, _)) = consent::chart(caller, &person.bearer, wanted).await? else {
                return asked.back(caller, &[("error", "access_denied")]);
            };
            Some(id)
        }
    };
    finish(caller, asked, person, Granted { scopes, patient }).await
}

async fn finish(caller: &Caller, asked: &Asked, person: &Person, granted: Granted) -> Result<Response> {
    match keep(caller, asked, person, granted).await? {
        Some(code) => asked.back(caller, &[("code", code.expose())]),
        None => asked.back(caller, &[("error", "invalid_request")]),
    }
}

/// Writes the grant down with the hash of its code. None: what it came from was used meanwhile.
async fn keep(caller: &Caller, asked: &Asked, person: &Person, granted: Granted) -> Result<Option<Token>> {
    let bearer = &person.bearer;
    let user = bearer.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let tenant = asked.client.tenant;
    let context = Context {
        actor: Some(user),
        session: bearer.context.session,
        client: Some(asked.client.id),
        ..grant::behind(&caller.context, Some(tenant))
    };
    let (code, challenge) = (Token::new(Kind::Code)?, asked.challenge()?);
    let mut scope = caller.kernel.door.open(&context).await?;
    if let Some(launch) = &person.launch
        && !launch.spend(&mut scope, tenant).await?
    {
        return Ok(None);
    }
    let outer = Form::parse(asked.query.as_bytes())?;
    if let Some(uri) = outer.get("request_uri")
        && !handle::spend_pushed(&mut scope, &asked.client, uri).await?
    {
        return Ok(None);
    }
    let encounter = person.launch.as_ref().and_then(|launch| launch.encounter);
    let nonce = asked.form.get("nonce");
    let (id, now) = (scope.new_id(), scope.now());
    let until = now + TimeDelta::seconds(CODE_LIVES_S);
    let hash = code.hash();
    scope
        .exec(
            &CODE_ADD,
            &[
                &tenant,
                &id,
                &asked.client.id,
                &user,
                &granted.patient,
                &granted.scopes,
                &hash.as_bytes(),
                &challenge.as_str(),
                &until,
                &asked.redirect,
                &now,
                &nonce,
                &encounter,
                &bearer.context.session,
            ],
        )
        .await?;
    let mut event = audit_store::of(&context, "CONSENT_GRANTED", Action::Create, Outcome::Success, now);
    (event.resource_type, event.resource_id, event.patient_id) = (Some("OauthAuthorization".into()), Some(id), granted.patient);
    event.metadata = Metadata::new().texts("scopes", &granted.scopes);
    scope.audit(event);
    scope.commit().await?;
    Ok(Some(code))
}

async fn denied(caller: &Caller, asked: &Asked, person: &Person) -> Result<()> {
    let own = &person.bearer.context;
    let context = Context {
        actor: own.actor,
        session: own.session,
        client: Some(asked.client.id),
        ..grant::behind(&caller.context, Some(asked.client.tenant))
    };
    caller.kernel.audit.record(audit_store::of(&context, "CONSENT_DENIED", Action::Execute, Outcome::Denied, Utc::now())).await
}
