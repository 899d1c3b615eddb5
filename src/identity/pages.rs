//! The pages people see while they sign in. Server-rendered, everything escaped, nothing about a person in an address: what is
//! typed travels in a POST. The one script is for passkeys, and every page works without it.

use askama::Template;
use poem::http::{StatusCode, header};
use poem::web::Path;
use poem::{Response, handler};
use qrcodegen::{QrCode, QrCodeEcc};

use super::words::{self, Words};
use crate::kernel::{Error, Result};

/// Where [`stylesheet`] is to be served; every page links to it.
pub const STYLESHEET_PATH: &str = "/assets/enamel.css";
pub const SCRIPT_PATH: &str = "/assets/passkey.js";
/// Below it a stylesheet for each colour a clinic may have.
pub const BRAND_ROOT: &str = "/assets/brand";

/// What every page has: its language, whose it is, and whether it needs the one script there is.
#[derive(Clone)]
pub struct Base {
    pub words: &'static Words,
    /// The clinic's name, or ours.
    pub brand: String,
    /// Six hexadecimal digits.
    pub colour: Option<String>,
    pub script: bool,
}

impl Base {
    /// In the language of that `Accept-Language`, of nobody's clinic.
    pub fn plain(accepted: &str) -> Base {
        Base { words: words::best(accepted, None), brand: "Enamel".to_owned(), colour: None, script: false }
    }
    pub fn with_script(&self, script: bool) -> Base {
        Base { script, ..self.clone() }
    }
    pub(super) fn stylesheet(&self) -> &'static str {
        STYLESHEET_PATH
    }
    pub(super) fn script_path(&self) -> &'static str {
        SCRIPT_PATH
    }
    pub(super) fn brand_root(&self) -> &'static str {
        BRAND_ROOT
    }
}

/// What a form carries unseen.
pub type Carried = Vec<(&'static str, String)>;

/// A form that asks the person's authenticator; shown by the script alone.
pub struct PasskeyForm {
    pub action: &'static str,
    /// `make` or `use`.
    pub asks: &'static str,
    pub options: String,
    pub carried: Carried,
    pub button: &'static str,
}

/// A button "Sign in with …".
#[derive(Debug, Clone)]
pub struct ProviderButton {
    pub href: String,
    pub name: String,
}

/// Posts `email` and `password` to `action`. Providers are links: a browser holds the redirects behind a form to the page's
/// policy, and where a provider leads is not known yet.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage<'a> {
    pub base: Base,
    pub action: &'a str,
    pub carried: Carried,
    pub client_name: Option<&'a str>,
    pub email: &'a str,
    pub forgotten: &'a str,
    /// Why the last try failed, never more than the table of errors tells.
    pub notice: Option<&'a str>,
    pub passkey: Option<PasskeyForm>,
    pub providers: &'a [ProviderButton],
}

/// Posts `code` and `remember` to `action`.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub struct SecondFactorPage<'a> {
    pub base: Base,
    pub action: &'a str,
    pub carried: Carried,
    pub notice: Option<&'a str>,
    pub passkey: Option<PasskeyForm>,
}

/// Posts `code` to `action`; shows a secret once.
#[derive(Template)]
#[template(path = "enrol.html")]
pub struct EnrolPage<'a> {
    pub base: Base,
    pub action: &'a str,
    pub carried: Carried,
    /// The clinic asks for it.
    pub needed: bool,
    pub qr: Qr,
    pub secret: &'a str,
    pub notice: Option<&'a str>,
    pub passkey: Option<PasskeyForm>,
}

#[derive(Template)]
#[template(path = "codes.html")]
pub struct CodesPage<'a> {
    pub base: Base,
    pub codes: &'a [String],
    pub next: &'a str,
}

/// Posts `inputs` to the form's action, or only says something.
#[derive(Template)]
#[template(path = "ask.html")]
pub struct AskPage<'a> {
    pub base: Base,
    pub title: &'a str,
    pub text: String,
    pub notice: Option<&'a str>,
    pub form: Option<AskForm>,
    /// Where else to go, and what the link says.
    pub next: Option<(&'a str, &'a str)>,
}

pub struct AskForm {
    pub action: &'static str,
    pub carried: Carried,
    pub inputs: Vec<Input>,
    pub button: &'static str,
}

pub struct Input {
    pub label: &'static str,
    pub name: &'static str,
    pub kind: &'static str,
    pub autocomplete: &'static str,
}

/// One chart of the person, to be chosen for an application.
pub struct Chart {
    pub id: String,
    pub name: String,
}

/// One thing an application asks for, with a box to untick.
pub struct ScopeLine<'a> {
    pub name: String,
    pub word: &'a str,
    pub label: String,
    pub kept: bool,
}

/// Posts `flow`, `csrf`, `decision` (`allow`, `deny` or `find`), the scopes that stay, `patient` and `q` to `action`.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    pub base: Base,
    pub action: &'a str,
    pub flow: &'a str,
    pub csrf: &'a str,
    pub client_name: &'a str,
    pub scopes: &'a [ScopeLine<'a>],
    /// Empty when no patient is asked for, or none was looked for yet.
    pub charts: &'a [Chart],
    /// Whether patients are looked for by name.
    pub searches: bool,
    pub typed: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "signed_in.html")]
pub struct SignedInPage<'a> {
    pub base: Base,
    pub action: &'a str,
    pub carried: Carried,
    pub security: &'a str,
}

/// A line of [`SecurityPage`]: a second factor.
pub struct FactorLine {
    pub id: String,
    pub kind: &'static str,
    pub name: String,
    pub since: String,
    pub last: String,
}

/// A line of [`SecurityPage`]: a session.
pub struct SessionLine {
    pub id: String,
    pub agent: String,
    pub address: String,
    pub seen: String,
    pub own: bool,
}

/// Posts to what is below `root`.
#[derive(Template)]
#[template(path = "security.html")]
pub struct SecurityPage<'a> {
    pub base: Base,
    pub root: &'a str,
    pub carried: Carried,
    pub notice: Option<&'a str>,
    pub factors: Vec<FactorLine>,
    pub sessions: Vec<SessionLine>,
    pub remembered: i64,
    pub passkey: Option<PasskeyForm>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    base: Base,
    title: &'a str,
    detail: Option<&'a str>,
    retry_after_s: Option<u32>,
    request_id: &'a str,
}

/// A QR code as one path of unit squares, with the quiet zone around it.
pub struct Qr {
    pub side: i32,
    pub path: String,
}

impl Qr {
    pub fn of(text: &str) -> Result<Qr> {
        const QUIET: i32 = 4;
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(Error::internal)?;
        let dark = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
        let path = dark.map(|(x, y)| format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET)).collect();
        Ok(Qr { side: code.size() + 2 * QUIET, path })
    }
}

/// A page as an answer. `form_origins`: where a form may lead besides our own server; browsers hold the redirect
/// after a POST to it as well, so the client's redirect origin belongs here.
pub fn page(status: StatusCode, template: &impl Template, form_origins: &[&str]) -> Result<Response> {
    answer(status, template, "", form_origins)
}

/// The same for a page that may ask an authenticator.
pub fn page_with_script(status: StatusCode, template: &impl Template) -> Result<Response> {
    answer(status, template, "script-src 'self'; ", &[])
}

fn answer(status: StatusCode, template: &impl Template, scripts: &str, form_origins: &[&str]) -> Result<Response> {
    let html = template.render().map_err(Error::internal)?;
    let origins = form_origins.iter().filter(|origin| is_origin(origin)).fold(String::new(), |all, origin| all + " " + origin);
    let policy =
        format!("default-src 'none'; {scripts}style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'{origins}");
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
pub fn error_page(error: &Error, request_id: &str, base: Base) -> Result<Response> {
    let status = StatusCode::from_u16(error.code.status).map_err(Error::internal)?;
    let (title, detail) = (error.code.title, error.detail.as_deref());
    let retry_after_s = error.retry_after_s;
    let template = ErrorPage { base, title, detail, retry_after_s, request_id };
    let mut response = page(status, &template, &[])?;
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// The one stylesheet, out of the binary.
#[handler]
pub fn stylesheet() -> Response {
    asset("text/css", include_str!("../../templates/enamel.css").to_owned())
}

/// The one script, out of the binary.
#[handler]
pub fn passkey_script() -> Response {
    asset("text/javascript", include_str!("../../templates/passkey.js").to_owned())
}

/// A clinic's colour, as a line above what is ours: text keeps the contrast it has.
#[handler]
pub fn brand_stylesheet(Path(name): Path<String>) -> Response {
    match name.strip_suffix(".css").filter(|colour| is_colour(colour)) {
        Some(colour) => asset("text/css", format!("main {{ border-top: .5rem solid #{colour}; }}\n")),
        None => StatusCode::NOT_FOUND.into(),
    }
}

pub fn is_colour(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn asset(kind: &str, body: String) -> Response {
    Response::builder()
        .content_type(format!("{kind}; charset=utf-8"))
        .header("x-content-type-options", "nosniff")
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(body)
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
        let (base, carried) = (Base::plain("en"), vec![("flow", "f-1".to_owned()), ("csrf", "c-1".to_owned())]);
        SignInPage {
            base,
            action: "/signin",
            carried,
            client_name: None,
            email,
            forgotten: "/signin/forgotten",
            notice,
            passkey: None,
            providers,
        }
    }

    async fn text(response: Response) -> String {
        response.into_body().into_string().await.unwrap()
    }

    #[tokio::test]
    async fn whatever_is_shown_is_escaped() {
        let evil = r#""><script>alert('1')</script>"#;
        let providers = [ProviderButton { href: evil.into(), name: evil.into() }];
        let shown =
            SignInPage { client_name: Some(evil), carried: vec![("flow", evil.to_owned())], ..sign_in(evil, Some(evil), &providers) };
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

    #[test]
    fn a_qr_code_lies_inside_its_frame() {
        let qr = Qr::of("otpauth://totp/Enamel:ana?secret=ABC").unwrap();
        assert!(qr.side >= 29 && qr.path.starts_with("M4,4h1v1h-1z"), "the finder is dark in its corner: {}", &qr.path[..24]);
    }

    #[test]
    fn a_colour_is_six_digits_and_nothing_else() {
        assert!(is_colour("0b6B74"));
        for odd in ["", "0b6b7", "0b6b744", "0b6b7;", "}a{b:c"] {
            assert!(!is_colour(odd), "{odd}");
        }
    }

    #[tokio::test]
    async fn an_error_page_says_what_the_table_says() {
        let response = error_page(&Error::new(&SIGN_IN_BUSY).because("inner words"), "r-7", Base::plain("")).unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"1".parse().unwrap()));
        let html = text(response).await;
        assert!(html.contains(SIGN_IN_BUSY.title) && html.contains("r-7") && !html.contains("inner words"));
    }
}
