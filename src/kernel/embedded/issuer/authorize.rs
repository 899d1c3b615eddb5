//! The authorization endpoint: a sign-in page, and the redirect with a code (OpenID Connect Core 1.0 §3.1.2).

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use openidconnect::url::Url;
use poem::http::{StatusCode, header};
use poem::web::{Data, Form, Query};
use poem::{Response, handler};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::grants::Grant;
use super::{Person, State};

/// An authorization request, from the query and again from the page's hidden fields.
#[derive(Deserialize)]
pub struct Request {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    prompt: Option<String>,
    login_hint: Option<String>,
}

#[derive(Deserialize)]
pub struct SignIn {
    #[serde(flatten)]
    request: Request,
    email: String,
    password: String,
}

#[derive(Template)]
#[template(path = "issuer_sign_in.html")]
struct Page<'a> {
    stylesheet: &'a str,
    carried: Vec<(&'static str, &'a str)>,
    people: &'a [Person],
    email: &'a str,
    wrong: bool,
}

#[derive(Template)]
#[template(path = "issuer_error.html")]
struct Refused<'a> {
    stylesheet: &'a str,
    why: &'a str,
}

#[handler]
pub fn show(Data(state): Data<&Arc<State>>, Query(request): Query<Request>) -> Response {
    match request.check(state) {
        Ok(_) if request.prompt.as_deref() == Some("none") => request.send_back(state, "error", "login_required"),
        Ok(redirect) => page(state, &request, &redirect, request.login_hint.as_deref().unwrap_or(""), false),
        Err(refused) => *refused,
    }
}

#[handler]
pub fn sign_in(Data(state): Data<&Arc<State>>, Form(form): Form<SignIn>) -> Response {
    let request = form.request;
    let redirect = match request.check(state) {
        Ok(redirect) => redirect,
        Err(refused) => return *refused,
    };
    let knows = |person: &&Person| {
        person.email.eq_ignore_ascii_case(form.email.trim()) && bool::from(person.password.as_bytes().ct_eq(form.password.as_bytes()))
    };
    let Some(person) = state.people.iter().find(knows) else {
        return page(state, &request, &redirect, &form.email, true);
    };
    let grant = Grant {
        sub: person.sub.clone(),
        client_id: request.client_id.clone().unwrap_or_default(),
        redirect_uri: redirect.clone(),
        scopes: request.scopes().map(str::to_owned).collect(),
        nonce: request.nonce.clone(),
        code_challenge: request.code_challenge.clone().unwrap_or_default(),
        auth_time: jsonwebtoken::get_current_timestamp(),
    };
    let given = state.grants().give_code(grant, Instant::now());
    match given {
        Ok(code) => request.send_back(state, "code", &code),
        Err(_) => request.send_back(state, "error", "server_error"),
    }
}

impl Request {
    /// The redirect URI when all is right. An unknown client or redirect URI is told to the person and never
    /// redirected to; other faults go back to the client (RFC 6749 §4.1.2.1).
    fn check(&self, state: &State) -> Result<String, Box<Response>> {
        let Some(client) = self.client_id.as_deref().and_then(|id| state.client(id)) else {
            return Err(Box::new(refused("This application is not registered here.")));
        };
        let known = client.redirect_uris.iter().find(|uri| Some(*uri) == self.redirect_uri.as_ref());
        let Some(redirect) = known.filter(|uri| Url::parse(uri).is_ok()) else {
            return Err(Box::new(refused("The application asks to return to an address that is not registered.")));
        };
        let fault = if self.response_type.as_deref() != Some("code") {
            "unsupported_response_type"
        } else if !self.scopes().any(|scope| scope == "openid") {
            "invalid_scope"
        } else if self.code_challenge_method.as_deref() != Some("S256")
            || self.code_challenge.as_ref().is_none_or(|challenge| challenge.len() != 43)
        {
            "invalid_request"
        } else {
            return Ok(redirect.clone());
        };
        Err(Box::new(self.send_back(state, "error", fault)))
    }

    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.as_deref().unwrap_or("").split(' ').filter(|scope| !scope.is_empty())
    }

    fn carried(&self) -> Vec<(&'static str, &str)> {
        let fields = [
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", &self.response_type),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// To the checked redirect URI, with `iss` (RFC 9207) and the client's state. 303: the POST is not repeated there.
    fn send_back(&self, state: &State, name: &str, value: &str) -> Response {
        let Some(mut url) = self.redirect_uri.as_deref().and_then(|uri| Url::parse(uri).ok()) else {
            return refused("The application gave no address to return to.");
        };
        url.query_pairs_mut().append_pair(name, value).append_pair("iss", &state.url);
        if let Some(own) = &self.state {
            url.query_pairs_mut().append_pair("state", own);
        }
        Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, url.as_str()).finish()
    }
}

fn page(state: &State, request: &Request, redirect: &str, email: &str, wrong: bool) -> Response {
    let page = Page { stylesheet: "/style.css", carried: request.carried(), people: &state.people, email, wrong };
    // Browsers hold a form's redirect to `form-action` too.
    let origin = Url::parse(redirect).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    html(if wrong { StatusCode::UNAUTHORIZED } else { StatusCode::OK }, &page, &origin)
}

fn refused(why: &str) -> Response {
    html(StatusCode::BAD_REQUEST, &Refused { stylesheet: "/style.css", why }, "")
}

fn html(status: StatusCode, template: &impl Template, form_target: &str) -> Response {
    let Ok(text) = template.render() else {
        return Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).finish();
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self' {form_target}"
    );
    Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header("content-security-policy", policy.trim_end())
        .header("referrer-policy", "no-referrer")
        .body(text)
}
