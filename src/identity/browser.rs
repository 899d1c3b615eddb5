//! What the pages know of a browser: its session cookie, and a cookie from before, to which forms and sign-ins under way
//! are tied. Cookies count on these pages only; the API knows bearer tokens.

use super::device;
use super::pages;
use super::resolve::{self, Bearer};
use super::service::Service;
use super::token::{Kind, Token};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::{Caller, Kernel};
use futures_util::future::BoxFuture;
use hmac::Mac;
use poem::endpoint::make;
use poem::http::{StatusCode, header};
use poem::{Endpoint, EndpointExt, Request, Response};
use std::sync::Arc;
use subtle::ConstantTimeEq;

type Handler = fn(Caller, Request) -> BoxFuture<'static, Result<Response>>;

/// An endpoint for people: a refusal is a page.
pub fn page(handler: Handler) -> impl Endpoint<Output = Response> {
    make(move |request: Request| async move {
        let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| Error::new(&error::UNAUTHENTICATED))?;
        let (id, accepted) = (caller.context.request, accepted_languages(&request).to_owned());
        match handler(caller, request).await {
            Ok(response) => Ok::<_, poem::Error>(response),
            Err(failure) => {
                let base = pages::Base::plain(&accepted);
                if failure.code.status >= 500 {
                    tracing::error!(error = %failure, "A page failed");
                }
                Ok(pages::error_page(&failure, &id.to_string(), base)?)
            }
        }
    })
    .map_to_response()
}

/// What the browser says of its person's languages.
pub fn accepted_languages(request: &Request) -> &str {
    request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[derive(Clone, Copy)]
pub enum Cookie {
    /// The signed-in session.
    Session,
    /// Names the browser before anybody has signed in.
    Visit,
    /// A second factor was proved here; it outlives the window.
    Device,
}

impl Cookie {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Cookie::Session, true) => "__Host-enamel_session",
            (Cookie::Session, false) => "enamel_session",
            (Cookie::Visit, true) => "__Host-enamel_visit",
            (Cookie::Visit, false) => "enamel_visit",
            (Cookie::Device, true) => "__Host-enamel_device",
            (Cookie::Device, false) => "enamel_device",
        }
    }
}

fn secure(kernel: &Kernel) -> bool {
    kernel.config.server.public_url.starts_with("https://")
}

pub fn cookie(kernel: &Kernel, request: &Request, which: Cookie) -> Option<String> {
    let name = which.name(secure(kernel));
    let lines = request.headers().get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let found = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name);
    found.map(|(_, value)| value.to_owned())
}

/// The header that sets it, or ends it when empty. What is no device's goes with the window.
pub fn set_cookie(kernel: &Kernel, which: Cookie, value: &str) -> String {
    let (name, flag) = (which.name(secure(kernel)), if secure(kernel) { "; Secure" } else { "" });
    let ended = match which {
        _ if value.is_empty() => "; Max-Age=0".to_owned(),
        Cookie::Device => format!("; Max-Age={}", device::LIVES_S),
        Cookie::Session | Cookie::Visit => String::new(),
    };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{flag}{ended}")
}

/// The browser's own name from before; a new one when it brings none.
pub fn visit(kernel: &Kernel, request: &Request) -> Result<(String, bool)> {
    match cookie(kernel, request, Cookie::Visit).filter(|value| Token::parse(Kind::Session, value).is_some()) {
        Some(value) => Ok((value, false)),
        None => Ok((Token::new(Kind::Session)?.expose().to_owned(), true)),
    }
}

/// Who is signed in here, with the token that names the session.
pub async fn signed_in(kernel: &Arc<Kernel>, request: &Request) -> Result<Option<(Arc<Bearer>, Token)>> {
    let token = cookie(kernel, request, Cookie::Session).and_then(|value| Token::parse(Kind::Session, &value));
    let Some(token) = token else { return Ok(None) };
    let bearer = resolve::bearer(kernel, &token).await?.filter(|bearer| bearer.expires > chrono::Utc::now());
    Ok(bearer.map(|bearer| (bearer, token)))
}

/// The token of a form that is shown to the holder of that cookie.
pub fn form_token(kernel: &Kernel, cookie: &str) -> Result<String> {
    let mac = Service::of(kernel)?.forms.clone().chain_update(cookie.as_bytes());
    Ok(hex(&mac.finalize().into_bytes()))
}

/// Refuses a form that another site has sent: by the token, and by what the browser says about itself.
pub fn check_form(kernel: &Kernel, request: &Request, cookie: Option<&str>, token: Option<&str>) -> Result<()> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let own = kernel.config.server.public_url.as_str();
    let from_here = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        // A page without referrers sends its forms with the origin "null".
        (None, Some(origin)) => origin == own || origin == "null",
        (None, None) => true,
    };
    let right = match (cookie, token) {
        (Some(cookie), Some(token)) => form_token(kernel, cookie)?.as_bytes().ct_eq(token.as_bytes()).into(),
        _ => false,
    };
    if from_here && right {
        Ok(())
    } else {
        Err(Error::new(&error::FORBIDDEN).detail("The form is too old or came from elsewhere. Go back and load the page again."))
    }
}

pub fn redirect(to: &str) -> Response {
    Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, to).header(header::CACHE_CONTROL, "no-store").finish()
}

pub fn with_cookie(mut response: Response, line: &str) -> Result<Response> {
    let value = header::HeaderValue::from_str(line).map_err(Error::internal)?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(response)
}
