//! The development issuer and our relying party, one against the other over real sockets.

use std::path::PathBuf;

use enamel::identity::oidc::Pending;
use enamel::kernel::embedded::issuer::{Client, Issuer, Person};
use enamel::kernel::error::{CREDENTIALS_WRONG, UNAVAILABLE};

use super::browser::{Browser, Page};
use super::{REDIRECT_URI, SECRET, altered, callback, now, provider, relying_party};

const EMAIL: &str = "ana.lopez@bright-north.example";
const PASSWORD: &str = "north <clinic> \"7\"";

fn data_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("issuer-{}", uuid::Uuid::now_v7()))
}

async fn start(dir: &std::path::Path) -> Issuer {
    let ana = Person { sub: "u-ana".into(), email: EMAIL.into(), password: PASSWORD.into(), name: "Ana López".into() };
    let client = |client_id: &str, secret: Option<&str>| Client {
        client_id: client_id.into(),
        client_secret: secret.map(str::to_owned),
        redirect_uris: vec![REDIRECT_URI.into()],
    };
    let clients = vec![client("enamel", Some(SECRET)), client("another", Some("another secret")), client("public", None)];
    Issuer::start(([127, 0, 0, 1], 0).into(), dir, vec![ana], clients).await.unwrap()
}

/// Signs Ana in and stops where the browser would come back to us.
async fn sign_in(pending: &Pending) -> Page {
    let mut browser = Browser::new();
    let page = browser.get(&pending.url).await;
    assert_eq!(page.status, 200, "{}", page.body);
    browser.submit(&page, &[("email", EMAIL), ("password", PASSWORD)]).await
}

#[tokio::test]
async fn a_person_signs_in_and_the_claims_are_theirs() {
    let dir = data_dir();
    let issuer = start(&dir).await;
    let party = relying_party();
    for (client_id, secret) in [("enamel", Some(SECRET)), ("public", None)] {
        let provider = provider(issuer.issuer_url(), client_id, secret);
        let pending = party.begin(&provider, REDIRECT_URI, Some(EMAIL)).await.unwrap();
        let landed = sign_in(&pending).await;
        assert_eq!(landed.status, 303);
        let location = landed.location.unwrap();
        assert!(location.starts_with(REDIRECT_URI) && location.contains("iss=http"), "{location}");
        let claims = party.finish(&provider, &pending, &callback(&location), now()).await.unwrap();
        assert_eq!((claims.issuer.as_str(), claims.subject.as_str()), (issuer.issuer_url(), "u-ana"));
        assert_eq!((claims.email.as_deref(), claims.email_verified), (Some(EMAIL), true));
        assert_eq!(claims.name.as_deref(), Some("Ana López"));
        assert!((now() - claims.auth_time.unwrap()).num_seconds().abs() < 5);
    }
    issuer.stop().await.unwrap();
}

#[tokio::test]
async fn a_pending_sign_in_survives_its_storage_and_prints_no_secret() {
    let issuer = start(&data_dir()).await;
    let party = relying_party();
    let provider = provider(issuer.issuer_url(), "enamel", Some(SECRET));
    let pending = party.begin(&provider, REDIRECT_URI, None).await.unwrap();
    let stored = serde_json::to_string(&pending).unwrap();
    let pending: Pending = serde_json::from_str(&stored).unwrap();
    let printed = format!("{pending:?} {provider:?}");
    for secret in [&pending.state, &pending.nonce, &pending.pkce_verifier, SECRET] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let location = sign_in(&pending).await.location.unwrap();
    assert!(party.finish(&provider, &pending, &callback(&location), now()).await.is_ok());
}

#[tokio::test]
async fn the_page_lists_the_demo_people_and_refuses_a_wrong_password() {
    let issuer = start(&data_dir()).await;
    let party = relying_party();
    let pending = party.begin(&provider(issuer.issuer_url(), "enamel", Some(SECRET)), REDIRECT_URI, None).await.unwrap();
    let mut browser = Browser::new();
    let page = browser.get(&pending.url).await;
    assert!(page.body.contains(EMAIL) && page.body.contains("north &#60;clinic&#62;"));
    assert!(page.policy.as_ref().unwrap().contains("form-action 'self' http://127.0.0.1:9"), "{:?}", page.policy);
    let again = browser.submit(&page, &[("email", EMAIL), ("password", "wrong")]).await;
    assert_eq!((again.status, again.location.as_deref()), (401, None));
    assert!(again.body.contains(r#"role="alert""#));
    let landed = browser.submit(&again, &[("email", EMAIL), ("password", PASSWORD)]).await;
    assert_eq!(landed.status, 303, "and the same page can be used again");
}

#[tokio::test]
async fn whatever_differs_from_what_was_begun_is_refused() {
    let issuer = start(&data_dir()).await;
    let party = relying_party();
    let provider = provider(issuer.issuer_url(), "enamel", Some(SECRET));
    let pending = party.begin(&provider, REDIRECT_URI, None).await.unwrap();
    type Alteration = fn(&mut Pending);
    let cases: [(&str, Alteration); 5] = [
        ("state", |pending| pending.state.push('x')),
        ("nonce", |pending| pending.nonce.push('x')),
        ("verifier", |pending| pending.pkce_verifier = "v".repeat(43)),
        ("client", |pending| pending.client_id = "another".into()),
        ("issuer", |pending| pending.issuer = "http://127.0.0.1:1".into()),
    ];
    for (what, alter) in cases {
        let location = sign_in(&pending).await.location.unwrap();
        let refused = party.finish(&provider, &altered(&pending, alter), &callback(&location), now()).await.unwrap_err();
        assert_eq!((refused.code, refused.detail.as_deref()), (&CREDENTIALS_WRONG, None), "{what}");
    }
    let mut without = callback(&sign_in(&pending).await.location.unwrap());
    without.iss = None;
    let mut foreign = callback(&sign_in(&pending).await.location.unwrap());
    foreign.iss = Some("https://attacker.example".into());
    for answer in [without, foreign] {
        let refused = party.finish(&provider, &pending, &answer, now()).await.unwrap_err();
        assert_eq!(refused.code, &CREDENTIALS_WRONG, "iss");
    }
    let location = sign_in(&pending).await.location.unwrap();
    assert!(party.finish(&provider, &pending, &callback(&location), now()).await.is_ok(), "the control");
}

#[tokio::test]
async fn a_code_is_good_once_and_for_its_own_client() {
    let issuer = start(&data_dir()).await;
    let party = relying_party();
    let ours = provider(issuer.issuer_url(), "enamel", Some(SECRET));
    let pending = party.begin(&ours, REDIRECT_URI, None).await.unwrap();
    let answer = callback(&sign_in(&pending).await.location.unwrap());

    let another = provider(issuer.issuer_url(), "another", Some("another secret"));
    let as_another = altered(&pending, |pending| pending.client_id = "another".into());
    let stolen = party.finish(&another, &as_another, &answer, now()).await.unwrap_err();
    assert_eq!(stolen.code, &CREDENTIALS_WRONG);
    let unknown = provider(issuer.issuer_url(), "enamel", Some("a wrong secret"));
    assert_eq!(party.finish(&unknown, &pending, &answer, now()).await.unwrap_err().code, &CREDENTIALS_WRONG);

    assert!(party.finish(&ours, &pending, &answer, now()).await.is_ok());
    let replayed = party.finish(&ours, &pending, &answer, now()).await.unwrap_err();
    assert_eq!(replayed.code, &CREDENTIALS_WRONG);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let issuer = start(&data_dir()).await;
    let party = relying_party();
    let mut browser = Browser::new();
    for (client_id, redirect_uri) in [("enamel", "http://127.0.0.1:9/callback/x"), ("nobody", REDIRECT_URI)] {
        let provider = provider(issuer.issuer_url(), client_id, Some(SECRET));
        let pending = party.begin(&provider, redirect_uri, None).await.unwrap();
        let page = browser.get(&pending.url).await;
        assert_eq!((page.status, page.location), (400, None));
    }
    let pending = party.begin(&provider(issuer.issuer_url(), "enamel", Some(SECRET)), REDIRECT_URI, None).await.unwrap();
    let plain = pending.url.replace("code_challenge_method=S256", "code_challenge_method=plain");
    let back = browser.get(&plain).await.location.unwrap();
    assert!(back.starts_with(REDIRECT_URI) && back.contains("error=invalid_request"), "{back}");
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_stops_when_told() {
    let dir = data_dir();
    assert!(Issuer::start(([0, 0, 0, 0], 0).into(), &dir, vec![], vec![]).await.is_err());
    let issuer = start(&dir).await;
    let (url, party) = (issuer.issuer_url().to_owned(), relying_party());
    assert!(party.discover(&url).await.is_ok());
    issuer.stop().await.unwrap();
    assert_eq!(relying_party().discover(&url).await.unwrap_err().code, &UNAVAILABLE);
}
