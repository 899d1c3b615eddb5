//! Sign-in at a clinic's own provider, through our server from its page to its session.

use super::browser::{Browser, Page};
use super::certified_provider;
use super::hostile::Hostile;
use crate::world::people::Person;
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::kernel::embedded::issuer::{Client, Issuer, Person as Known};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const SECRET: &str = "a client secret of more than 32 characters";
const PASSWORD: &str = "northern light 7";

fn callback(world: &World) -> String {
    format!("{}/signin/callback", world.base_url)
}

async fn issuer(world: &World, people: &[(&str, &str)]) -> Issuer {
    let people = people.iter().map(|(sub, email)| Known {
        sub: (*sub).into(),
        email: (*email).into(),
        password: PASSWORD.into(),
        name: "Ana López".into(),
    });
    let client = Client { client_id: "enamel".into(), client_secret: Some(SECRET.into()), redirect_uris: vec![callback(world)] };
    Issuer::start(([127, 0, 0, 1], 0).into(), &world::scratch("issuer"), people.collect(), vec![client]).await.unwrap()
}

/// Registers the provider as the clinic's administrator.
pub async fn register(clinic: &Clinic, issuer: &str, client_id: &str, secret: &str, more: Json) -> String {
    let admin = clinic.token("TENANT_ADMIN").await;
    let mut body = json!({"name": "Clinic sign-in", "kind": "OIDC", "issuer": issuer, "client_id": client_id, "client_secret": secret});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (code, made) = clinic.world.post(Some(&admin), "/identity-providers", body).await;
    assert_eq!(code, 201, "{made}");
    assert!(made.get("client_secret").is_none());
    made["id"].as_str().unwrap().to_owned()
}

/// The clinic proves the domain to be its own.
async fn prove(clinic: &Clinic, provider: &str, domain: &str) -> (u16, Json) {
    let (admin, path) = (clinic.token("TENANT_ADMIN").await, format!("/identity-providers/{provider}/prove-domain"));
    let (status, asked) = clinic.world.post(Some(&admin), &path, json!({"domain": domain})).await;
    assert_eq!((status, &asked["proven"]), (200, &json!(false)), "{asked}");
    clinic.world.publish(asked["record_name"].as_str().unwrap(), asked["record_value"].as_str().unwrap());
    clinic.world.post(Some(&admin), &path, json!({"domain": domain})).await
}

pub async fn link(world: &World, person: &Person, issuer: &str, subject: &str) {
    world
        .truth()
        .await
        .execute(
            "insert into enamel.user_auth_identities (id, user_id, kind, issuer, subject) values ($1, $2, 'OIDC', $3, $4)",
            &[&Uuid::now_v7(), &person.id, &issuer, &subject],
        )
        .await
        .unwrap();
}

/// From our page to the provider and back; what the browser sees in the end.
async fn sign_in(world: &World, browser: &mut Browser, clinic: &Clinic, email: &str) -> Page {
    let page = browser.get(&format!("{}/signin?tenant={}", world.base_url, clinic.id)).await;
    let link =
        page.body.split("href=\"/signin/oidc/").nth(1).unwrap_or_else(|| panic!("no button: {}", page.body)).split('"').next().unwrap();
    let begin = format!("{}/signin/oidc/{}", world.base_url, link.replace("&#38;", "&").replace("&amp;", "&"));
    let page = browser.get(&begin).await;
    let page = browser.follow(page, "nowhere").await;
    let page = browser.submit(&page, &[("email", email), ("password", PASSWORD)]).await;
    browser.follow(page, "nowhere").await
}

#[test]
fn a_person_of_the_clinic_signs_in_at_its_provider_and_stays_until_they_leave() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let issuer = issuer(world, &[("u-ana", "ana@other-address.example"), ("u-eve", &person.email)]).await;
        register(&clinic, issuer.issuer_url(), "enamel", SECRET, json!({})).await;
        link(world, &person, issuer.issuer_url(), "u-ana").await;

        let mut browser = Browser::new();
        let page = sign_in(world, &mut browser, &clinic, "ana@other-address.example").await;
        assert!(page.status == 200 && page.body.contains("Signed in"), "{} {}", page.status, page.body);
        let row = world
            .truth()
            .await
            .query_one(
                "select auth_method, active_tenant_id from enamel.sessions where user_id = $1 order by created_at desc limit 1",
                &[&person.id],
            )
            .await
            .unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, Uuid>(1)), ("OIDC", clinic.id));
        let left = browser.submit(&page, &[]).await;
        assert_eq!(left.status, 303);
        let page = browser.get(&format!("{}/signin", world.base_url)).await;
        assert!(page.body.contains("password"), "signed out");

        // The same e-mail under another subject is somebody else.
        let page = sign_in(world, &mut Browser::new(), &clinic, &person.email).await;
        assert_eq!(page.status, 401, "{}", page.body);
    });
}

#[test]
fn a_provider_opens_its_own_clinic_only_and_newcomers_come_by_domain() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let domain = format!("{}.example", clinic.id.simple());
        let (ana, eve) = (format!("ana@{domain}"), "eve@elsewhere.example".to_owned());
        let issuer = issuer(world, &[("u-ana", &ana), ("u-eve", &eve)]).await;
        let id = register(
            &clinic,
            issuer.issuer_url(),
            "enamel",
            SECRET,
            json!({"allowed_domains": [domain], "role_mapping": {"default": "staff"}}),
        )
        .await;
        let administrators = json!({"allowed_domains": [domain], "role_mapping": {"default": "TENANT_ADMIN"}});
        let theirs = register(&other, issuer.issuer_url(), "enamel", SECRET, administrators).await;
        assert_eq!(sign_in(world, &mut Browser::new(), &clinic, &ana).await.status, 401, "nobody has proved the domain");
        let (status, proven) = prove(&other, &theirs, &domain).await;
        assert_eq!((status, &proven["proven"]), (200, &json!(true)), "{proven}");
        assert_eq!(sign_in(world, &mut Browser::new(), &other, &ana).await.status, 401, "a provider makes no administrators");
        let (status, taken) = prove(&clinic, &id, &domain).await;
        assert_eq!((status, &taken["code"]), (409, &json!("conflict")), "another clinic's domain: {taken}");
        let given_up = "update enamel.identity_providers set proven_domains = '{}' where id = $1::text::uuid";
        world.truth().await.execute(given_up, &[&theirs]).await.unwrap();
        assert_eq!(prove_again(&clinic, &id, &domain).await, (200, json!(true)));

        assert_eq!(sign_in(world, &mut Browser::new(), &clinic, &eve).await.status, 401, "not of the domain");
        let page = sign_in(world, &mut Browser::new(), &clinic, &ana).await;
        assert!(page.body.contains("Signed in"), "{}", page.body);
        let roles = world.truth().await.query(
            "select o.code, g.tenant_id from enamel.user_roles g join enamel.roles o on o.id = g.role_id join enamel.users u on u.id = g.user_id where u.email = $1", &[&ana],
        ).await.unwrap();
        assert_eq!(
            roles.iter().map(|row| (row.get::<_, String>(0), row.get::<_, Uuid>(1))).collect::<Vec<_>>(),
            [("CLINIC_STAFF".to_owned(), clinic.id)]
        );
        assert_eq!(sign_in(world, &mut Browser::new(), &other, &ana).await.status, 401, "not a member there");
        let page = sign_in(world, &mut Browser::new(), &clinic, &ana).await;
        assert!(page.body.contains("Signed in"), "and again, as the same person");
    });
}

async fn prove_again(clinic: &Clinic, provider: &str, domain: &str) -> (u16, Json) {
    let (admin, path) = (clinic.token("TENANT_ADMIN").await, format!("/identity-providers/{provider}/prove-domain"));
    let (status, told) = clinic.world.post(Some(&admin), &path, json!({"domain": domain})).await;
    (status, told["proven"].clone())
}

#[test]
fn a_domain_is_proved_by_its_record_alone_and_leads_its_people_home() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let domain = format!("{}.example", clinic.id.simple());
        let id = register(&clinic, "https://id.example", "enamel", SECRET, json!({"allowed_domains": [domain]})).await;
        let (admin, path) = (clinic.token("TENANT_ADMIN").await, format!("/identity-providers/{id}/prove-domain"));
        for odd in ["", "localhost", "a b.example", "_enamel.clinic.example"] {
            assert_eq!(world.post(Some(&admin), &path, json!({"domain": odd})).await.0, 422, "{odd}");
        }
        let (_, made) = world.get(Some(&admin), &format!("/identity-providers/{id}")).await;
        let by_hand = world
            .patch(&admin, &format!("/identity-providers/{id}"), made["version"].as_i64().unwrap_or(1), json!({"proven_domains": [domain]}))
            .await;
        assert_eq!(by_hand.0, 422, "{}", by_hand.1);
        let stranger = other.token("TENANT_ADMIN").await;
        for id in [id.clone(), Uuid::now_v7().to_string()] {
            let path = format!("/identity-providers/{id}/prove-domain");
            assert_eq!(world.post(Some(&stranger), &path, json!({"domain": domain})).await.0, 404);
        }
        assert_eq!(world.post(Some(&clinic.token("CLINICIAN").await), &path, json!({"domain": domain})).await.0, 403);
        // Another tenant's words at the same name prove nothing.
        let theirs = register(&other, "https://id.example", "enamel", SECRET, json!({"allowed_domains": [domain]})).await;
        let (_, words) =
            world.post(Some(&stranger), &format!("/identity-providers/{theirs}/prove-domain"), json!({"domain": domain})).await;
        world.publish(&format!("_enamel.{domain}"), words["record_value"].as_str().unwrap());
        assert_eq!(prove_again(&clinic, &id, &domain).await, (200, json!(false)));

        let find = async |tenant: &str, email: &str| {
            let mut browser = Browser::new();
            let page = browser.get(&format!("{}/signin{tenant}", world.base_url)).await;
            browser.submit(&page, &[("email", email), ("sso", "1")]).await
        };
        assert_eq!(find("", &format!("ana@{domain}")).await.status, 404, "not proved yet");
        assert_eq!(prove(&clinic, &id, &domain).await.1["proven"], json!(true));
        let home = find("", &format!("nobody-knows-whom@{}", domain.to_uppercase())).await;
        assert_eq!(home.location, Some(format!("/signin/oidc/{id}?return_to=&tenant={}", clinic.id)), "{}", home.body);
        assert_eq!(find(&format!("?tenant={}", other.id), &format!("ana@{domain}")).await.status, 404, "not out of another clinic's page");
        assert_eq!(find("", "ana@elsewhere.example").await.status, 404);
    });
}

#[test]
fn roles_follow_what_the_provider_says_at_each_sign_in() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let hostile = Hostile::start(SECRET).await;
        let domain = format!("{}.example", clinic.id.simple());
        let rules = json!([{"claim": "groups", "value": "dentists", "role": "CLINICIAN"}, {"claim": "groups", "value": "owners", "role": "TENANT_ADMIN"}]);
        let mapping = json!({"allowed_domains": [domain], "role_mapping": {"default": "CLINIC_STAFF", "rules": rules}});
        let id = register(&clinic, &hostile.url, "enamel", SECRET, mapping).await;
        prove(&clinic, &id, &domain).await;
        let enter = async |groups: Json| {
            let mut browser = Browser::new();
            let begun = browser.get(&format!("{}/signin/oidc/{id}?tenant={}", world.base_url, clinic.id)).await;
            let sent = reqwest::Url::parse(&begun.location.unwrap()).unwrap();
            let part = |name: &str| sent.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
            let claims = json!({"sub": "s-9", "email": format!("eve@{domain}"), "email_verified": true, "groups": groups});
            hostile.claim("enamel", &part("nonce"), claims);
            browser.get(&format!("{}/signin/callback?code=c&state={}", world.base_url, part("state"))).await.status
        };
        let roles = async || {
            let held =
                "select o.code from enamel.user_roles g join enamel.roles o on o.id = g.role_id join enamel.users u on u.id = g.user_id
                         where u.email = $1 and (g.valid_until is null or g.valid_until > now()) order by o.code";
            let rows = world.truth().await.query(held, &[&format!("eve@{domain}")]).await.unwrap();
            rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
        };
        assert_eq!(enter(json!(["owners"])).await, 401, "no provider makes an administrator");
        assert_eq!((enter(json!(["dentists"])).await, roles().await), (303, vec!["CLINICIAN".to_owned()]));
        let own = "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id)
                   select $1, gen_random_uuid(), u.id, o.tenant_id, o.id from enamel.users u, enamel.roles o
                    where u.email = $2 and o.code = 'DATA_SCIENTIST' and o.tenant_id = $3";
        let truth = world.truth().await;
        truth.execute(own, &[&clinic.id, &format!("eve@{domain}"), &enamel::kernel::context::PLATFORM_TENANT]).await.unwrap();
        let both = vec!["CLINIC_STAFF".to_owned(), "DATA_SCIENTIST".to_owned()];
        assert_eq!((enter(json!(["others"])).await, roles().await), (303, both), "what the clinic gave itself stays");
    });
}

#[test]
fn an_answer_belongs_to_the_browser_that_asked_and_counts_once() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let issuer = issuer(world, &[("u-ana", "ana@clinic.example")]).await;
        let id = register(&clinic, issuer.issuer_url(), "enamel", SECRET, json!({})).await;
        link(world, &person, issuer.issuer_url(), "u-ana").await;
        let begin = format!("{}/signin/oidc/{id}?tenant={}", world.base_url, clinic.id);
        let answer = async |browser: &mut Browser| {
            let page = browser.get(&begin).await;
            let page = browser.follow(page, "nowhere").await;
            let page = browser.submit(&page, &[("email", "ana@clinic.example"), ("password", PASSWORD)]).await;
            page.location.unwrap()
        };
        let (mut victim, mut attacker) = (Browser::new(), Browser::new());
        let injected = answer(&mut attacker).await;
        assert_eq!(victim.get(&injected).await.status, 401, "another browser's answer");
        let own = answer(&mut victim).await;
        assert_eq!(victim.get(&own).await.status, 303);
        assert_eq!(victim.get(&own).await.status, 401, "a second time");
        let unknown = format!("{}/signin/oidc/{}?tenant={}", world.base_url, Uuid::now_v7(), clinic.id);
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let foreign = format!("{}/signin/oidc/{id}?tenant={}", world.base_url, other.id);
        assert_eq!((victim.get(&unknown).await.status, victim.get(&foreign).await.status), (404, 404));
    });
}

#[test]
fn a_certified_provider_signs_people_in_through_our_server() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let peer = certified_provider::start(&callback(world)).await;
        let id = register(&clinic, &peer.issuer, "signs-es256", super::SECRET, json!({})).await;
        link(world, &person, &peer.issuer, "bob").await;
        let mut browser = Browser::new();
        let mut page = browser.get(&format!("{}/signin/oidc/{id}?tenant={}", world.base_url, clinic.id)).await;
        for fields in [&[("prompt", "login"), ("login", "bob"), ("password", "x")][..], &[("prompt", "consent")][..]] {
            page = browser.follow(page, "nowhere").await;
            page = browser.submit(&page, fields).await;
        }
        let page = browser.follow(page, "nowhere").await;
        assert!(page.body.contains("Signed in"), "{} {}", page.status, page.body);
    });
}

#[test]
fn an_administrator_tests_a_provider_before_people_depend_on_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let issuer = issuer(world, &[]).await;
        let there = register(&clinic, issuer.issuer_url(), "enamel", SECRET, json!({})).await;
        let away = register(&clinic, "http://127.0.0.1:9/nobody", "enamel", SECRET, json!({})).await;
        let saml = register(&clinic, "https://saml.example", "enamel", SECRET, json!({"kind": "SAML"})).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let test = async |token: &str, id: &str| world.post(Some(token), &format!("/identity-providers/{id}/test"), json!({})).await;
        let (status, found) = test(&admin, &there).await;
        assert_eq!((status, &found["reachable"]), (200, &json!(true)), "{found}");
        assert!(
            found["authorization_endpoint"].as_str().unwrap().starts_with(issuer.issuer_url()) && found["keys"].as_i64().unwrap() > 0,
            "{found}"
        );
        let (status, found) = test(&admin, &away).await;
        assert_eq!((status, &found["reachable"], &found["keys"]), (200, &json!(false), &Json::Null), "{found}");
        assert_eq!(test(&admin, &saml).await.1["code"], "not_supported");
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        for id in [there.clone(), Uuid::now_v7().to_string()] {
            assert_eq!(test(&stranger, &id).await.0, 404);
        }
        assert_eq!(test(&clinic.token("CLINICIAN").await, &there).await.0, 403);
    });
}
