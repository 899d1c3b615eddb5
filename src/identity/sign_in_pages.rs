//! The server's own sign-in page, for whoever an application or a person sends here.

use super::browser::{self, Cookie};
use super::federation;
use super::grant;
use super::letter_pages;
use super::letters;
use super::oauth::{self, Form};
use super::pages::{self, Base, Carried, ProviderButton, SCRIPT_PATH, STYLESHEET_PATH, SignInPage, SignedInPage};
use super::place_choice::{self, Place};
use super::second_step::{self, First, Proof};
use super::security_pages;
use super::service::Service;
use super::sign_in::{self, Known};
use super::words;
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::{Error, Result};
use crate::sql;
use poem::http::{Method, StatusCode};
use poem::{Request, Response, Route, get, post};
use serde_json::Value as Json;
use uuid::Uuid;

pub const ROOT: &str = "/signin";
const PASSKEY: &str = "/signin/passkey";
/// Paths and methods, for `Allow`.
pub const PATHS: &[(&str, &[Method])] = &[
    ("/signin", &[Method::GET, Method::POST]),
    (PASSKEY, &[Method::POST]),
    (second_step::CODE, &[Method::POST]),
    (second_step::ENROL, &[Method::POST]),
    (place_choice::PLACE, &[Method::POST]),
    ("/signin/out", &[Method::POST]),
    ("/signin/oidc/:provider_id", &[Method::GET]),
    ("/signin/callback", &[Method::GET]),
    (letter_pages::FORGOTTEN, &[Method::GET, Method::POST]),
    (letters::RESET, &[Method::GET, Method::POST]),
    (letters::VERIFY, &[Method::GET, Method::POST]),
    (letters::JOIN, &[Method::GET, Method::POST]),
    (security_pages::ROOT, &[Method::GET]),
    ("/signin/security/:what", &[Method::POST]),
    (STYLESHEET_PATH, &[Method::GET]),
    (SCRIPT_PATH, &[Method::GET]),
    ("/assets/brand/:name", &[Method::GET]),
];

pub fn routes() -> Route {
    let letters = || {
        get(browser::page(|caller, request| Box::pin(letter_pages::show(caller, request))))
            .post(browser::page(|caller, request| Box::pin(letter_pages::take(caller, request))))
    };
    Route::new()
        .at("/forgotten", letters())
        .at("/reset", letters())
        .at("/verify", letters())
        .at("/join", letters())
        .at(
            "/",
            get(browser::page(|caller, request| Box::pin(show(caller, request))))
                .post(browser::page(|caller, request| Box::pin(take(caller, request)))),
        )
        .at("/passkey", post(browser::page(|caller, request| Box::pin(take_passkey(caller, request)))))
        .at("/code", post(browser::page(|caller, request| Box::pin(second_step::take_code(caller, request)))))
        .at("/enrol", post(browser::page(|caller, request| Box::pin(second_step::take_enrolment(caller, request)))))
        .at("/place", post(browser::page(|caller, request| Box::pin(place_choice::take(caller, request)))))
        .at("/out", post(browser::page(|caller, request| Box::pin(leave(caller, request)))))
        .at("/oidc/:provider_id", get(browser::page(|caller, request| Box::pin(federation::begin(caller, request)))))
        .at("/callback", get(browser::page(|caller, request| Box::pin(federation::finish(caller, request)))))
        .at("/security", get(browser::page(|caller, request| Box::pin(security_pages::show(caller, request)))))
        .at("/security/:what", post(browser::page(|caller, request| Box::pin(security_pages::change(caller, request)))))
}

sql! {
    /// $1 tenant.
    PROVIDERS(UUID) = "
        select id, name from identity_providers
         where tenant_id = $1 and kind = 'OIDC' and status = 'ACTIVE' and deleted_at is null order by name, id limit 20";
    /// $1 domain.
    PROVIDER_OF(TEXT) = "select tenant_id, id from sec.provider_of($1)";
    /// $1 tenant.
    FACE(UUID) = "select name, colour, language from sec.face_of($1)";
}

/// Where a sign-in leads, and whose it is.
pub struct Flow {
    /// A path of ours, or empty.
    pub return_to: String,
    pub tenant: Option<Uuid>,
    /// The public id of an application that names no tenant and has one in many.
    pub placeless: Option<String>,
    pub client_name: Option<String>,
}

impl Flow {
    /// An application's request decides the tenant; where it names none, the person may.
    pub async fn read(caller: &Caller, return_to: Option<&str>, tenant: Option<&str>) -> Result<Flow> {
        let query = return_to.and_then(|path| path.strip_prefix(oauth::AUTHORIZE)).and_then(|rest| rest.strip_prefix('?'));
        let named = async || match tenant {
            Some(word) => sign_in::tenant_named(&caller.kernel, &caller.context, word).await,
            None => Ok(None),
        };
        if let Some(query) = query {
            let asked = oauth::asking(caller, query).await?;
            let return_to = format!("{}?{query}", oauth::AUTHORIZE);
            let tenant = match asked.place() {
                None => named().await?,
                placed => placed,
            };
            let placeless = asked.place().is_none().then_some(asked.public_id);
            return Ok(Flow { return_to, tenant, placeless, client_name: Some(asked.name) });
        }
        let tenant = named().await?;
        let return_to = return_to.filter(|path| *path == security_pages::ROOT).unwrap_or_default().to_owned();
        Ok(Flow { return_to, tenant, placeless: None, client_name: None })
    }

    pub fn leads_to(&self) -> &str {
        if self.return_to.is_empty() { ROOT } else { &self.return_to }
    }
}

/// What the pages of one sign-in share.
pub struct View {
    pub flow: Flow,
    pub base: Base,
    /// Names the browser.
    pub visit: String,
}

impl View {
    /// Behind a form of ours, sent by the browser it was shown to.
    pub async fn of_form(caller: &Caller, request: &Request, form: &Form) -> Result<View> {
        let visit = browser::cookie(&caller.kernel, request, Cookie::Visit);
        browser::check_form(&caller.kernel, request, visit.as_deref(), form.get("csrf"))?;
        let flow = Flow::read(caller, form.get("flow"), form.get("tenant")).await?;
        View::new(caller, request, flow, visit.unwrap_or_default()).await
    }

    pub async fn new(caller: &Caller, request: &Request, flow: Flow, visit: String) -> Result<View> {
        let base = base(caller, request, flow.tenant).await?;
        Ok(View { flow, base, visit })
    }

    pub fn carried(&self, caller: &Caller) -> Result<Carried> {
        let tenant = self.flow.tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
        let csrf = browser::form_token(&caller.kernel, &self.visit)?;
        Ok(vec![("flow", self.flow.return_to.clone()), ("tenant", tenant), ("csrf", csrf)])
    }
}

/// The clinic's name, colour and language; the browser's own language goes first.
pub async fn base(caller: &Caller, request: &Request, tenant: Option<Uuid>) -> Result<Base> {
    let accepted = browser::accepted_languages(request);
    let Some(tenant) = tenant else { return Ok(Base::plain(accepted)) };
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&FACE).into(), vec![&tenant])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(Base::plain(accepted)) };
    let colour: Option<&str> = row.try_get("colour")?;
    let colour = colour.and_then(|colour| colour.strip_prefix('#')).filter(|colour| pages::is_colour(colour));
    let words = words::best(accepted, row.try_get("language")?);
    Ok(Base { words, brand: row.try_get("name")?, colour: colour.map(str::to_owned), script: false })
}

/// Where to sign in before that path.
pub fn before(path: &str) -> String {
    format!("{ROOT}?{}", serde_urlencoded::to_string([("return_to", path)]).unwrap_or_default())
}

/// JSON out of a form; what is none is nothing.
pub fn json_of(text: Option<&str>) -> Json {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

async fn show(caller: Caller, request: Request) -> Result<Response> {
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes())?;
    let flow = Flow::read(&caller, query.get("return_to"), query.get("tenant")).await?;
    if flow.return_to.is_empty()
        && query.get("tenant").is_none()
        && let Some((bearer, token)) = browser::signed_in(&caller.kernel, &request).await?
    {
        return signed_in(&caller, &request, bearer.context.tenant, token.expose()).await;
    }
    let (visit, _) = browser::visit(&caller.kernel, &request)?;
    let view = View::new(&caller, &request, flow, visit).await?;
    render(&caller, &view, query.get("login_hint").unwrap_or_default(), (StatusCode::OK, None)).await
}

/// Whoever is signed in may leave, or see to their own sign-in.
pub async fn signed_in(caller: &Caller, request: &Request, tenant: Option<Uuid>, session: &str) -> Result<Response> {
    let base = base(caller, request, tenant).await?;
    let carried = vec![("csrf", browser::form_token(&caller.kernel, session)?)];
    pages::page(StatusCode::OK, &SignedInPage { base, action: "/signin/out", carried, security: security_pages::ROOT }, &[])
}

/// What went wrong, on the page.
fn told(view: &View, failure: &Error) -> (StatusCode, Option<&'static str>) {
    (status_of(Some(failure)), Some(view.base.words.notice(failure.code)))
}

async fn render(caller: &Caller, view: &View, email: &str, told: (StatusCode, Option<&str>)) -> Result<Response> {
    let providers = match view.flow.tenant {
        None => Vec::new(),
        Some(tenant) => providers(caller, &view.flow, tenant).await?,
    };
    let (carried, words) = (view.carried(caller)?, view.base.words);
    let passkey = match &Service::of(&caller.kernel)?.passkeys {
        Some(passkeys) => {
            Some(second_step::form(PASSKEY, "use", passkeys.ask(&caller.kernel)?, carried.clone(), words.sign_in_with_passkey))
        }
        None => None,
    };
    let shown = SignInPage {
        base: view.base.with_script(passkey.is_some()),
        action: ROOT,
        carried,
        client_name: view.flow.client_name.as_deref(),
        email,
        forgotten: letter_pages::FORGOTTEN,
        notice: told.1,
        passkey,
        providers: &providers,
    };
    let response = pages::page_with_script(told.0, &shown)?;
    browser::with_cookie(response, &browser::set_cookie(&caller.kernel, Cookie::Visit, &view.visit))
}

async fn providers(caller: &Caller, flow: &Flow, tenant: Uuid) -> Result<Vec<ProviderButton>> {
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, Some(tenant))).await?;
    let answers = scope.once(&[((&PROVIDERS).into(), vec![&tenant])]).await?;
    answers
        .iter()
        .flatten()
        .map(|row| {
            let (id, name): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(ProviderButton { href: provider_path(flow, tenant, id)?, name })
        })
        .collect()
}

/// Off to the provider that answers for the address's domain. Which domains have one is no secret; whether there is an account is.
async fn to_provider(caller: &Caller, view: &View, email: &str) -> Result<Response> {
    let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
    Service::of(&caller.kernel)?.throttle.admit(&domain, caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
    let answers = scope.once(&[((&PROVIDER_OF).into(), vec![&domain])]).await?;
    if let Some(row) = answers.iter().flatten().next() {
        let (tenant, id): (Uuid, Uuid) = (row.try_get("tenant_id")?, row.try_get("id")?);
        // An application's sign-in stays in its own tenant.
        if view.flow.tenant.is_none_or(|wanted| wanted == tenant) {
            return Ok(browser::redirect(&provider_path(&view.flow, tenant, id)?));
        }
    }
    let notice = Some(view.base.words.no_provider);
    render(caller, view, email, (StatusCode::NOT_FOUND, notice)).await
}

fn provider_path(flow: &Flow, tenant: Uuid, provider: Uuid) -> Result<String> {
    let query = serde_urlencoded::to_string([("return_to", flow.return_to.as_str()), ("tenant", &tenant.to_string())]);
    Ok(format!("{ROOT}/oidc/{provider}?{}", query.map_err(Error::internal)?))
}

async fn take(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let view = View::of_form(&caller, &request, &form).await?;
    if form.get("sso").is_some() {
        return to_provider(&caller, &view, form.get("email").unwrap_or_default()).await;
    }
    let here = second_step::here(&caller, &request).await?;
    let (email, password) = (form.get("email").unwrap_or_default(), form.get("password").unwrap_or_default());
    let known = sign_in::by_password(&caller.kernel, &caller.context, email, password.to_owned().into(), here).await;
    match placed(&caller, &view, known, "PASSWORD").await {
        Ok((_, Place::Asked(page))) => Ok(page),
        Ok((known, Place::At(tenant))) => match known.choose(tenant) {
            Ok(home) => {
                let (tenant, held, needed) = (home.tenant, known.second, known.second || home.second_required);
                let first = First { user: known.user, tenant, method: "PASSWORD", held, needed, vouched: None };
                second_step::proceed(&caller, &view, first, here).await
            }
            Err(failure) => render(&caller, &view, email, told(&view, &failure)).await,
        },
        Err(failure) if failure.code.status < 500 => render(&caller, &view, email, told(&view, &failure)).await,
        Err(failure) => Err(failure),
    }
}

async fn take_passkey(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let view = View::of_form(&caller, &request, &form).await?;
    let (ceremony, credential) = (form.get("ceremony").unwrap_or_default(), json_of(form.get("credential")));
    let known = sign_in::by_passkey(&caller.kernel, &caller.context, ceremony, &credential).await;
    match placed(&caller, &view, known, "PASSKEY").await {
        Ok((_, Place::Asked(page))) => Ok(page),
        Ok((known, Place::At(tenant))) => match known.choose(tenant) {
            Ok(home) => {
                let proof = Proof { user: known.user, tenant: home.tenant, method: "PASSKEY", until: 0, vouched: None };
                second_step::enter(&caller, &view, &proof, "WEBAUTHN", false).await
            }
            Err(failure) => render(&caller, &view, "", told(&view, &failure)).await,
        },
        Err(failure) if failure.code.status < 500 => render(&caller, &view, "", told(&view, &failure)).await,
        Err(failure) => Err(failure),
    }
}

async fn placed(caller: &Caller, view: &View, known: Result<Known>, method: &'static str) -> Result<(Known, Place)> {
    let known = known?;
    let place = place_choice::of(caller, view, &known, method).await?;
    Ok((known, place))
}

pub fn status_of(failure: Option<&Error>) -> StatusCode {
    failure.and_then(|failure| StatusCode::from_u16(failure.code.status).ok()).unwrap_or(StatusCode::OK)
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
