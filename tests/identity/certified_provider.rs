//! Our relying party against an independent provider with an OpenID certificate: npm `oidc-provider`.

use std::process::Stdio;

use enamel::identity::oidc::Pending;
use enamel::kernel::error::CREDENTIALS_WRONG;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::world::packages;

use super::browser::Browser;
use super::{REDIRECT_URI, SECRET, altered, callback, now, provider, relying_party};

/// The peer's process. Ends with this value, and by itself when our end of its stdin closes.
pub struct Peer {
    pub issuer: String,
    _process: Child,
    /// It writes notices later on, and would die of a closed pipe.
    _output: Lines<BufReader<ChildStdout>>,
}

pub async fn start(redirect_uri: &str) -> Peer {
    let dir = packages::npm("peers/oidc-provider", &["package.json", "server.mjs"]).await;
    let mut process = Command::new("node")
        .args(["server.mjs", redirect_uri, SECRET])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the provider starts");
        if let Some(issuer) = line.strip_prefix("ready ") {
            return Peer { issuer: issuer.to_owned(), _process: process, _output: lines };
        }
    }
}

/// Signs `login` in and consents; the address that would bring the browser back to us.
async fn sign_in(pending: &Pending, login: &str) -> String {
    let mut browser = Browser::new();
    let mut page = browser.get(&pending.url).await;
    for fields in [&[("prompt", "login"), ("login", login), ("password", "x")][..], &[("prompt", "consent")][..]] {
        page = browser.follow(page, REDIRECT_URI).await;
        if page.location.is_some() {
            break;
        }
        page = browser.submit(&page, fields).await;
    }
    let landed = browser.follow(page, REDIRECT_URI).await;
    landed.location.unwrap_or_else(|| panic!("{} {}", landed.status, landed.body))
}

#[tokio::test]
async fn a_certified_provider_signs_people_in_with_rs256_and_es256() {
    let peer = start(REDIRECT_URI).await;
    let party = relying_party();
    for (client_id, login, email, verified, name) in [
        ("signs-rs256", "alice", "alice@bright-north.example", true, "Alice Ngata"),
        ("signs-es256", "bob", "bob@oak-street.example", false, "Bob Stone"),
    ] {
        let provider = provider(&peer.issuer, client_id, Some(SECRET));
        let pending = party.begin(&provider, REDIRECT_URI, Some(email)).await.unwrap();
        let answer = callback(&sign_in(&pending, login).await);
        assert_eq!(answer.iss.as_deref(), Some(peer.issuer.as_str()));
        let claims = party.finish(&provider, &pending, &answer, now()).await.unwrap();
        assert_eq!((claims.issuer.as_str(), claims.subject.as_str()), (peer.issuer.as_str(), login));
        // This provider gives them at userinfo only.
        assert_eq!((claims.email.as_deref(), claims.email_verified), (Some(email), verified));
        assert_eq!(claims.name.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn a_certified_providers_answer_is_refused_when_it_is_not_the_one_we_asked_for() {
    let peer = start(REDIRECT_URI).await;
    let party = relying_party();
    let ours = provider(&peer.issuer, "signs-rs256", Some(SECRET));
    let pending = party.begin(&ours, REDIRECT_URI, None).await.unwrap();
    for (what, pending) in [
        ("nonce", altered(&pending, |pending| pending.nonce.push('x'))),
        ("verifier", altered(&pending, |pending| pending.pkce_verifier = "v".repeat(43))),
        ("state", altered(&pending, |pending| pending.state.push('x'))),
    ] {
        let answer = callback(&sign_in(&pending, "alice").await);
        let refused = party.finish(&ours, &pending, &answer, now()).await.unwrap_err();
        assert_eq!(refused.code, &CREDENTIALS_WRONG, "{what}");
    }
    let answer = callback(&sign_in(&pending, "alice").await);
    let stranger = provider(&peer.issuer, "signs-rs256", Some("some other secret that is not the client's"));
    assert_eq!(party.finish(&stranger, &pending, &answer, now()).await.unwrap_err().code, &CREDENTIALS_WRONG);
    assert!(party.finish(&ours, &pending, &answer, now()).await.is_ok(), "the control");
    let late = now() + chrono::TimeDelta::hours(2);
    let answer = callback(&sign_in(&pending, "alice").await);
    assert_eq!(party.finish(&ours, &pending, &answer, late).await.unwrap_err().code, &CREDENTIALS_WRONG, "expired");
    let answer = callback(&sign_in(&pending, "alice").await);
    assert!(party.finish(&ours, &pending, &answer, now()).await.is_ok());
    assert_eq!(party.finish(&ours, &pending, &answer, now()).await.unwrap_err().code, &CREDENTIALS_WRONG, "replayed");
}
