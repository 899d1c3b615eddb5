//! Acting in a clinic of one's group: a token is exchanged for one that reaches where its person, or the program, has a role, and
//! nowhere else (RFC 8693).

use super::backend::Key;
use super::browser::Browser;
use super::oauth::{REDIRECT, VERIFIER, app, authorize, part, redeem, through};
use super::openid::proof;
use super::tokens::{ends, status};
use super::vendors::Vendor;
use crate::world::people::{Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The shared role (`policies/seed.sql`).
const CLINIC_STAFF: &str = "00000000-0000-7000-8002-000000000004";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A program of that name with its secret.
type Client = (String, String);

async fn exchanges(world: &World, client: &Client, token: &str, changes: &[(&str, &str)]) -> (u16, Json) {
    let mut form = vec![("grant_type", GRANT), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    world.exchange(Some((&client.0, &client.1)), &form).await
}

async fn acts(world: &World, client: &Client, token: &str, clinic: Uuid) -> Json {
    let (code, made) = exchanges(world, client, token, &[("audience", &clinic.to_string())]).await;
    assert_eq!(code, 200, "{made}");
    assert_eq!((&made["issued_token_type"], &made["tenant"]), (&json!(ACCESS_TOKEN), &json!(clinic)), "{made}");
    assert!(made["refresh_token"].is_null() && made["id_token"].is_null(), "{made}");
    made
}

async fn introspect(world: &World, client: &Client, token: &str) -> Json {
    let request = world.http.post(format!("{}/oauth2/introspect", world.base_url)).basic_auth(&client.0, Some(&client.1));
    request.form(&[("token", token)]).send().await.unwrap().json().await.unwrap()
}

/// A group with its application, two clinics of it, a stranger's clinic, and somebody with a role in the group and in one clinic.
struct Group {
    group: Clinic,
    clinic: Clinic,
    sibling: Clinic,
    foreign: Clinic,
    person: Person,
    app: Client,
}

async fn group(world: &'static World) -> Group {
    let group = world.tenant("DSO", None).await;
    let clinic = world.tenant("GROUP_PRACTICE", Some(group.id)).await;
    let sibling = world.tenant("GROUP_PRACTICE", Some(group.id)).await;
    let foreign = world.tenant("SOLO_PRACTICE", None).await;
    let person = group.employee("CLINICIAN").await;
    clinic.give_membership(&person, "CLINICIAN").await;
    // Who works elsewhere too does not act there for this group.
    foreign.give_membership(&person, "CLINICIAN").await;
    let (id, secret) = app(&group, "CONFIDENTIAL").await;
    Group { group, clinic, sibling, foreign, person, app: (id, secret.unwrap()) }
}

async fn enters(world: &World, held: &Group, scope: &str) -> Json {
    let url = authorize(world, &held.app.0, &[("scope", scope)]);
    let landed = through(&mut Browser::new(), &held.person, &url, &[("decision", "allow")]).await;
    let (code, made) = redeem(world, &held.app.0, &part(&landed, "code"), &[("client_secret", &held.app.1)]).await;
    assert_eq!(code, 200, "{made}");
    made
}

#[test]
fn a_person_of_the_group_acts_where_they_have_a_role() {
    world::with(async |world| {
        let held = group(world).await;
        let Group { group, clinic, sibling, foreign, app: client, .. } = &held;
        let (ours, theirs) = (clinic.patient("Weber").await.unwrap().id, group.patient("Elsewhere").await.unwrap().id);
        let made = enters(world, &held, "openid user/Patient.rs user/Location.rs online_access").await;
        let token = text(&made, "access_token");
        assert_eq!(status(world, &token, &format!("/patients/{theirs}")).await, 200);

        let acting = acts(world, client, &token, clinic.id).await;
        assert_eq!(acting["scope"], json!("user/Patient.rs user/Location.rs"), "what is about signing in stays with the sign-in");
        assert!(acting["expires_in"].as_i64() <= made["expires_in"].as_i64());
        let acting = text(&acting, "access_token");
        assert_eq!(status(world, &acting, &format!("/patients/{ours}")).await, 200);
        assert_eq!(status(world, &acting, &format!("/patients/{theirs}")).await, 404, "it is in the clinic and nowhere else");
        assert_eq!(status(world, &acting, "/appointments").await, 403, "and as narrow as it was");
        let slug: String =
            world.truth().await.query_one("select slug from enamel.tenants where id = $1", &[&clinic.id]).await.unwrap().get(0);
        let (code, narrow) = exchanges(world, client, &token, &[("audience", &slug), ("scope", "user/Patient.rs")]).await;
        assert_eq!((code, &narrow["scope"]), (200, &json!("user/Patient.rs")), "{narrow}");
        let narrow = text(&narrow, "access_token");
        assert_eq!((status(world, &narrow, "/patients").await, status(world, &narrow, "/locations").await), (200, 403));
        for wider in ["user/Patient.cruds", "user/*.rs", "openid", "patient/Patient.rs"] {
            let (code, refused) = exchanges(world, client, &token, &[("audience", &slug), ("scope", wider)]).await;
            assert_eq!((code, &refused["error"]), (400, &json!("invalid_scope")), "{wider}");
        }

        // Where nobody can act there is nothing.
        let random = exchanges(world, client, &token, &[("audience", &Uuid::now_v7().to_string())]).await;
        assert_eq!((random.0, &random.1["error"]), (400, &json!("invalid_target")), "{}", random.1);
        for nowhere in [sibling.id.to_string(), foreign.id.to_string(), group.id.to_string(), "nonsense".to_owned()] {
            assert_eq!(exchanges(world, client, &token, &[("audience", &nowhere)]).await, random, "{nowhere}");
        }

        // Whose token it is, and who asks.
        let (another, secret) = app(group, "CONFIDENTIAL").await;
        let another = (another, secret.unwrap());
        let audience = ("audience", slug.as_str());
        for (what, client, token) in [("another's token", &another, &token), ("an exchanged token", client, &acting)] {
            let (code, refused) = exchanges(world, client, token, &[audience]).await;
            assert_eq!((code, &refused["error"]), (400, &json!("invalid_request")), "{what}");
        }
        for change in [
            ("subject_token", "en_at_nonsense"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            ("actor_token", "en_at_nonsense"),
            ("audience", ""),
        ] {
            let (code, refused) = exchanges(world, client, &token, &[audience, change]).await;
            assert_eq!((code, &refused["error"]), (400, &json!("invalid_request")), "{change:?}");
        }
        assert_eq!(exchanges(world, &(client.0.clone(), "en_cs_wrong".into()), &token, &[audience]).await.0, 401);
        let (public, _) = app(group, "PUBLIC").await;
        let form =
            [("grant_type", GRANT), ("client_id", &public), ("subject_token", &token), ("subject_token_type", ACCESS_TOKEN), audience];
        assert_eq!(world.exchange(None, &form).await.1["error"], "unauthorized_client");

        // Who acts for whom is told to those it concerns.
        let told = introspect(world, client, &acting).await;
        let service = "select service_user_id from enamel.api_clients where client_id = $1";
        let service: Uuid = world.truth().await.query_one(service, &[&client.0]).await.unwrap().get(0);
        let act = json!({"sub": service, "client_id": client.0, "tenant_id": group.id});
        assert_eq!((&told["active"], &told["sub"], &told["act"]), (&json!(true), &json!(held.person.id), &act), "{told}");
        assert_eq!((&told["tenant_id"], &told["client_id"]), (&json!(clinic.id), &json!(client.0)), "{told}");
        assert!(introspect(world, client, &token).await["act"].is_null());
        assert_eq!(introspect(world, &clinic.client("system/Patient.rs").await, &acting).await["act"], act);
        assert_eq!(introspect(world, &foreign.client("system/Patient.rs").await, &acting).await, json!({"active": false}));
        let logged = "select tenant_id, outcome from enamel.audit_events where event_type = 'TOKEN_EXCHANGED' and user_id = $1";
        let logged = world.truth().await.query(logged, &[&held.person.id]).await.unwrap();
        assert!(logged.iter().all(|row| row.get::<_, Uuid>(0) == group.id));
        let outcome = |word: &str| logged.iter().filter(|row| row.get::<_, String>(1) == word).count();
        assert_eq!((outcome("SUCCESS"), outcome("DENIED")), (2, 5));
        let entered = "select count(*) from enamel.audit_events where event_type = 'LOGIN_SUCCESS' and user_id = $1 and tenant_id = $2";
        let entered: i64 = world.truth().await.query_one(entered, &[&held.person.id, &clinic.id]).await.unwrap().get(0);
        assert_eq!(entered, 2, "the clinic knows that somebody came");

        // It ends with what it came from.
        let revoke = world.http.post(format!("{}/oauth2/revoke", world.base_url)).basic_auth(&client.0, Some(&client.1));
        assert_eq!(revoke.form(&[("token", &token)]).send().await.unwrap().status(), 200);
        for token in [&token, &acting, &narrow] {
            ends(world, token, "/patients").await;
        }
        assert_eq!(exchanges(world, client, &token, &[audience]).await.1["error"], "invalid_request");
    });
}

#[test]
fn what_ends_the_reach_ends_the_token() {
    world::with(async |world| {
        let held = group(world).await;
        let Group { clinic, app: client, person, .. } = &held;
        let token = text(&enters(world, &held, "user/Patient.rs offline_access").await, "access_token");
        let truth = world.truth().await;
        let acting = async || text(&acts(world, client, &token, clinic.id).await, "access_token");
        let (there, clinics) = (acting().await, clinic.token("TENANT_ADMIN").await);
        assert_eq!(status(world, &there, "/patients").await, 200);
        // The clinic takes the role away, then the membership; the group its clinic out, or the application.
        let set = |valid: &str| format!("update enamel.user_roles set valid_until = {valid} where tenant_id = $1 and user_id = $2");
        truth.execute(&set("now()"), &[&clinic.id, &person.id]).await.unwrap();
        let nowhere = exchanges(world, client, &token, &[("audience", &clinic.id.to_string())]).await;
        assert_eq!(nowhere.1["error"], "invalid_target");
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(status(world, &there, "/patients").await, 403);
        truth.execute(&set("null"), &[&clinic.id, &person.id]).await.unwrap();
        let there = acting().await;
        let (_, members) = world.get(Some(&clinics), &format!("/user-tenants?user_id={}", person.id)).await;
        let remove = format!("/user-tenants/{}/remove", text(&members["items"][0], "id"));
        assert_eq!(world.post(Some(&clinics), &remove, json!({})).await.0, 200);
        ends(world, &there, "/patients").await;
        clinic_again(world, &held).await;
        let there = acting().await;
        truth.execute("update enamel.tenants set parent_tenant_id = null where id = $1", &[&clinic.id]).await.unwrap();
        ends(world, &there, "/patients").await;
        assert_eq!(exchanges(world, client, &token, &[("audience", &clinic.id.to_string())]).await, nowhere);
        assert_eq!(status(world, &token, "/patients").await, 200, "what it came from stays");
    });
}

async fn clinic_again(world: &World, held: &Group) {
    let truth = world.truth().await;
    let again = "update enamel.user_tenants set status = 'ACTIVE', left_at = null where tenant_id = $1 and user_id = $2";
    let role = "update enamel.user_roles set valid_until = null where tenant_id = $1 and user_id = $2";
    truth.batch_execute("set session_replication_role = replica").await.unwrap();
    for again in [again, role] {
        truth.execute(again, &[&held.clinic.id, &held.person.id]).await.unwrap();
    }
}

#[test]
fn a_token_with_a_key_is_exchanged_with_that_key() {
    world::with(async |world| {
        let held = group(world).await;
        let (mine, other) = (Key::ec(), Key::ec());
        let url = format!("{}/oauth2/token", world.base_url);
        let shown = |key: &Key| proof(key, &[("htm", json!("POST")), ("htu", json!(url))]);
        let asks = async |form: &[(&str, &str)], key: Option<&Key>| {
            let mut request = world.http.post(&url).basic_auth(&held.app.0, Some(&held.app.1)).form(form);
            if let Some(key) = key {
                request = request.header("dpop", shown(key));
            }
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Json>().await.unwrap())
        };
        let url = authorize(world, &held.app.0, &[("scope", "user/Patient.rs")]);
        let landed = through(&mut Browser::new(), &held.person, &url, &[("decision", "allow")]).await;
        let code = part(&landed, "code");
        let redeem = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
        let (status, made) = asks(&redeem, Some(&mine)).await;
        assert_eq!((status, &made["token_type"]), (200, &json!("DPoP")), "{made}");
        let (token, clinic) = (text(&made, "access_token"), held.clinic.id.to_string());
        let form = [("grant_type", GRANT), ("subject_token", &token), ("subject_token_type", ACCESS_TOKEN), ("audience", &clinic)];
        for (what, key) in [("stolen", None), ("with another key", Some(&other))] {
            assert_eq!(asks(&form, key).await.1["error"], "invalid_request", "{what}");
        }
        let (status, acting) = asks(&form, Some(&mine)).await;
        assert_eq!((status, &acting["token_type"]), (200, &json!("DPoP")), "{acting}");
        assert_eq!(super::tokens::status(world, &text(&acting, "access_token"), "/patients").await, 401, "nothing without it");
    });
}

#[test]
fn a_program_of_the_group_acts_where_a_clinic_lets_it() {
    world::with(async |world| {
        let held = group(world).await;
        let Group { group, clinic, sibling, foreign, .. } = &held;
        let patient = clinic.patient("Weber").await.unwrap().id;
        let client = group.client("system/*.cruds").await;
        let (_, made) = world.exchange(Some((&client.0, &client.1)), &[("grant_type", "client_credentials")]).await;
        let token = text(&made, "access_token");
        let refused = exchanges(world, &client, &token, &[("audience", &clinic.id.to_string())]).await;
        assert_eq!((refused.0, &refused.1["error"]), (400, &json!("invalid_target")), "nobody has let it in");
        let service = "select service_user_id from enamel.api_clients where client_id = $1";
        let service: Uuid = world.truth().await.query_one(service, &[&client.0]).await.unwrap().get(0);
        let lets_in = async |clinic: &Clinic, id: &str| {
            let admin = clinic.token("TENANT_ADMIN").await;
            world.post(Some(&admin), "/user-tenants/admit-program", json!({"client_id": id})).await
        };
        for (who, id) in
            [(foreign, client.0.as_str()), (group, &client.0), (clinic, "nobody"), (clinic, &foreign.client("system/*.rs").await.0)]
        {
            let (code, told) = lets_in(who, id).await;
            assert_eq!((code, &told["code"]), (422, &json!("reference.unknown")), "a stranger's program is nobody: {told}");
        }
        let desk = clinic.token("CLINIC_STAFF").await;
        assert_eq!(world.post(Some(&desk), "/user-tenants/admit-program", json!({"client_id": client.0})).await.0, 403);
        let (code, member) = lets_in(clinic, &client.0).await;
        assert_eq!((code, &member["user_id"]), (201, &json!(service)), "{member}");
        assert_eq!(exchanges(world, &client, &token, &[("audience", &clinic.id.to_string())]).await, refused, "a member without a role");
        let role = json!({"user_id": service, "role_id": CLINIC_STAFF});
        assert_eq!(world.post(Some(&clinic.token("TENANT_ADMIN").await), "/user-roles", role).await.0, 201);
        let acting = acts(world, &client, &token, clinic.id).await;
        assert!(acting["expires_in"].as_i64() <= made["expires_in"].as_i64());
        let acting = text(&acting, "access_token");
        assert_eq!(status(world, &acting, &format!("/patients/{patient}")).await, 200);
        assert_eq!(status(world, &acting, "/api-clients").await, 403, "the role it has there decides");
        assert_eq!(status(world, &token, "/api-clients").await, 200, "not what it may do at home");
        let at_sibling = exchanges(world, &client, &token, &[("audience", &sibling.id.to_string())]).await;
        assert_eq!(at_sibling, refused);
    });
}

#[test]
fn a_vendors_application_acts_for_the_group_that_has_admitted_it() {
    world::with(async |world| {
        let held = group(world).await;
        let Group { group, clinic, foreign, .. } = &held;
        let patient = clinic.patient("Weber").await.unwrap().id;
        let app = Vendor::approved(world)
            .await
            .registers(json!({"grant_types": ["client_credentials"], "redirect_uris": null,
            "scope": "system/*.rs", "token_endpoint_auth_method": "client_secret_basic"}))
            .await;
        app.admitted(group, &["system/*.rs"]).await;
        let client = (app.client.clone(), app.secret.clone().unwrap());
        let form = [("grant_type", "client_credentials"), ("audience", &group.id.to_string())];
        let (status_of, made) = world.exchange(Some((&client.0, &client.1)), &form).await;
        assert_eq!(status_of, 200, "{made}");
        let lets_in = async |clinic: &Clinic| {
            let admin = clinic.token("TENANT_ADMIN").await;
            world.post(Some(&admin), "/user-tenants/admit-program", json!({"client_id": client.0})).await
        };
        assert_eq!(lets_in(foreign).await.0, 422, "its own group has not admitted it");
        let (code, member) = lets_in(clinic).await;
        assert_eq!(code, 201, "{member}");
        let role = json!({"user_id": member["user_id"], "role_id": CLINIC_STAFF});
        assert_eq!(world.post(Some(&clinic.token("TENANT_ADMIN").await), "/user-roles", role).await.0, 201);
        let acting = text(&acts(world, &client, &text(&made, "access_token"), clinic.id).await, "access_token");
        assert_eq!(status(world, &acting, &format!("/patients/{patient}")).await, 200);
    });
}
