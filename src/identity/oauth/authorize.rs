//! The authorization endpoint: who signs in, what they allow, and the code that says so. Before the client and its
//! address are sure, a refusal is a page; after that it goes back to the application.

use super::Form;
use super::client::Client;
use crate::identity::browser;
use crate::identity::client_operations::is_redirect;
use crate::identity::grant;
use crate::identity::pages::{self, Chart, ConsentPage};
use crate::identity::pkce::Challenge;
use crate::identity::resolve::Bearer;
use crate::identity::scope::{self, Level};
use crate::identity::sign_in_pages;
use crate::identity::token::{Kind, Token};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::TimeDelta;
use poem::http::StatusCode;
use poem::{Request, Response};
use uuid::Uuid;

pub const AUTHORIZE: &str = "/oauth2/authorize";
const CODE_LIVES_S: i64 = 60;

sql! {
    /// $1 tenant. The caller's charts there, by the policies of the patient plane.
    CHARTS(UUID) = "select id, full_name from patients where tenant_id = $1 order by full_name, id limit 50";
    CODE_ADD(UUID, UUID, UUID, UUID, UUID, TEXT_ARRAY, BYTEA, TEXT, TIMESTAMPTZ, TEXT, TIMESTAMPTZ) = "
        insert into oauth_authorizations (tenant_id, id, api_client_id, user_id, patient_id, scopes, code_hash, code_challenge,
                                          code_expires_at, redirect_uri, granted_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
}

/// A request whose client and address are sure.
struct Asked {
    client: Client,
    redirect: String,
    state: Option<String>,
    query: String,
    form: Form,
}

/// Who asks, for the sign-in page.
pub async fn asking(caller: &Caller, query: &str) -> Result<Client> {
    Ok(Asked::read(caller, query).await?.client)
}

impl Asked {
    /// An unknown client and an address that is not its own are one answer, and nobody is sent anywhere.
    async fn read(caller: &Caller, query: &str) -> Result<Asked> {
        let unknown = || {
            Error::new(&error::PARAMETER_INVALID).detail("The application is not known, or it asked for an address that is not registered.")
        };
        let form = Form::parse(query.as_bytes())?;
        let client = Client::find(caller, form.get("client_id").ok_or_else(unknown)?).await?.ok_or_else(unknown)?;
        let redirect = form
            .get("redirect_uri")
            .filter(|uri| is_redirect(uri) && client.redirects.iter().any(|held| held == uri))
            .ok_or_else(unknown)?
            .to_owned();
        let state = form.get("state").map(str::to_owned);
        Ok(Asked { client, redirect, state, query: query.to_owned(), form })
    }

    /// Back to the application, with the state it gave and who we are (RFC 9207).
    fn back(&self, caller: &Caller, pairs: &[(&str, &str)]) -> Result<Response> {
        let mut url = openidconnect::url::Url::parse(&self.redirect).map_err(Error::internal)?;
        let state = self.state.iter().map(|state| ("state", state.as_str()));
        let iss = ("iss", caller.kernel.config.server.public_url.as_str());
        url.query_pairs_mut().extend_pairs(pairs.iter().copied().chain(state).chain([iss]));
        Ok(browser::redirect(url.as_str()))
    }

    /// The words of RFC 6749 §4.1.2.1 for a request that cannot be granted at all.
    fn fault(&self) -> Option<&'static str> {
        if self.form.get("response_type") != Some("code") {
            return Some("unsupported_response_type");
        }
        if !self.client.may("authorization_code") {
            return Some("unauthorized_client");
        }
        self.challenge().err().map(|_| "invalid_request")
    }

    fn challenge(&self) -> Result<Challenge> {
        Challenge::read(self.form.get("code_challenge"), self.form.get("code_challenge_method"))
    }

    /// What this person can grant. Words about the sign-in itself and, for those who have no chart, a patient's are left out.
    fn scopes(&self, bearer: &Bearer) -> Vec<String> {
        let patient = bearer.context.plane == Plane::Patient;
        scope::granted(self.form.get("scope"), &self.client.scopes)
            .into_iter()
            .filter(|word| match scope::Resource::parse(word).map(|scope| scope.level) {
                Some(Level::System) => false,
                Some(Level::Patient) => patient,
                Some(Level::User) => true,
                None => word == scope::OFFLINE || patient && word == scope::LAUNCH_PATIENT,
            })
            .collect()
    }
}

fn names_a_patient(scopes: &[String]) -> bool {
    scopes
        .iter()
        .any(|word| word == scope::LAUNCH_PATIENT || scope::Resource::parse(word).is_some_and(|scope| scope.level == Level::Patient))
}

/// The charts a grant can be narrowed to.
async fn charts(caller: &Caller, bearer: &Bearer) -> Result<Vec<(Uuid, String)>> {
    let tenant = bearer.context.tenant.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let context = Context { request: caller.context.request, origin: caller.context.origin.clone(), ..bearer.context.clone() };
    let answers = caller.kernel.door.open(&context).await?.once(&[((&CHARTS).into(), vec![&tenant])]).await?;
    answers.iter().flatten().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub async fn show(caller: Caller, request: Request) -> Result<Response> {
    let asked = Asked::read(&caller, request.uri().query().unwrap_or_default()).await?;
    if let Some(fault) = asked.fault() {
        return asked.back(&caller, &[("error", fault)]);
    }
    // A session of another tenant is none here.
    let session =
        browser::signed_in(&caller.kernel, &request).await?.filter(|(bearer, _)| bearer.context.tenant == Some(asked.client.tenant));
    let Some((bearer, token)) = session else {
        if asked.form.get("prompt") == Some("none") {
            return asked.back(&caller, &[("error", "login_required")]);
        }
        return Ok(browser::redirect(&sign_in_pages::before(&format!("{AUTHORIZE}?{}", asked.query))));
    };
    let scopes = asked.scopes(&bearer);
    let charts = if names_a_patient(&scopes) { charts(&caller, &bearer).await? } else { Vec::new() };
    if scopes.is_empty() || names_a_patient(&scopes) && charts.is_empty() {
        return asked.back(&caller, &[("error", "invalid_scope")]);
    }
    let csrf = browser::form_token(&caller.kernel, token.expose())?;
    let charts: Vec<Chart> = charts.into_iter().map(|(id, name)| Chart { id: id.to_string(), name }).collect();
    let shown = ConsentPage {
        base: sign_in_pages::base(&caller, &request, Some(asked.client.tenant)).await?,
        action: AUTHORIZE,
        flow: &asked.query,
        csrf: &csrf,
        client_name: &asked.client.name,
        scopes: &scopes,
        charts: &charts,
    };
    let origin = openidconnect::url::Url::parse(&asked.redirect).map_err(Error::internal)?.origin().ascii_serialization();
    pages::page(StatusCode::OK, &shown, &[&origin])
}

pub async fn decide(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let session = browser::signed_in(&caller.kernel, &request).await?;
    let (bearer, token) = session.ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
    browser::check_form(&caller.kernel, &request, Some(token.expose()), form.get("csrf"))?;
    let asked = Asked::read(&caller, form.get("flow").unwrap_or_default()).await?;
    if let Some(fault) = asked.fault() {
        return asked.back(&caller, &[("error", fault)]);
    }
    let scopes = asked.scopes(&bearer);
    if form.get("decision") != Some("allow") || bearer.context.tenant != Some(asked.client.tenant) || scopes.is_empty() {
        return asked.back(&caller, &[("error", "access_denied")]);
    }
    let patient = match names_a_patient(&scopes) {
        false => None,
        true => {
            let wanted: Option<Uuid> = form.get("patient").and_then(|id| id.parse().ok());
            let own = charts(&caller, &bearer).await?.into_iter().find(|(id, _)| Some(*id) == wanted);
            match own {
                Some((id, _)) => Some(id),
                None => return asked.back(&caller, &[("error", "access_denied")]),
            }
        }
    };
    let code = keep(&caller, &asked, &bearer, scopes, patient).await?;
    asked.back(&caller, &[("code", code.expose())])
}

/// Writes the grant down with the hash of its code.
async fn keep(caller: &Caller, asked: &Asked, bearer: &Bearer, scopes: Vec<String>, patient: Option<Uuid>) -> Result<Token> {
    let user = bearer.context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    let tenant = asked.client.tenant;
    let context = Context { actor: Some(user), session: bearer.context.session, ..grant::behind(&caller.context, Some(tenant)) };
    let (code, challenge) = (Token::new(Kind::Code)?, asked.challenge()?);
    let mut scope = caller.kernel.door.open(&context).await?;
    let (id, now) = (scope.new_id(), scope.now());
    let until = now + TimeDelta::seconds(CODE_LIVES_S);
    scope
        .exec(
            &CODE_ADD,
            &[
                &tenant,
                &id,
                &asked.client.id,
                &user,
                &patient,
                &scopes,
                &code.hash().as_bytes(),
                &challenge.as_str(),
                &until,
                &asked.redirect,
                &now,
            ],
        )
        .await?;
    let mut event = audit_store::of(&context, "RECORD_CREATED", Action::Create, Outcome::Success, now);
    (event.resource_type, event.resource_id, event.patient_id) = (Some("OauthAuthorization".into()), Some(id), patient);
    scope.audit(event);
    scope.commit().await?;
    Ok(code)
}
