//! The pages we serve, in a real browser: under their policy, by keyboard alone, as a screen reader hears them.

use super::chromium::{Chromium, ENTER, TAB, told};
use crate::world::people::{PASSWORD, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An application on an origin of its own: whatever comes is thanked for.
async fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/callback", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 8192];
            let _ = stream.read(&mut head).await;
            let page = "<!doctype html><title>Back</title><link rel=icon href=data:,>Thank you";
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// Where that application sends people who are to sign in.
async fn authorize(world: &World, clinic: &Clinic, back: &str) -> String {
    let admin = clinic.token("TENANT_ADMIN").await;
    let app = json!({"name": "Chart", "client_type": "PUBLIC", "scopes": ["user/*.rs"], "redirect_uris": [back]});
    let (_, made) = world.post(Some(&admin), "/api-clients", app).await;
    let pairs = [
        ("response_type", "code"),
        ("client_id", &text(&made, "client_id")),
        ("redirect_uri", back),
        ("scope", "user/Patient.rs"),
        ("state", "s"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    format!("{}/oauth2/authorize?{}", world.base_url, serde_urlencoded::to_string(pairs).unwrap())
}

/// Everything people act on has a role and a name, the page a title, a language and one heading of the first rank.
pub async fn is_understood(browser: &Chromium) {
    for (role, name) in browser.heard("input:not([type=hidden]), select, button, a").await {
        assert!(!role.is_empty() && !name.is_empty(), "{role} {name:?} at {}", browser.url().await);
    }
    let page = "[document.documentElement.lang, document.title.length > 3, document.querySelectorAll('h1').length, document.querySelectorAll('main').length]";
    assert_eq!(browser.judge(page).await, json!(["en", true, 1, 1]));
    let elsewhere = "performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith(location.origin))";
    assert_eq!(browser.judge(elsewhere).await, json!([]), "everything is ours");
}

async fn focus(browser: &Chromium) -> String {
    browser.judge("document.activeElement.name || document.activeElement.innerText").await.as_str().unwrap().to_owned()
}

#[test]
fn signing_in_needs_no_mouse_and_hides_no_error() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let back = application().await;
        let start = authorize(world, &clinic, &back).await;
        told(async |browser| {
            browser.open(&start).await;
            is_understood(browser).await;
            assert_eq!(
                browser.heard("#email, #password").await,
                [("textbox".into(), "E-mail".into()), ("textbox".into(), "Password".into())]
            );
            assert_eq!(browser.console().await, Vec::<String>::new());
            assert_eq!(focus(browser).await, "email", "one types at once");
            browser.press(&format!("{}{TAB}not the password{ENTER}", person.email)).await;

            // What went wrong is announced, told again where it is to be mended, and what was typed is kept.
            browser.shows("//*[@role='alert']").await;
            assert_eq!(focus(browser).await, "password");
            let described = "document.getElementById(document.activeElement.getAttribute('aria-describedby')).innerText.length > 5";
            assert_eq!(browser.judge(described).await, json!(true));
            assert_eq!(browser.judge("document.getElementById('email').value").await, json!(person.email));
            is_understood(browser).await;
            let said = browser.console().await;
            assert!(said.len() == 1 && said[0].contains("401"), "the refusal's own status and no more: {said:?}");

            browser.press(&format!("{PASSWORD}{ENTER}")).await;
            browser.shows("//h1[.='Allow access']").await;
            is_understood(browser).await;
            browser.press(TAB).await;
            assert_eq!(focus(browser).await, "keep-0", "what is asked for may be unticked first");
            while focus(browser).await.starts_with("keep-") {
                browser.press(TAB).await;
            }
            assert_eq!(focus(browser).await, "decision");
            assert_eq!(browser.judge("document.activeElement.value").await, json!("allow"), "Allow comes before Deny");
            browser.press(ENTER).await;
            browser.shows("//title[.='Back']").await;
            let landed = browser.url().await;
            assert!(landed.starts_with(&back) && landed.contains("code="), "the page's policy lets the answer go back: {landed}");
            assert_eq!(browser.console().await, Vec::<String>::new());
        })
        .await;
    });
}

#[test]
fn signing_out_and_being_lost_are_pages_too() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        told(async |browser| {
            browser.open(&format!("{}/signin", world.base_url)).await;
            browser.press(&format!("{}{TAB}{PASSWORD}{ENTER}", person.email)).await;
            browser.shows("//h1[.='Signed in']").await;
            is_understood(browser).await;
            browser.press(&format!("{TAB}{ENTER}")).await;
            browser.shows("//h1[.='Sign in']").await;
            assert_eq!(browser.console().await, Vec::<String>::new());
            browser.open(&format!("{}/oauth2/authorize?client_id=nobody", world.base_url)).await;
            is_understood(browser).await;
            let said = browser.console().await;
            assert!(said.len() == 1 && said[0].contains("status of 4"), "its own status and no more: {said:?}");
        })
        .await;
    });
}

#[test]
fn the_reference_is_searched_and_read_by_keyboard() {
    world::with(async |world| {
        told(async |browser| {
            browser.open(&format!("{}/api/v1/docs", world.base_url)).await;
            is_understood(browser).await;
            // The search field comes after the link to the document.
            browser.press(&format!("{TAB}{TAB}")).await;
            assert_eq!(focus(browser).await, "q");
            browser.press(&format!("furcation{ENTER}")).await;
            browser.shows("//input[@value='furcation']").await;
            let links = browser.judge("[...document.querySelectorAll('main ul a')].map(link => link.innerText)").await;
            assert!(links.as_array().unwrap().iter().any(|link| link.as_str().unwrap().contains("Perio")), "{links}");
            is_understood(browser).await;
            browser.press(&format!("{TAB}{TAB}{TAB}{TAB}")).await;
            let chapter = focus(browser).await;
            browser.press(ENTER).await;
            browser.shows(&format!("//h1[.='{chapter}']")).await;
            is_understood(browser).await;
            assert_eq!(browser.console().await, Vec::<String>::new());
        })
        .await;
    });
}
