//! What a started world tells: to programs in dev.json, to people on the terminal.

use super::Outcome;
use super::demo::{ALL_HOUSES, ALL_PORTALS, id_of, patient_id};
use super::secrets::Secrets;
use crate::server::start::Server;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use std::path::Path;
use std::time::Duration;

/// Name, type, scopes, grants, redirects.
type ClientRow = (&'static str, &'static str, Vec<&'static str>, Vec<&'static str>, Vec<&'static str>);

pub fn clients_of(_: &str) -> Vec<ClientRow> {
    vec![
        ("integration", "BACKEND", vec!["system/*.cruds"], vec!["client_credentials"], vec![]),
        (
            "app",
            "PUBLIC",
            vec!["openid", "fhirUser", "offline_access", "launch/patient", "patient/*.rs", "user/*.cruds"],
            vec!["authorization_code", "refresh_token"],
            vec!["http://127.0.0.1:8976/callback"],
        ),
    ]
}

pub fn client_id(slug: &str, name: &str) -> String {
    format!("{slug}-{name}")
}

/// Follows from the data directory's own secret, so that dev.json can be written at every start.
pub fn client_secret(secrets: &Secrets, slug: &str, name: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secrets.store.as_bytes())
        .map(|mac| mac.chain_update(format!("client {slug} {name}")).finalize().into_bytes());
    mac.map(|tag| crate::kernel::hex::hex(&tag)).unwrap_or_default()
}

/// dev.json.
pub async fn describe(server: &Server, issuer: &str, secrets: &Secrets) -> Outcome<Json> {
    let base = format!("http://{}", server.address);
    let tenants: Vec<Json> = ALL_HOUSES
        .iter()
        .map(|house| {
            let clients: Vec<Json> = clients_of(house.slug)
                .into_iter()
                .map(|(name, kind, scopes, _, redirects)| {
                    let mut client = json!({"client_id": client_id(house.slug, name), "scope": scopes.join(" ")});
                    if kind == "BACKEND" {
                        client["client_secret"] = json!(client_secret(secrets, house.slug, name));
                    } else {
                        client["redirect_uris"] = json!(redirects);
                    }
                    client
                })
                .collect();
            let users: Vec<Json> = house
                .logins
                .iter()
                .map(|login| json!({"email": login.email, "password": secrets.demo_password, "role": login.role}))
                .collect();
            let patients: Vec<Json> = ALL_PORTALS
                .iter()
                .filter(|(slug, ..)| *slug == house.slug)
                .map(|(slug, nth, login)| json!({"id": patient_id(slug, *nth), "user_email": login.email}))
                .collect();
            let portal: Vec<Json> = ALL_PORTALS
                .iter()
                .filter(|(slug, ..)| *slug == house.slug)
                .map(|(_, _, login)| json!({"email": login.email, "password": secrets.demo_password, "role": login.role}))
                .collect();
            json!({
                "id": id_of(house.slug), "slug": house.slug, "type": house.kind, "parent_id": house.parent.map(id_of),
                "clients": clients, "users": users.into_iter().chain(portal).collect::<Vec<_>>(), "patients": patients,
            })
        })
        .collect();
    Ok(json!({
        "base_url": base, "fhir_url": format!("{base}/fhir/r4"), "api_url": format!("{base}/api/v1"), "dicomweb_url": format!("{base}/dicomweb"),
        "issuer": issuer, "tenants": tenants,
    }))
}

/// What to try next.
pub fn greet(world: &Json, made: bool, took: Duration, mailbox: &Path) {
    let text = |place: &Json| place.as_str().unwrap_or_default().to_owned();
    let (base, api, fhir) = (text(&world["base_url"]), text(&world["api_url"]), text(&world["fhir_url"]));
    let word = if made { "a new demo world" } else { "its world as it was" };
    println!("\nEnamel is up with {word}, after {:.1} s.\n\n  {base}\n", took.as_secs_f32());
    println!("Who can sign in (password for all: {}):", text(&world["tenants"][0]["users"][0]["password"]));
    for tenant in world["tenants"].as_array().into_iter().flatten() {
        for user in tenant["users"].as_array().into_iter().flatten() {
            println!("  {:<16} {:<18} {}", text(&tenant["slug"]), text(&user["role"]), text(&user["email"]));
        }
    }
    let client = &world["tenants"][1]["clients"][0];
    println!("\nTry next:\n");
    println!(
        "  TOKEN=$(curl -s -u '{}:{}' -d grant_type=client_credentials {base}/oauth2/token | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')",
        text(&client["client_id"]),
        text(&client["client_secret"])
    );
    println!("  curl -s -H \"Authorization: Bearer $TOKEN\" '{api}/patients?limit=3'");
    println!("  curl -s -H \"Authorization: Bearer $TOKEN\" '{fhir}/Patient?family=Lindqvist&_pretty=true'\n");
    println!("Letters (invitations, new passwords) are not sent: each is a file in {}.", mailbox.display());
    println!("The same for programs is in dev.json of the data directory. Ctrl-C stops everything.");
}
