//! What belongs to somebody's sign-in, for them to see and change: second factors, recovery codes, sessions, remembered browsers.

use super::browser::{self, Cookie};
use super::device;
use super::factors::{self, Begun};
use super::grant;
use super::oauth::Form;
use super::pages::{self, Base, Carried, CodesPage, EnrolPage, FactorLine, Qr, SecurityPage, SessionLine};
use super::second_factor;
use super::second_step;
use super::service::Service;
use super::sign_in_pages::{self, json_of, status_of};
use crate::kernel::Caller;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::Context;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use chrono::{DateTime, Utc};
use poem::http::StatusCode;
use poem::{Request, Response};
use uuid::Uuid;

pub const ROOT: &str = "/signin/security";
const PASSKEY: &str = "/signin/security/passkey";
const CONFIRM: &str = "/signin/security/confirm";

sql! {
    /// $1 login. Signed in as themselves, not through an application.
    SESSIONS(UUID) = "
        select id, user_agent, host(ip_address) as address, last_activity_at from sessions
         where user_id = $1 and api_client_id is null and revoked_at is null and expires_at > now()
         order by last_activity_at desc, id limit 50";
    /// $1 session, $2 login.
    OWN_SESSION(UUID, UUID) = "select 1 from sessions where id = $1 and user_id = $2 and revoked_at is null";
}

/// Somebody at their browser.
struct Seat {
    user: Uuid,
    session: Uuid,
    context: Context,
    base: Base,
    csrf: String,
}

impl Seat {
    async fn of(caller: &Caller, request: &Request) -> Result<Option<(Seat, String)>> {
        let Some((bearer, token)) = browser::signed_in(&caller.kernel, request).await? else { return Ok(None) };
        let (Some(user), Some(session)) = (bearer.context.actor, bearer.context.session) else { return Ok(None) };
        let behind = grant::behind(&bearer.context, bearer.context.tenant);
        let context = Context { request: caller.context.request, origin: caller.context.origin.clone(), ..behind };
        let base = sign_in_pages::base(caller, request, bearer.context.tenant).await?;
        let token = token.expose().to_owned();
        Ok(Some((Seat { user, session, context, base, csrf: browser::form_token(&caller.kernel, &token)? }, token)))
    }

    fn carried(&self) -> Carried {
        vec![("csrf", self.csrf.clone())]
    }

    async fn scope(&self, caller: &Caller) -> Result<Scope> {
        caller.kernel.door.open(&self.context).await
    }
}

pub async fn show(caller: Caller, request: Request) -> Result<Response> {
    match Seat::of(&caller, &request).await? {
        Some((seat, _)) => render(&caller, &seat, None).await,
        None => Ok(browser::redirect(&sign_in_pages::before(ROOT))),
    }
}

async fn render(caller: &Caller, seat: &Seat, failure: Option<&Error>) -> Result<Response> {
    let words = seat.base.words;
    let mut scope = seat.scope(caller).await?;
    let held = factors::held(&mut scope, seat.user).await?;
    let passkey = match Service::of(&caller.kernel)?.passkeys {
        Some(_) => {
            let begun = factors::begin_passkey(&mut scope, &caller.kernel, seat.user).await?;
            Some(second_step::form(PASSKEY, "make", begun, seat.carried(), words.make_passkey))
        }
        None => None,
    };
    let sessions = sessions(&mut scope, seat).await?;
    let remembered = device::count(&mut scope, seat.user).await?;
    scope.commit().await?;
    let factors = held.into_iter().filter(|factor| factor.active).map(|factor| FactorLine {
        id: factor.id.to_string(),
        kind: if factor.passkey { words.passkey } else { words.authenticator },
        name: factor.label.unwrap_or_default(),
        since: minute(factor.since),
        last: factor.last_used.map_or_else(|| words.never.to_owned(), minute),
    });
    let shown = SecurityPage {
        base: seat.base.with_script(passkey.is_some()),
        root: ROOT,
        carried: seat.carried(),
        notice: failure.map(|failure| words.notice(failure.code)),
        factors: factors.collect(),
        sessions,
        remembered,
        passkey,
    };
    pages::page_with_script(status_of(failure), &shown)
}

async fn sessions(scope: &mut Scope, seat: &Seat) -> Result<Vec<SessionLine>> {
    let rows = scope.rows(&SESSIONS, &[&seat.user]).await?;
    let line = |row: &tokio_postgres::Row| {
        let id: Uuid = row.try_get("id")?;
        Ok(SessionLine {
            id: id.to_string(),
            agent: row.try_get::<_, Option<String>>("user_agent")?.unwrap_or_default(),
            address: row.try_get::<_, Option<String>>("address")?.unwrap_or_default(),
            seen: minute(row.try_get("last_activity_at")?),
            own: id == seat.session,
        })
    };
    rows.iter().map(line).collect()
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// One of the page's forms, by the last word of its path.
pub async fn change(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let Some((seat, token)) = Seat::of(&caller, &request).await? else { return Ok(browser::redirect(&sign_in_pages::before(ROOT))) };
    browser::check_form(&caller.kernel, &request, Some(&token), form.get("csrf"))?;
    let changed = match request.raw_path_param("what").unwrap_or_default() {
        "session" => end_session(&caller, &seat, &form).await,
        "everywhere" => end_everywhere(&caller, &seat).await,
        "authenticator" => authenticator(&caller, &seat).await,
        "confirm" => confirm(&caller, &seat, &form).await,
        "passkey" => passkey(&caller, &seat, &form).await,
        "remove" => remove(&caller, &seat, &form).await,
        "codes" => codes(&caller, &seat).await,
        _ => Err(Error::new(&error::NO_ROUTE)),
    };
    match changed {
        // Who signed in long ago signs in again first.
        Err(failure) if failure.code == &error::STEP_UP_NEEDED => Ok(browser::redirect(&sign_in_pages::before(ROOT))),
        Err(failure) if failure.code == &error::INVALID => render(&caller, &seat, Some(&failure)).await,
        other => other,
    }
}

fn named(form: &Form) -> Result<Uuid> {
    form.get("id").and_then(|id| id.parse().ok()).ok_or_else(|| Error::new(&error::NOT_FOUND))
}

async fn end_session(caller: &Caller, seat: &Seat, form: &Form) -> Result<Response> {
    let (mut scope, session) = (seat.scope(caller).await?, named(form)?);
    scope.optional(&OWN_SESSION, &[&session, &seat.user]).await?.ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    grant::end(&mut scope, session, "LOGOUT").await?;
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.session == Some(session))?;
    Ok(browser::redirect(ROOT))
}

/// This browser's session and what applications hold end too, and no browser is remembered.
async fn end_everywhere(caller: &Caller, seat: &Seat) -> Result<Response> {
    let mut scope = seat.scope(caller).await?;
    grant::end_all(&mut scope, seat.user, "LOGOUT", None).await?;
    device::forget(&mut scope, seat.user).await?;
    let mut event = audit_store::of(scope.context(), "TOKEN_REVOKED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("User".into()), Some(seat.user));
    event.metadata = Metadata::new().text("reason", "LOGOUT").text("operation", "everywhere");
    scope.audit(event);
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.actor == Some(seat.user))?;
    let out = browser::with_cookie(browser::redirect(sign_in_pages::ROOT), &browser::set_cookie(&caller.kernel, Cookie::Session, ""))?;
    browser::with_cookie(out, &browser::set_cookie(&caller.kernel, Cookie::Device, ""))
}

/// A scope in which factors may change.
async fn recently(caller: &Caller, seat: &Seat) -> Result<Scope> {
    let mut scope = seat.scope(caller).await?;
    second_factor::recent(&mut scope, seat.session, second_factor::RECENT).await?;
    Ok(scope)
}

async fn authenticator(caller: &Caller, seat: &Seat) -> Result<Response> {
    let mut scope = recently(caller, seat).await?;
    let begun = factors::begin_totp(&mut scope, &caller.kernel, seat.user, None).await?;
    scope.commit().await?;
    scan(seat, &begun, None)
}

fn scan(seat: &Seat, begun: &Begun, failure: Option<&Error>) -> Result<Response> {
    let (base, mut carried) = (seat.base.clone(), seat.carried());
    carried.push(("id", begun.id.to_string()));
    let notice = failure.map(|failure| base.words.notice(failure.code));
    let (qr, secret) = (Qr::of(&begun.uri)?, begun.secret.as_str());
    pages::page(status_of(failure), &EnrolPage { base, action: CONFIRM, carried, needed: false, qr, secret, notice, passkey: None }, &[])
}

async fn confirm(caller: &Caller, seat: &Seat, form: &Form) -> Result<Response> {
    let (kernel, id) = (&caller.kernel, named(form)?);
    Service::of(kernel)?.throttle.admit(&seat.user.to_string(), caller.context.origin.as_ref().and_then(|origin| origin.ip))?;
    let mut scope = recently(caller, seat).await?;
    match factors::confirm_totp(&mut scope, kernel, seat.user, id, None, form.get("code").unwrap_or_default()).await {
        Ok(codes) => {
            scope.commit().await?;
            shown(seat, &codes)
        }
        Err(failure) if failure.code == &error::INVALID => {
            let begun = factors::begun_totp(&mut scope, kernel, seat.user, id).await?;
            scope.commit().await?;
            scan(seat, &begun, Some(&failure))
        }
        Err(failure) => Err(failure),
    }
}

async fn passkey(caller: &Caller, seat: &Seat, form: &Form) -> Result<Response> {
    let mut scope = recently(caller, seat).await?;
    let credential = json_of(form.get("credential"));
    let answer = (form.get("ceremony").unwrap_or_default(), &credential);
    let (_, codes) = factors::add_passkey(&mut scope, &caller.kernel, seat.user, answer, None).await?;
    scope.commit().await?;
    shown(seat, &codes)
}

fn shown(seat: &Seat, codes: &[String]) -> Result<Response> {
    pages::page(StatusCode::OK, &CodesPage { base: seat.base.clone(), codes, next: ROOT }, &[])
}

async fn remove(caller: &Caller, seat: &Seat, form: &Form) -> Result<Response> {
    let mut scope = recently(caller, seat).await?;
    factors::revoke(&mut scope, &caller.kernel, seat.user, named(form)?, None).await?;
    scope.commit().await?;
    Ok(browser::redirect(ROOT))
}

async fn codes(caller: &Caller, seat: &Seat) -> Result<Response> {
    let mut scope = recently(caller, seat).await?;
    if !factors::held(&mut scope, seat.user).await?.iter().any(|factor| factor.active) {
        return Err(Error::new(&error::NOT_FOUND));
    }
    let codes = factors::recovery_codes(&mut scope, &caller.kernel, seat.user).await?;
    let mut event = audit_store::of(scope.context(), "CONFIG_CHANGED", Action::Execute, Outcome::Success, scope.now());
    (event.resource_type, event.resource_id) = (Some("User".into()), Some(seat.user));
    event.metadata = Metadata::new().text("operation", "recovery codes");
    scope.audit(event);
    scope.commit().await?;
    shown(seat, &codes)
}
