//! Behind a right first factor, on the pages: the second one is proved, or made where the clinic asks for one and there is none.

use super::browser::{self, Cookie};
use super::device;
use super::factors::{self, Begun};
use super::grant;
use super::oauth::Form;
use super::opening::{self, Opening, Vouched};
use super::pages::{self, Carried, CodesPage, EnrolPage, PasskeyForm, Qr, SecondFactorPage};
use super::passkey::{self, Ceremony};
use super::second_factor;
use super::service::Service;
use super::sign_in;
use super::sign_in_pages::{View, json_of, status_of};
use super::token::Kind;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::{hex, unhex};
use chrono::Utc;
use poem::http::StatusCode;
use poem::{Request, Response};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub const CODE: &str = "/signin/code";
pub const ENROL: &str = "/signin/enrol";
/// Seconds in which the second step is taken behind the first.
const PROOF_LIVES_S: i64 = 600;

/// Somebody whose first factor is right.
pub struct First {
    pub user: Uuid,
    pub tenant: Uuid,
    /// A word of `sessions.auth_method`.
    pub method: &'static str,
    /// They have a second factor.
    pub held: bool,
    /// They do not get in without one.
    pub needed: bool,
    /// Of the method OIDC.
    pub vouched: Option<Vouched>,
}

/// On to where they wanted, or to the second step. `here` is whose browser this is known to be.
pub async fn proceed(caller: &Caller, view: &View, first: First, here: Option<Uuid>) -> Result<Response> {
    let proof = Proof::of(&first);
    match first {
        First { needed: false, .. } => enter(caller, view, &proof, "NONE", false).await,
        First { user, .. } if here == Some(user) => enter(caller, view, &proof, "DEVICE", false).await,
        First { held: true, .. } => ask(caller, view, &proof, None),
        First { held: false, .. } => {
            let mut scope = caller.kernel.door.open(&grant::proven(&caller.context, proof.tenant, proof.user)).await?;
            let begun = factors::begin_totp(&mut scope, &caller.kernel, proof.user, None).await?;
            let passkey = match Service::of(&caller.kernel)?.passkeys {
                Some(_) => Some(factors::begin_passkey(&mut scope, &caller.kernel, proof.user).await?),
                None => None,
            };
            scope.commit().await?;
            enrol(caller, view, &proof, &begun, passkey, None)
        }
    }
}

/// That this browser has proved this person's first factor.
pub struct Proof {
    pub user: Uuid,
    pub tenant: Uuid,
    pub method: &'static str,
    /// Seconds since the epoch.
    pub until: i64,
    pub vouched: Option<Vouched>,
}

impl Proof {
    pub fn of(first: &First) -> Proof {
        Proof { vouched: first.vouched.clone(), ..Proof::lasting(first.user, first.tenant, first.method) }
    }

    pub fn lasting(user: Uuid, tenant: Uuid, method: &'static str) -> Proof {
        Proof { user, tenant, method, until: Utc::now().timestamp() + PROOF_LIVES_S, vouched: None }
    }

    pub fn sealed(&self, caller: &Caller, visit: &str) -> Result<String> {
        let vouched = self.vouched.as_ref().map_or_else(String::new, |by| {
            let session = by.session.as_deref().map(hex).unwrap_or_default();
            format!("{}:{session}", by.provider)
        });
        let said = format!("{}.{}.{}.{}.{vouched}", self.user, self.tenant, self.method, self.until);
        Ok(format!("{said}.{}", browser::form_token(&caller.kernel, &format!("{said}.{visit}"))?))
    }

    pub fn read(caller: &Caller, visit: &str, text: &str) -> Result<Proof> {
        let stale = || Error::new(&error::FORBIDDEN).detail("The password was given too long ago. Go back and sign in again.");
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or_else(stale);
        let proof = Proof {
            user: part()?.parse().map_err(|_| stale())?,
            tenant: part()?.parse().map_err(|_| stale())?,
            method: match part()? {
                "OIDC" => "OIDC",
                "PASSKEY" => "PASSKEY",
                _ => "PASSWORD",
            },
            until: part()?.parse().map_err(|_| stale())?,
            vouched: match part()?.split_once(':') {
                None => None,
                Some((provider, session)) => {
                    let session = unhex(session).filter(|hash| !hash.is_empty());
                    Some(Vouched { provider: provider.parse().map_err(|_| stale())?, session })
                }
            },
        };
        let own = proof.sealed(caller, visit)?;
        if own.as_bytes().ct_eq(text.as_bytes()).into() && proof.until > Utc::now().timestamp() { Ok(proof) } else { Err(stale()) }
    }

    fn carried(&self, caller: &Caller, view: &View) -> Result<Carried> {
        let mut carried = view.carried(caller)?;
        carried.push(("proof", self.sealed(caller, &view.visit)?));
        Ok(carried)
    }
}

fn ask(caller: &Caller, view: &View, proof: &Proof, failure: Option<&Error>) -> Result<Response> {
    let carried = proof.carried(caller, view)?;
    let passkey = match &Service::of(&caller.kernel)?.passkeys {
        Some(passkeys) => Some(form(CODE, "use", passkeys.ask(&caller.kernel)?, carried.clone(), view.base.words.use_passkey)),
        None => None,
    };
    let base = view.base.with_script(passkey.is_some());
    let notice = failure.map(|failure| base.words.notice(failure.code));
    pages::page_with_script(status_of(failure), &SecondFactorPage { base, action: CODE, carried, notice, passkey })
}

/// A form in which the person's authenticator answers.
pub fn form(action: &'static str, asks: &'static str, ceremony: Ceremony, mut carried: Carried, button: &'static str) -> PasskeyForm {
    carried.push(("ceremony", ceremony.sealed));
    PasskeyForm { action, asks, options: ceremony.options.to_string(), carried, button }
}

fn enrol(
    caller: &Caller,
    view: &View,
    proof: &Proof,
    begun: &Begun,
    ceremony: Option<Ceremony>,
    failure: Option<&Error>,
) -> Result<Response> {
    let mut carried = proof.carried(caller, view)?;
    let passkey = ceremony.map(|ceremony| form(ENROL, "make", ceremony, carried.clone(), view.base.words.make_passkey));
    carried.push(("factor", begun.id.to_string()));
    let base = view.base.with_script(passkey.is_some());
    let notice = failure.map(|failure| base.words.notice(failure.code));
    let (qr, secret) = (Qr::of(&begun.uri)?, begun.secret.as_str());
    let shown = EnrolPage { base, action: ENROL, carried, needed: true, qr, secret, notice, passkey };
    pages::page_with_script(status_of(failure), &shown)
}

/// A code, or the answer of an authenticator.
pub async fn take_code(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let view = View::of_form(&caller, &request, &form).await?;
    let proof = Proof::read(&caller, &view.visit, form.get("proof").unwrap_or_default())?;
    let proved = match form.get("ceremony") {
        Some(ceremony) => passkey::prove(&caller.kernel, &caller.context, ceremony, &json_of(form.get("credential")))
            .await
            .and_then(|user| if user == proof.user { Ok("WEBAUTHN") } else { Err(Error::new(&error::CREDENTIALS_WRONG)) }),
        None => second_factor::prove(&caller.kernel, &caller.context, proof.user, proof.tenant, form.get("code")).await,
    };
    match proved {
        Ok(factor) => enter(&caller, &view, &proof, factor, form.get("remember").is_some()).await,
        Err(failure) if failure.code.status < 500 => ask(&caller, &view, &proof, Some(&failure)),
        Err(failure) => Err(failure),
    }
}

/// The first second factor of somebody whose clinic asks for one; it lets them in.
pub async fn take_enrolment(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let view = View::of_form(&caller, &request, &form).await?;
    let proof = Proof::read(&caller, &view.visit, form.get("proof").unwrap_or_default())?;
    let (kernel, user) = (&caller.kernel, proof.user);
    Service::of(kernel)?.throttle.admit(&user.to_string(), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let mut scope = kernel.door.open(&grant::proven(&caller.context, proof.tenant, user)).await?;
    // Whoever has one by now proves that one.
    if factors::held(&mut scope, user).await?.iter().any(|factor| factor.active) {
        scope.commit().await?;
        return ask(&caller, &view, &proof, None);
    }
    let (codes, factor) = match form.get("ceremony") {
        Some(ceremony) => {
            let credential = json_of(form.get("credential"));
            (factors::add_passkey(&mut scope, kernel, user, (ceremony, &credential), None).await?.1, "WEBAUTHN")
        }
        None => {
            let id = form.get("factor").and_then(|id| id.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))?;
            match factors::confirm_totp(&mut scope, kernel, user, id, None, form.get("code").unwrap_or_default()).await {
                Ok(codes) => (codes, "TOTP"),
                Err(failure) if failure.code == &error::INVALID => {
                    let begun = factors::begun_totp(&mut scope, kernel, user, id).await?;
                    scope.commit().await?;
                    return enrol(&caller, &view, &proof, &begun, None, Some(&failure));
                }
                Err(failure) => return Err(failure),
            }
        }
    };
    scope.commit().await?;
    let cookies = session(&caller, &proof, factor, false).await?;
    let shown = CodesPage { base: view.base.clone(), codes: &codes, next: view.flow.leads_to() };
    with_cookies(pages::page(StatusCode::OK, &shown, &[])?, &cookies)
}

/// Opens the browser's session, under a new name, and sends it on.
pub async fn enter(caller: &Caller, view: &View, proof: &Proof, factor: &'static str, remember: bool) -> Result<Response> {
    let cookies = session(caller, proof, factor, remember).await?;
    with_cookies(browser::redirect(view.flow.leads_to()), &cookies)
}

async fn session(caller: &Caller, proof: &Proof, factor: &'static str, remember: bool) -> Result<Vec<String>> {
    let (kernel, user, tenant) = (&caller.kernel, proof.user, proof.tenant);
    let mut scope = kernel.door.open(&grant::proven(&caller.context, tenant, user)).await?;
    let method = proof.method;
    let opening = Opening { factor: factor.into(), vouched: proof.vouched.clone(), ..Opening::of(user, tenant, method, Kind::Session) };
    let issued = opening::open(&mut scope, &kernel.config.identity, opening).await?;
    sign_in::succeeded(&mut scope, user, tenant, issued.session, method, factor).await?;
    let mut cookies = vec![browser::set_cookie(kernel, Cookie::Session, issued.access.expose())];
    if remember {
        let token = device::remember(&mut scope, user).await?;
        cookies.push(browser::set_cookie(kernel, Cookie::Device, token.expose()));
    }
    scope.commit().await?;
    Ok(cookies)
}

fn with_cookies(response: Response, cookies: &[String]) -> Result<Response> {
    cookies.iter().try_fold(response, |response, cookie| browser::with_cookie(response, cookie))
}

/// Whose browser this is known to be.
pub async fn here(caller: &Caller, request: &Request) -> Result<Option<Uuid>> {
    let Some(cookie) = browser::cookie(&caller.kernel, request, Cookie::Device) else { return Ok(None) };
    let mut scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
    let owner = device::owner(&mut scope, Some(&cookie)).await?;
    scope.commit().await?;
    Ok(owner)
}
