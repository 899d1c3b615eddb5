//! The server's own sign-in page, for whoever an application or a person sends here.

use super::browser::{self, Cookie};
use super::federation;
use super::grant::{self, Opening};
use super::oauth::{self, Form};
use super::pages::{self, ProviderButton, STYLESHEET_PATH, SecondFactorPage, SignInPage, SignedInPage};
use super::second_factor;
use super::sign_in;
use super::token::Kind;
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::Utc;
use poem::http::{Method, StatusCode};
use poem::{Request, Response, Route, get, post};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub const ROOT: &str = "/signin";
const CODE: &str = "/signin/code";
/// Seconds in which the code is given behind a right password.
const PROOF_LIVES_S: i64 = 300;
/// Paths and methods, for `Allow`.
pub const PATHS: &[(&str, &[Method])] = &[
    ("/signin", &[Method::GET, Method::POST]),
    (CODE, &[Method::POST]),
    ("/signin/out", &[Method::POST]),
    ("/signin/oidc/:provider_id", &[Method::GET]),
    ("/signin/callback", &[Method::GET]),
    (STYLESHEET_PATH, &[Method::GET]),
];

pub fn routes() -> Route {
    Route::new()
        .at(
            "/",
            get(browser::page(|caller, request| Box::pin(show(caller, request))))
                .post(browser::page(|caller, request| Box::pin(take(caller, request)))),
        )
        .at("/code", post(browser::page(|caller, request| Box::pin(take_code(caller, request)))))
        .at("/out", post(browser::page(|caller, request| Box::pin(leave(caller, request)))))
        .at("/oidc/:provider_id", get(browser::page(|caller, request| Box::pin(federation::begin(caller, request)))))
        .at("/callback", get(browser::page(|caller, request| Box::pin(federation::finish(caller, request)))))
}

sql! {
    /// $1 tenant.
    PROVIDERS(UUID) = "
        select id, name from identity_providers
         where tenant_id = $1 and kind = 'OIDC' and status = 'ACTIVE' and deleted_at is null order by name, id limit 20";
}

/// Where a sign-in leads, and whose it is.
pub struct Flow {
    /// A path of ours, or empty.
    pub return_to: String,
    pub tenant: Option<Uuid>,
    pub client_name: Option<String>,
}

impl Flow {
    /// An application's request decides the tenant; without one the person may name it.
    pub async fn read(caller: &Caller, return_to: Option<&str>, tenant: Option<&str>) -> Result<Flow> {
        let query = return_to.and_then(|path| path.strip_prefix(oauth::AUTHORIZE)).and_then(|rest| rest.strip_prefix('?'));
        if let Some(query) = query {
            let asked = oauth::asking(caller, query).await?;
            let return_to = format!("{}?{query}", oauth::AUTHORIZE);
            return Ok(Flow { return_to, tenant: Some(asked.tenant), client_name: Some(asked.name) });
        }
        let tenant = match tenant {
            Some(word) => sign_in::tenant_named(&caller.kernel, &caller.context, word).await?,
            None => None,
        };
        Ok(Flow { return_to: String::new(), tenant, client_name: None })
    }

    pub fn leads_to(&self) -> &str {
        if self.return_to.is_empty() { ROOT } else { &self.return_to }
    }
}

/// Where to sign in before that path.
pub fn before(path: &str) -> String {
    format!("{ROOT}?{}", serde_urlencoded::to_string([("return_to", path)]).unwrap_or_default())
}

async fn show(caller: Caller, request: Request) -> Result<Response> {
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes())?;
    let flow = Flow::read(&caller, query.get("return_to"), query.get("tenant")).await?;
    if flow.return_to.is_empty()
        && query.get("tenant").is_none()
        && let Some((_, token)) = browser::signed_in(&caller.kernel, &request).await?
    {
        let csrf = browser::form_token(&caller.kernel, token.expose())?;
        return pages::page(StatusCode::OK, &SignedInPage { action: "/signin/out", csrf: &csrf, stylesheet: STYLESHEET_PATH }, &[]);
    }
    let (visit, _) = browser::visit(&caller.kernel, &request)?;
    render(&caller, &flow, &visit, query.get("login_hint").unwrap_or_default(), None).await
}

async fn render(caller: &Caller, flow: &Flow, visit: &str, email: &str, failure: Option<&Error>) -> Result<Response> {
    let providers = match flow.tenant {
        None => Vec::new(),
        Some(tenant) => providers(caller, flow, tenant).await?,
    };
    let tenant = flow.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let csrf = browser::form_token(&caller.kernel, visit)?;
    let shown = SignInPage {
        action: ROOT,
        flow: &flow.return_to,
        tenant: &tenant,
        csrf: &csrf,
        client_name: flow.client_name.as_deref(),
        email,
        notice: failure.map(|failure| failure.code.title),
        providers: &providers,
        stylesheet: STYLESHEET_PATH,
    };
    let response = pages::page(status_of(failure), &shown, &[])?;
    browser::with_cookie(response, &browser::set_cookie(&caller.kernel, Cookie::Visit, visit))
}

async fn providers(caller: &Caller, flow: &Flow, tenant: Uuid) -> Result<Vec<ProviderButton>> {
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&PROVIDERS).into(), vec![&tenant])]).await?;
    answers
        .iter()
        .flatten()
        .map(|row| {
            let (id, name): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
            let query = serde_urlencoded::to_string([("return_to", flow.return_to.as_str()), ("tenant", &tenant.to_string())])
                .map_err(Error::internal)?;
            Ok(ProviderButton { href: format!("{ROOT}/oidc/{id}?{query}"), name })
        })
        .collect()
}

async fn take(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let visit = browser::cookie(&caller.kernel, &request, Cookie::Visit);
    browser::check_form(&caller.kernel, &request, visit.as_deref(), form.get("csrf"))?;
    let flow = Flow::read(&caller, form.get("flow"), form.get("tenant")).await?;
    let (email, password) = (form.get("email").unwrap_or_default(), form.get("password").unwrap_or_default());
    let known = sign_in::by_password(&caller.kernel, &caller.context, email, password.to_owned().into()).await;
    let known = known.and_then(|known| known.choose(flow.tenant).map(|home| (known.user, home.tenant, known.second)));
    match known {
        Ok((user, tenant, true)) => {
            let visit = visit.unwrap_or_default();
            let proof = Proof { user, tenant, until: Utc::now().timestamp() + PROOF_LIVES_S };
            ask_code(&caller, &flow, &visit, &proof.sealed(&caller, &visit)?, None)
        }
        Ok((user, tenant, false)) => enter(&caller, &flow, user, tenant, "PASSWORD", "NONE").await,
        Err(failure) if failure.code.status < 500 => render(&caller, &flow, &visit.unwrap_or_default(), email, Some(&failure)).await,
        Err(failure) => Err(failure),
    }
}

/// That this browser has given this person's right password.
struct Proof {
    user: Uuid,
    tenant: Uuid,
    /// Seconds since the epoch.
    until: i64,
}

impl Proof {
    fn sealed(&self, caller: &Caller, visit: &str) -> Result<String> {
        let said = format!("{}.{}.{}", self.user, self.tenant, self.until);
        Ok(format!("{said}.{}", browser::form_token(&caller.kernel, &format!("{said}.{visit}"))?))
    }

    fn read(caller: &Caller, visit: &str, text: &str) -> Result<Proof> {
        let stale = || Error::new(&error::FORBIDDEN).detail("The password was given too long ago. Go back and sign in again.");
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or_else(stale);
        let proof = Proof {
            user: part()?.parse().map_err(|_| stale())?,
            tenant: part()?.parse().map_err(|_| stale())?,
            until: part()?.parse().map_err(|_| stale())?,
        };
        let own = proof.sealed(caller, visit)?;
        if own.as_bytes().ct_eq(text.as_bytes()).into() && proof.until > Utc::now().timestamp() { Ok(proof) } else { Err(stale()) }
    }
}

fn ask_code(caller: &Caller, flow: &Flow, visit: &str, proof: &str, failure: Option<&Error>) -> Result<Response> {
    let csrf = browser::form_token(&caller.kernel, visit)?;
    let tenant = flow.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let shown = SecondFactorPage {
        action: CODE,
        flow: &flow.return_to,
        tenant: &tenant,
        csrf: &csrf,
        proof,
        notice: failure.map(|failure| failure.code.title),
        stylesheet: STYLESHEET_PATH,
    };
    pages::page(status_of(failure), &shown, &[])
}

fn status_of(failure: Option<&Error>) -> StatusCode {
    failure.and_then(|failure| StatusCode::from_u16(failure.code.status).ok()).unwrap_or(StatusCode::OK)
}

async fn take_code(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let visit = browser::cookie(&caller.kernel, &request, Cookie::Visit);
    browser::check_form(&caller.kernel, &request, visit.as_deref(), form.get("csrf"))?;
    let visit = visit.unwrap_or_default();
    let flow = Flow::read(&caller, form.get("flow"), form.get("tenant")).await?;
    let sealed = form.get("proof").unwrap_or_default();
    let proof = Proof::read(&caller, &visit, sealed)?;
    match second_factor::prove(&caller.kernel, &caller.context, proof.user, proof.tenant, form.get("code")).await {
        Ok(factor) => enter(&caller, &flow, proof.user, proof.tenant, "PASSWORD", factor).await,
        Err(failure) if failure.code.status < 500 => ask_code(&caller, &flow, &visit, sealed, Some(&failure)),
        Err(failure) => Err(failure),
    }
}

/// Opens the browser's session, under a new name, and sends it on.
pub async fn enter(caller: &Caller, flow: &Flow, user: Uuid, tenant: Uuid, method: &'static str, factor: &'static str) -> Result<Response> {
    let kernel = &caller.kernel;
    let mut scope = kernel.door.open(&grant::proven(&caller.context, tenant, user)).await?;
    let opening =
        Opening { user, tenant, client: None, method, factor, kind: Kind::Session, scopes: vec![], patient: None, renewable: false };
    let issued = grant::open(&mut scope, &kernel.config.identity, opening).await?;
    sign_in::succeeded(&mut scope, user, tenant, issued.session, method, factor).await?;
    scope.commit().await?;
    browser::with_cookie(browser::redirect(flow.leads_to()), &browser::set_cookie(kernel, Cookie::Session, issued.access.expose()))
}

async fn leave(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    if let Some((bearer, token)) = browser::signed_in(&caller.kernel, &request).await? {
        browser::check_form(&caller.kernel, &request, Some(token.expose()), form.get("csrf"))?;
        if let Some(session) = bearer.context.session {
            let context = Context { request: caller.context.request, ..grant::behind(&bearer.context, bearer.context.tenant) };
            let mut scope = caller.kernel.door.open(&context).await?;
            grant::end(&mut scope, session, "LOGOUT").await?;
            scope.commit().await?;
            grant::forget(&caller.kernel, |context| context.session == Some(session))?;
        }
    }
    browser::with_cookie(browser::redirect(ROOT), &browser::set_cookie(&caller.kernel, Cookie::Session, ""))
}
