//! Signing out at an application's word (OpenID Connect RP-Initiated Logout 1.0). Without proof that the application knows
//! whom it means, the person is asked.

use super::Form;
use super::client::Client;
use super::place::Place;
use crate::identity::browser::{self, Cookie};
use crate::identity::grant;
use crate::identity::service::Service;
use crate::identity::sign_in_pages;
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::form::is_address;
use poem::http::Method;
use poem::{Request, Response};
use serde_json::Value as Json;
use uuid::Uuid;

const SIGN_IN: &str = "/signin";

/// Of whom, and of which application, the hint tells.
struct Hint {
    person: Option<Uuid>,
    client: Option<String>,
}

async fn hint(caller: &Caller, form: &Form) -> Result<Option<Hint>> {
    let Some(text) = form.get("id_token_hint") else { return Ok(None) };
    let Some(claims) = Service::of(&caller.kernel)?.signing.own(&caller.kernel, text).await? else { return Ok(None) };
    let text = |name: &str| claims.get(name).and_then(Json::as_str).map(str::to_owned);
    Ok(Some(Hint { person: text("sub").and_then(|id| id.parse().ok()), client: text("aud") }))
}

/// Where the browser goes afterwards: an address that the application has registered for it, or our own page.
async fn onwards(caller: &Caller, form: &Form, hint: Option<&Hint>) -> Result<String> {
    let named = hint.and_then(|hint| hint.client.as_deref()).or(form.get("client_id"));
    let agreed = form.get("client_id").is_none_or(|id| Some(id) == named);
    let (Some(to), Some(named), true) = (form.get("post_logout_redirect_uri"), named, agreed) else { return Ok(SIGN_IN.to_owned()) };
    let client = Client::find(caller, named, &Place::default()).await?;
    if !client.is_some_and(|client| is_address(to) && client.logouts.iter().any(|held| held == to)) {
        return Ok(SIGN_IN.to_owned());
    }
    let mut url = openidconnect::url::Url::parse(to).map_err(Error::internal)?;
    if let Some(state) = form.get("state") {
        url.query_pairs_mut().append_pair("state", state);
    }
    Ok(url.to_string())
}

pub async fn leave(caller: Caller, mut request: Request) -> Result<Response> {
    let form = match *request.method() {
        Method::POST => Form::read(&mut request).await?,
        _ => Form::parse(request.uri().query().unwrap_or_default().as_bytes())?,
    };
    let hint = hint(&caller, &form).await?;
    let onwards = onwards(&caller, &form, hint.as_ref()).await?;
    let Some((bearer, token)) = browser::signed_in(&caller.kernel, &request).await? else { return Ok(browser::redirect(&onwards)) };
    let (own, session) = (&bearer.context, bearer.context.session);
    let meant = hint.is_some_and(|hint| hint.person.is_some() && hint.person == own.actor);
    let Some(session) = session.filter(|_| meant) else {
        return sign_in_pages::signed_in(&caller, &request, own.tenant, token.expose()).await;
    };
    let context = Context { request: caller.context.request, ..grant::behind(own, own.tenant) };
    let mut scope = caller.kernel.door.open(&context).await?;
    grant::end(&mut scope, session, "LOGOUT").await?;
    scope.commit().await?;
    grant::forget(&caller.kernel, |context| context.session == Some(session))?;
    browser::with_cookie(browser::redirect(&onwards), &browser::set_cookie(&caller.kernel, Cookie::Session, ""))
}
