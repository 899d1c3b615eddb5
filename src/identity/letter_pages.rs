//! The pages behind a letter's link, and the one that asks for a letter. A link opened by a program that looks at mail does
//! nothing: it takes the form behind it.

use super::browser::{self, Cookie};
use super::letters::{self, JOIN, RESET, VERIFY};
use super::oauth::Form;
use super::pages::{self, AskPage, Input};
use super::second_step::{self, First};
use super::sign_in_pages::{self, Flow, View};
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use poem::http::StatusCode;
use poem::{Request, Response};

pub const FORGOTTEN: &str = "/signin/forgotten";

/// One of the pages, by the last word of its path.
pub async fn show(caller: Caller, request: Request) -> Result<Response> {
    let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes())?;
    let (visit, _) = browser::visit(&caller.kernel, &request)?;
    let (token, page) = (query.get("token").unwrap_or_default(), name(&request));
    let tenant = match page.as_str() {
        "join" => Some(letters::invited(&caller, token).await?.tenant.to_string()),
        _ => None,
    };
    let flow = Flow::read(&caller, None, tenant.as_deref()).await?;
    let view = View::new(&caller, &request, flow, visit).await?;
    let response = render(&caller, &view, &page, token, None).await?;
    browser::with_cookie(response, &browser::set_cookie(&caller.kernel, Cookie::Visit, &view.visit))
}

pub async fn take(caller: Caller, mut request: Request) -> Result<Response> {
    let form = Form::read(&mut request).await?;
    let view = View::of_form(&caller, &request, &form).await?;
    let (token, page) = (form.get("token").unwrap_or_default(), name(&request));
    let text = |name: &str| form.get(name).unwrap_or_default();
    let words = view.base.words;
    let done = match page.as_str() {
        "forgotten" => letters::forgotten(&caller, text("email")).map(|()| words.letter_sent),
        "reset" => letters::reset(&caller, token, text("password")).await.map(|()| words.password_set),
        "verify" => letters::verify(&caller, token).await.map(|()| words.verified),
        "join" => match join(&caller, &view, token, &form).await {
            Err(failure) => Err(failure),
            inside => return inside,
        },
        _ => return Err(Error::new(&error::NO_ROUTE)),
    };
    match done {
        Ok(text) => {
            let (base, title) = (view.base.clone(), title(&view, &page));
            let next = Some((sign_in_pages::ROOT, words.sign_in));
            pages::page(StatusCode::OK, &AskPage { base, title, text: text.to_owned(), notice: None, form: None, next }, &[])
        }
        Err(failure) if matches!(failure.code.code, "field.invalid" | "conflict") => {
            render(&caller, &view, &page, token, Some(&failure)).await
        }
        Err(failure) => Err(failure),
    }
}

fn name(request: &Request) -> String {
    request.uri().path().rsplit('/').next().unwrap_or_default().to_owned()
}

fn title(view: &View, page: &str) -> &'static str {
    let words = view.base.words;
    match page {
        "verify" => words.verify,
        "join" => words.invitation,
        _ => words.new_password,
    }
}

async fn render(caller: &Caller, view: &View, page: &str, token: &str, failure: Option<&Error>) -> Result<Response> {
    let words = view.base.words;
    let email = Input { label: words.email, name: "email", kind: "email", autocomplete: "username" };
    let password = Input { label: words.new_password_label, name: "password", kind: "password", autocomplete: "new-password" };
    let full_name = Input { label: words.full_name, name: "full_name", kind: "text", autocomplete: "name" };
    let (action, text, inputs, button) = match page {
        "forgotten" => (FORGOTTEN, words.forgotten_text.to_owned(), vec![email], words.send_letter),
        "reset" => (RESET, words.password_rule.to_owned(), vec![password], words.set_password),
        "verify" => (VERIFY, String::new(), vec![], words.verify),
        _ => {
            let asked = letters::invited(caller, token).await?;
            let text = format!("{} {}", asked.clinic, words.join_text);
            if asked.known {
                let next = Some((sign_in_pages::ROOT, words.sign_in));
                let shown = AskPage {
                    base: view.base.clone(),
                    title: title(view, page),
                    text: format!("{text} {}", words.has_account),
                    notice: None,
                    form: None,
                    next,
                };
                return pages::page(StatusCode::OK, &shown, &[]);
            }
            (JOIN, format!("{text} {}", words.password_rule), vec![full_name, password], words.join)
        }
    };
    let mut carried = view.carried(caller)?;
    carried.push(("token", token.to_owned()));
    let notice = failure.map(|failure| {
        failure
            .faults
            .first()
            .map_or(failure.code.title, |fault| if fault.rule == "breached" { words.breached } else { words.password_rule })
    });
    let (base, title) = (view.base.clone(), title(view, page));
    let shown = AskPage { base, title, text, notice, form: Some(pages::AskForm { action, carried, inputs, button }), next: None };
    pages::page(sign_in_pages::status_of(failure), &shown, &[])
}

/// A new account, and on to whatever the clinic asks for besides.
async fn join(caller: &Caller, view: &View, token: &str, form: &Form) -> Result<Response> {
    let asked = letters::invited(caller, token).await?;
    let (name, password) = (form.get("full_name").unwrap_or_default(), form.get("password").unwrap_or_default());
    let user = letters::join(caller, &asked, name, password).await?;
    let needed = letters::needs_second(caller, user, asked.tenant).await?;
    let first = First { user, tenant: asked.tenant, method: "PASSWORD", held: false, needed, vouched: None };
    second_step::proceed(caller, view, first, None).await
}
