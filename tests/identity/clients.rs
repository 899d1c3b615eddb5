//! Clients of OAuth and OpenID nobody here wrote, through whole flows: a program by its key, and a person who lets an
//! application in for one patient. The browser between is ours.

use super::backend::{Key, Program};
use super::browser::Browser;
use super::oauth::through;
use super::vendors::Vendor;
use crate::world::people::{Person, text};
use crate::world::{self, World, packages};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use uuid::Uuid;

/// Without a query of its own: one of the two would leave it out of the second request.
pub const REDIRECT: &str = "http://127.0.0.1:8976/callback";

/// A program by its key and an application of a clinic, as that client tells of them.
async fn told(world: &'static World, dir: &Path, program: &[&str], key: Key) {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let (person, patient) = (clinic.employee("CLINICIAN").await, clinic.patient("Weber").await.unwrap().id);
    let admin = clinic.token("TENANT_ADMIN").await;
    let keys = json!({"keys": [key.public("one")]});
    let scopes = ["openid", "fhirUser", "profile", "offline_access", "launch/patient", "patient/*.rs"];
    let app = json!({"name": "Chart <app>", "client_type": "CONFIDENTIAL", "scopes": scopes, "redirect_uris": [REDIRECT], "jwks": keys});
    let (status, app) = world.post(Some(&admin), "/api-clients", app).await;
    assert_eq!(status, 201, "{app}");
    let pem = key.pkcs8();
    let backend = Program::register(&clinic, key, json!({"jwks": keys})).await;
    let known = [("BACKEND", backend.id.clone()), ("APP", text(&app, "client_id")), ("KEY", pem), ("EXPECTED", patient.to_string())];
    let told = story(world, dir, program, &known, &person, patient).await;
    assert_eq!(
        told,
        json!({"backend": 200, "narrow": 403, "person": "Test Person", "patient": patient, "seen": 200,
            "active": [true, true, true], "dead": false, "refused": "invalid_grant"}),
    );
}

/// A program's story: in the middle it names where to send the browser, where that person lets it in for the patient, and is told
/// where they landed; at its end it tells what it saw.
pub async fn story(world: &'static World, dir: &Path, program: &[&str], known: &[(&str, String)], person: &Person, patient: Uuid) -> Json {
    let mut story = Command::new(program[0])
        .args(&program[1..])
        .current_dir(dir)
        .env("ENAMEL_URL", &world.base_url)
        .env("REDIRECT", REDIRECT)
        .envs(known.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(story.stdout.take().unwrap()).lines();
    let mut errors = story.stderr.take().unwrap();
    let Some(address) = lines.next_line().await.unwrap() else {
        let mut why = String::new();
        errors.read_to_string(&mut why).await.unwrap();
        panic!("{why}");
    };
    let decision = [("decision", "find"), ("q", "weber")];
    let mut browser = Browser::new();
    let page = through(&mut browser, person, &address, &decision).await;
    let landed = browser.submit(&page, &[("decision", "allow"), ("patient", &patient.to_string())]).await;
    let landed = landed.location.unwrap_or_else(|| panic!("{}", page.body));
    let mut input = story.stdin.take().unwrap();
    input.write_all(format!("{landed}\n").as_bytes()).await.unwrap();
    drop(input);
    let last = lines.next_line().await.unwrap();
    let mut why = String::new();
    errors.read_to_string(&mut why).await.unwrap();
    serde_json::from_str(&last.unwrap_or_else(|| panic!("{why}"))).unwrap()
}

#[test]
fn openid_client_walks_the_whole_way() {
    world::with(async |world| {
        let dir = packages::npm("identity/openid-client", &["package.json", "story.mjs"]).await;
        told(world, &dir, &["node", "story.mjs"], Key::ec()).await;
    });
}

#[test]
fn authlib_walks_the_whole_way() {
    world::with(async |world| {
        let dir = packages::pip("identity/authlib", &["story.py"]).await;
        told(world, &dir, &["venv/bin/python", "story.py"], Key::rsa()).await;
    });
}

#[test]
fn openid_client_registers_itself_by_a_statement() {
    world::with(async |world| {
        let dir = packages::npm("identity/openid-client", &["package.json", "register.mjs"]).await;
        let run = async |known: &[(&str, &str)]| -> Json {
            let mut node = Command::new("node");
            node.arg("register.mjs").current_dir(&dir).env("ENAMEL_URL", &world.base_url).envs(known.iter().copied());
            let out = node.output().await.unwrap();
            serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
        };
        let (vendor, key) = (Vendor::approved(world).await, Key::ec());
        let claims = vendor.claims(&json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": "system/Patient.rs",
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.public("own")]}}));
        let made = run(&[("STATEMENT", &vendor.sign(&claims))]).await;
        assert_eq!(made["software_id"], "charts", "{made}");
        let (client, clinic) = (text(&made, "client_id"), world.tenant("SOLO_PRACTICE", None).await);
        vendor.app(client.clone()).await.admitted(&clinic, &["system/Patient.rs"]).await;
        let told = run(&[("CLIENT", &client), ("TENANT", &clinic.id.to_string()), ("KEY", &key.pkcs8())]).await;
        assert_eq!(told, json!({"tenant": clinic.id, "seen": 200}));
    });
}
