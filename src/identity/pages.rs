//! The pages people see while they sign in. Server-rendered, without scripts, everything escaped, nothing about a
//! person in an address: what is typed travels in a POST.

use askama::Template;
use poem::http::{StatusCode, header};
use poem::{Response, handler};

use crate::kernel::{Error, Result};

/// Where [`stylesheet`] is to be served; every page links to it.
pub const STYLESHEET_PATH: &str = "/assets/enamel.css";

/// A button "Sign in with …".
#[derive(Debug, Clone)]
pub struct ProviderButton {
    pub href: String,
    pub name: String,
}

/// Posts `flow`, `tenant`, `csrf`, `email` and `password` to `action`. Providers are links: a browser holds the redirects
/// behind a form to the page's policy, and where a provider leads is not known yet.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage<'a> {
    pub action: &'a str,
    /// Where to go on afterwards: a path of ours.
    pub flow: &'a str,
    pub tenant: &'a str,
    pub csrf: &'a str,
    pub client_name: Option<&'a str>,
    pub email: &'a str,
    /// Why the last try failed: the title of an error, never more.
    pub notice: Option<&'a str>,
    pub providers: &'a [ProviderButton],
    pub stylesheet: &'a str,
}

/// Posts `flow`, `tenant`, `csrf`, `proof` and `code` to `action`.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub struct SecondFactorPage<'a> {
    pub action: &'a str,
    pub flow: &'a str,
    pub tenant: &'a str,
    pub csrf: &'a str,
    /// That the password was right, sealed for this browser.
    pub proof: &'a str,
    pub notice: Option<&'a str>,
    pub stylesheet: &'a str,
}

/// One chart of the person, to be chosen for an application.
pub struct Chart {
    pub id: String,
    pub name: String,
}

/// Posts `flow`, `csrf`, `decision` (`allow` or `deny`) and `patient` to `action`.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    pub action: &'a str,
    pub flow: &'a str,
    pub csrf: &'a str,
    pub client_name: &'a str,
    pub scopes: &'a [String],
    /// Empty when no patient is asked for.
    pub charts: &'a [Chart],
    pub stylesheet: &'a str,
}

/// Posts `csrf` to `action`.
#[derive(Template)]
#[template(path = "signed_in.html")]
pub struct SignedInPage<'a> {
    pub action: &'a str,
    pub csrf: &'a str,
    pub stylesheet: &'a str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    title: &'a str,
    detail: Option<&'a str>,
    retry_after_s: Option<u32>,
    request_id: &'a str,
    stylesheet: &'a str,
}

/// A page as an answer. `form_origins`: where a form may lead besides our own server; browsers hold the redirect
/// after a POST to it as well, so the client's redirect origin belongs here.
pub fn page(status: StatusCode, template: &impl Template, form_origins: &[&str]) -> Result<Response> {
    let html = template.render().map_err(Error::internal)?;
    let origins = form_origins.iter().filter(|origin| is_origin(origin)).fold(String::new(), |all, origin| all + " " + origin);
    let policy = format!("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'{origins}");
    let response = Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header("content-security-policy", policy)
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff")
        .header(header::CACHE_CONTROL, "no-store")
        .body(html);
    Ok(response)
}

/// An error for people: the same table as for programs, and a number to ask for help with.
pub fn error_page(error: &Error, request_id: &str) -> Result<Response> {
    let status = StatusCode::from_u16(error.code.status).map_err(Error::internal)?;
    let (title, detail) = (error.code.title, error.detail.as_deref());
    let retry_after_s = error.retry_after_s;
    let template = ErrorPage { title, detail, retry_after_s, request_id, stylesheet: STYLESHEET_PATH };
    let mut response = page(status, &template, &[])?;
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// The one stylesheet, out of the binary.
#[handler]
pub fn stylesheet() -> Response {
    Response::builder()
        .content_type("text/css; charset=utf-8")
        .header("x-content-type-options", "nosniff")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(include_str!("../../templates/enamel.css"))
}

/// Nothing but `scheme://host[:port]` gets into the policy: a `;` or a blank would add a directive of its own.
fn is_origin(text: &str) -> bool {
    openidconnect::url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::error::SIGN_IN_BUSY;

    fn sign_in<'a>(email: &'a str, notice: Option<&'a str>, providers: &'a [ProviderButton]) -> SignInPage<'a> {
        SignInPage {
            action: "/signin",
            flow: "f-1",
            tenant: "bright-north",
            csrf: "c-1",
            client_name: None,
            email,
            notice,
            providers,
            stylesheet: STYLESHEET_PATH,
        }
    }

    async fn text(response: Response) -> String {
        response.into_body().into_string().await.unwrap()
    }

    #[tokio::test]
    async fn whatever_is_shown_is_escaped() {
        let evil = r#""><script>alert('1')</script>"#;
        let providers = [ProviderButton { href: evil.into(), name: evil.into() }];
        let shown = SignInPage { client_name: Some(evil), flow: evil, ..sign_in(evil, Some(evil), &providers) };
        let html = text(page(StatusCode::OK, &shown, &[]).unwrap()).await;
        assert!(!html.contains("<script"), "{html}");
        // Client, notice, the flow, the e-mail, the button's address and name.
        assert_eq!(html.matches("&#34;&#62;&#60;script&#62;").count(), 6, "{html}");
    }

    #[tokio::test]
    async fn every_input_has_a_label_and_a_failure_is_announced() {
        let html = text(page(StatusCode::OK, &sign_in("ana@example.org", Some("Wrong."), &[]), &[]).unwrap()).await;
        for id in ["email", "password"] {
            assert!(html.contains(&format!(r#"<label for="{id}">"#)) && html.contains(&format!(r#"id="{id}""#)));
        }
        assert!(html.contains(r#"role="alert""#) && html.contains(r#"lang="en""#));
        assert!(!html.contains("Sign in with"), "no button without a provider");
    }

    #[test]
    fn nothing_inline_and_no_directive_can_be_smuggled_in() {
        let origins = ["https://app.example", "http://127.0.0.1:8976", "https://x.example/path", "*; script-src *", "'unsafe-inline'"];
        let response = page(StatusCode::OK, &sign_in("", None, &[]), &origins).unwrap();
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self' https://app.example http://127.0.0.1:8976"
        );
        let html = sign_in("", None, &[]).render().unwrap();
        assert!(!html.contains("<style") && !html.contains("style=") && !html.contains("<script") && !html.contains(" on"));
    }

    #[tokio::test]
    async fn an_error_page_says_what_the_table_says() {
        let response = error_page(&Error::new(&SIGN_IN_BUSY).because("inner words"), "r-7").unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"1".parse().unwrap()));
        let html = text(response).await;
        assert!(html.contains(SIGN_IN_BUSY.title) && html.contains("r-7") && !html.contains("inner words"));
    }
}
