//! A rule about signing in holds for those who are signed in, and a domain is a tenant's for as long as its record stands.

use super::oauth::{app, authorize, part, redeem, through};
use super::second_factor::enrolled;
use super::tokens::{ends, status};
use crate::world;
use crate::world::people::{PASSWORD, text};
use crate::world::tenants::Clinic;
use enamel::identity::domain_checks::{self, MISSES_MAX};
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn set(clinic: &Clinic, admin: &str, change: Json) {
    let row = "insert into enamel.tenant_settings (tenant_id, id) values ($1, gen_random_uuid()) on conflict (tenant_id) do nothing";
    clinic.world.truth().await.execute(row, &[&clinic.id]).await.unwrap();
    let (_, page) = clinic.world.get(Some(admin), "/tenant-settings").await;
    let held = &page["items"][0];
    let path = format!("/tenant-settings/{}", text(held, "id"));
    let (status, told) = clinic.world.patch(admin, &path, held["version"].as_i64().unwrap(), change).await;
    assert_eq!(status, 200, "{told}");
}

#[test]
fn a_clinic_that_asks_for_a_second_factor_ends_what_was_opened_without_one() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (admin, person, neighbour) =
            (clinic.employee("TENANT_ADMIN").await, clinic.employee("CLINICIAN").await, other.employee("CLINICIAN").await);
        let (weak, elsewhere) = (world.sign_in(&person, None).await, text(&world.sign_in(&neighbour, None).await, "access_token"));
        let program = clinic.client_token("system/Patient.rs").await;
        let patient = clinic.patient("Weber").await.unwrap().id;
        let (_, portal) = world.patient_token(&[(clinic.id, patient)]).await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let url = authorize(world, &client, &[("scope", "user/Patient.rs offline_access")]);
        let mut browser = super::browser::Browser::new();
        let code = part(&through(&mut browser, &person, &url, &[("decision", "allow")]).await, "code");
        let held = redeem(world, &client, &code, &[]).await.1;
        let waiting = part(&through(&mut browser, &person, &url, &[("decision", "allow")]).await, "code");

        let first = text(&world.sign_in(&admin, None).await, "access_token");
        let (_, _, recovery) = enrolled(world, &first).await;
        let body = json!({"email": admin.email, "password": PASSWORD, "code": recovery[0]});
        let (_, strong) = world.post(None, "/sessions/sign-in", body).await;
        let strong = text(&strong, "access_token");
        set(&clinic, &strong, json!({"default_language": "de"})).await;
        assert_eq!(status(world, &text(&weak, "access_token"), "/patients").await, 200, "another setting ends nothing");
        set(&clinic, &strong, json!({"require_mfa": true})).await;
        for token in [text(&weak, "access_token"), text(&held, "access_token")] {
            ends(world, &token, "/patients").await;
        }
        let again = json!({"refresh_token": text(&weak, "refresh_token")});
        assert_eq!(world.post(None, "/sessions/refresh", again).await.0, 401);
        let form = [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", &text(&held, "refresh_token"))];
        assert_eq!(world.exchange(None, &form).await.0, 400);
        assert_eq!(redeem(world, &client, &waiting, &[]).await.0, 400, "a code is a session about to begin");
        assert_eq!(status(world, &strong, "/patients").await, 200, "who has shown two factors goes on");
        assert_eq!(status(world, &program, "/patients").await, 200, "a program has no second factor");
        assert_eq!(status(world, &portal, "/patients").await, 200, "patients are not asked");
        assert_eq!(status(world, &elsewhere, "/patients").await, 200, "another clinic's rule is its own");
    });
}

#[test]
fn a_clinic_that_enforces_its_provider_ends_what_came_another_way() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (admin, person) = (clinic.token("TENANT_ADMIN").await, clinic.employee("CLINICIAN").await);
        let domain = format!("{}.example", clinic.id.simple());
        let address = format!("ana@{domain}");
        let moved = "update enamel.users set email = $2 where id = $1";
        world.truth().await.execute(moved, &[&person.id, &address]).await.unwrap();
        let person = crate::world::people::Person { email: address, ..person };
        let (inside, by_provider) =
            (text(&world.sign_in(&person, None).await, "access_token"), text(&world.sign_in(&person, None).await, "access_token"));
        let session = world.get(Some(&by_provider), "/me").await.1["session_id"].as_str().unwrap().parse::<Uuid>().unwrap();
        world.truth().await.execute("update enamel.sessions set auth_method = 'OIDC' where id = $1", &[&session]).await.unwrap();
        let provider =
            json!({"name": "Sign-in", "kind": "OIDC", "issuer": "https://id.example", "client_id": "x", "allowed_domains": [domain]});
        let (status_of, made) = world.post(Some(&admin), "/identity-providers", provider).await;
        assert_eq!(status_of, 201, "{made}");
        assert_eq!(status(world, &inside, "/patients").await, 200, "it is offered, not enforced");
        let path = format!("/identity-providers/{}", text(&made, "id"));
        let (changed, told) = world.patch(&admin, &path, made["version"].as_i64().unwrap(), json!({"is_enforced": true})).await;
        assert_eq!(changed, 200, "{told}");
        ends(world, &inside, "/patients").await;
        assert_eq!(status(world, &by_provider, "/patients").await, 200, "who came through the provider stays");
        assert_eq!(status(world, &admin, "/patients").await, 200, "and whoever has another domain");
    });
}

/// A provider with a proven domain, and where its record stands.
async fn proven(clinic: &Clinic, admin: &str) -> (Uuid, String, String) {
    let domain = format!("{}.example", clinic.id.simple());
    let provider =
        json!({"name": "Sign-in", "kind": "OIDC", "issuer": "https://id.example", "client_id": "x", "allowed_domains": [domain]});
    let (status, made) = clinic.world.post(Some(admin), "/identity-providers", provider).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/identity-providers/{}/prove-domain", text(&made, "id"));
    let (_, asked) = clinic.world.post(Some(admin), &path, json!({"domain": domain})).await;
    let (name, value) = (text(&asked, "record_name"), text(&asked, "record_value"));
    clinic.world.publish(&name, &value);
    assert_eq!(clinic.world.post(Some(admin), &path, json!({"domain": domain})).await.1["proven"], true);
    (text(&made, "id").parse().unwrap(), name, value)
}

#[test]
fn a_domain_whose_record_is_gone_is_nobodys_any_more() {
    world::with(async |world| {
        let (clinic, steady) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (admin, other) = (clinic.token("TENANT_ADMIN").await, steady.token("TENANT_ADMIN").await);
        let (provider, name, value) = proven(&clinic, &admin).await;
        let (kept, ..) = proven(&steady, &other).await;
        let truth = world.truth().await;
        let standing = async |token: &str, provider: Uuid| {
            let (_, row) = world.get(Some(token), &format!("/identity-providers/{provider}")).await;
            row["proven_domains"].as_array().unwrap().len()
        };
        let look = async || {
            let due = "update enamel.domain_checks set checked_at = now() - interval '7 hours' where tenant_id in ($1, $2)";
            truth.execute(due, &[&clinic.id, &steady.id]).await.unwrap();
            domain_checks::carry_on(&world.kernel).await.unwrap();
        };
        let misses = async || {
            let row = truth.query_opt("select misses from enamel.domain_checks where tenant_id = $1", &[&clinic.id]).await.unwrap();
            row.map(|row| row.get::<_, i32>(0))
        };
        let told = async |token: &str| {
            let (_, page) = world.get(Some(token), "/notifications").await;
            let notices = page["items"].as_array().unwrap().iter().filter(|notice| notice["resource_type"] == "IdentityProvider");
            notices.map(|notice| text(notice, "title")).collect::<Vec<_>>()
        };
        look().await;
        assert_eq!((misses().await, told(&admin).await.len()), (Some(0), 0));
        world.withdraw(&name);
        for nth in 1..MISSES_MAX {
            look().await;
            assert_eq!(misses().await, Some(nth));
            domain_checks::carry_on(&world.kernel).await.unwrap();
            assert_eq!(misses().await, Some(nth), "not before its time");
        }
        assert_eq!(standing(&admin, provider).await, 1);
        world.publish(&name, &value);
        look().await;
        assert_eq!(misses().await, Some(0), "it came back in time");
        world.withdraw(&name);
        for _ in 0..MISSES_MAX {
            look().await;
        }
        assert_eq!((standing(&admin, provider).await, misses().await), (0, None));
        let mut titles = told(&admin).await;
        titles.sort();
        assert_eq!(titles, ["A domain is no longer proven", "A domain's record is missing", "A domain's record is missing"]);
        assert_eq!((standing(&other, kept).await, told(&other).await.len()), (1, 0), "what stands, stands");
        let audited = "select count(*) from enamel.audit_events where tenant_id = $1 and metadata ->> 'operation' = 'withdraw-domain' and resource_id = $2";
        assert_eq!(truth.query_one(audited, &[&clinic.id, &provider]).await.unwrap().get::<_, i64>(0), 1);
        let mut browser = super::browser::Browser::new();
        let page = browser.get(&format!("{}/signin", world.base_url)).await;
        let found = browser.submit(&page, &[("email", &format!("ana@{}.example", clinic.id.simple())), ("sso", "1")]).await;
        assert_eq!(found.status, 404, "nobody is led to its provider by the domain");
    });
}
