//! Applications of vendors in the tenants that have admitted them: one public id, and each tenant its own.

use super::backend::Key;
use super::browser::{Browser, Page};
use super::oauth::{authorize, part, redeem, through};
use super::smart::entered;
use super::tokens::{ends, status};
use super::vendors::{App, Vendor};
use crate::world::people::{Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const ALLOW: &[(&str, &str)] = &[("decision", "allow")];

/// A clinic that has admitted the application, with a patient and somebody who works there.
struct Place {
    clinic: Clinic,
    person: Person,
    patient: String,
    /// What the application is there.
    record: String,
}

async fn place(world: &'static World, app: &App, scopes: &[&str]) -> Place {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let (person, patient) = (clinic.employee("CLINICIAN").await, clinic.patient("Shared").await.unwrap().id);
    let record = app.admitted(&clinic, scopes).await;
    Place { clinic, person, patient: format!("/patients/{patient}"), record }
}

#[test]
fn an_application_is_used_where_it_is_admitted() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let app = vendor.registers(json!({})).await;
        let here = place(world, &app, &["user/Patient.rs", "offline_access"]).await;
        let there = place(world, &app, &["user/*.cruds"]).await;
        let scope = [("scope", "user/*.cruds user/Patient.rs offline_access")];
        let mine = entered(world, &here.person, &app.client, &scope, ALLOW).await;
        let theirs = entered(world, &there.person, &app.client, &scope, ALLOW).await;
        assert_eq!((&mine["tenant"], &theirs["tenant"]), (&json!(here.clinic.id), &json!(there.clinic.id)), "{mine} {theirs}");
        assert_eq!(mine["scope"], "user/Patient.rs offline_access", "no further than admitted");
        assert_eq!(theirs["scope"], "user/*.cruds user/Patient.rs");
        let (own, other) = (text(&mine, "access_token"), text(&theirs, "access_token"));
        for (token, at, elsewhere) in [(&own, &here, &there), (&other, &there, &here)] {
            assert_eq!((status(world, token, &at.patient).await, status(world, token, &elsewhere.patient).await), (200, 404));
        }

        // Where nobody has admitted it, it is as unknown as one that is not there.
        let nowhere = world.tenant("SOLO_PRACTICE", None).await;
        let person = nowhere.employee("CLINICIAN").await;
        let mut browser = Browser::new();
        let refused = through(&mut browser, &person, &authorize(world, &app.client, &[]), ALLOW).await;
        let unknown = through(&mut browser, &person, &authorize(world, "nobody", &[]), ALLOW).await;
        let told = |page: &Page| page.body.split("<code>").next().unwrap_or_default().to_owned();
        assert_eq!((refused.status, unknown.status), (400, 400));
        assert_eq!(told(&refused), told(&unknown));
        let named = authorize(world, &app.client, &[("audience", &nowhere.id.to_string())]);
        assert_eq!(Browser::new().get(&named).await.status, 400, "nor is anybody asked to sign in for it");
        let named = authorize(world, &app.client, &[("audience", &here.clinic.id.to_string())]);
        let landed = through(&mut Browser::new(), &here.person, &named, ALLOW).await;
        assert_eq!(redeem(world, &app.client, &part(&landed, "code"), &[]).await.0, 200);
        assert_eq!(redeem(world, &app.client, "en_ac_nonsense", &[]).await.1["error"], "invalid_grant");

        // It ends in one clinic and goes on in the other.
        let admin = here.clinic.token("TENANT_ADMIN").await;
        let stranger = there.clinic.token("TENANT_ADMIN").await;
        let path = format!("/api-clients/{}", here.record);
        assert_eq!(world.post(Some(&stranger), &format!("{path}/disable"), json!({})).await.0, 404);
        let refresh = async || {
            let form =
                [("grant_type", "refresh_token"), ("client_id", &app.client), ("refresh_token", mine["refresh_token"].as_str().unwrap())];
            world.exchange(None, &form).await.0
        };
        assert_eq!(world.post(Some(&admin), &format!("{path}/disable"), json!({})).await.0, 200);
        ends(world, &own, &here.patient).await;
        assert_eq!((refresh().await, status(world, &other, &there.patient).await), (401, 200));
        assert_eq!(Browser::new().get(&named).await.status, 400);
        assert_eq!(world.post(Some(&admin), &format!("{path}/enable"), json!({})).await.0, 200);
        assert_eq!(refresh().await, 400, "what has ended stays ended");
        let again = entered(world, &here.person, &app.client, &scope, ALLOW).await;
        let own = text(&again, "access_token");
        assert_eq!(status(world, &own, &here.patient).await, 200);

        // The platform ends it everywhere.
        vendor.moves("suspend").await;
        ends(world, &own, &here.patient).await;
        ends(world, &other, &there.patient).await;
        assert_eq!(Browser::new().get(&authorize(world, &app.client, &[])).await.status, 400);
        vendor.moves("reinstate").await;
        assert_eq!(status(world, &other, &there.patient).await, 401);
        entered(world, &there.person, &app.client, &scope, ALLOW).await;
    });
}

#[test]
fn a_clinic_says_how_far_an_application_goes_and_its_vendor_all_else() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let app = vendor
            .registers(json!({"scope": "user/Patient.rs user/Condition.rs", "token_endpoint_auth_method": "client_secret_basic"}))
            .await;
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (admin, clinician) = (clinic.token("TENANT_ADMIN").await, clinic.token("CLINICIAN").await);
        let ask = async |token: &str, scopes: Json| app.asks_admission(token, json!({"scopes": scopes})).await.0;
        assert_eq!(ask(&clinician, json!(["user/Patient.rs"])).await, 403);
        assert_eq!(world.get(Some(&clinician), "/vendor-apps").await.0, 403);
        for wrong in [json!([]), json!(["user/Patient.cruds"]), json!(["user/*.rs"]), json!(["system/Patient.rs"]), json!(["nothing"])] {
            assert_eq!(ask(&admin, wrong.clone()).await, 422, "{wrong}");
        }
        let (_, listed) = world.get(Some(&admin), &format!("/vendor-apps?client_id={}", app.client)).await;
        assert!(listed["items"][0]["id"] == json!(app.id) && !listed.to_string().contains("hash"), "{listed}");
        let record = app.admitted(&clinic, &["user/Patient.rs"]).await;
        assert_eq!(ask(&admin, json!(["user/Patient.rs"])).await, 409, "once");
        assert_eq!(
            world.post(Some(&admin), &format!("/vendor-apps/{}/admit", Uuid::now_v7()), json!({"scopes": ["user/Patient.rs"]})).await.0,
            404
        );

        let path = format!("/api-clients/{record}");
        let (_, shown) = world.get(Some(&admin), &path).await;
        assert!(shown["vendor_app_id"] == json!(app.id) && shown["redirect_uris"] == json!([]), "{shown}");
        let key = json!({"jwks": {"keys": [Key::ec().public("one")]}});
        assert_eq!(world.post(Some(&admin), &format!("{path}/set-keys"), key).await.0, 409);
        assert_eq!(world.post(Some(&admin), &format!("{path}/rotate-secret"), json!({})).await.0, 409);
        let version = shown["version"].as_i64().unwrap();
        for wrong in [
            json!({"redirect_uris": ["https://own.example/"]}),
            json!({"launch_uri": "https://own.example/"}),
            json!({"jwks_uri": "https://own.example/"}),
        ] {
            assert_eq!(world.patch(&admin, &path, version, wrong.clone()).await.0, 422, "{wrong}");
        }
        assert_eq!(world.patch(&admin, &path, version, json!({"name": "Ours", "rate_limit_per_minute": 100})).await.0, 200);
        let set = async |scopes: Json| world.post(Some(&admin), &format!("{path}/set-scopes"), json!({"scopes": scopes})).await.0;
        assert_eq!((set(json!(["user/Patient.cruds"])).await, set(json!(["user/Condition.rs"])).await), (422, 200));

        // The vendor registers it for less: what was admitted goes no further.
        let person = clinic.employee("CLINICIAN").await;
        let url = authorize(world, &app.client, &[("scope", "user/Condition.rs")]);
        assert!(part(&through(&mut Browser::new(), &person, &url, ALLOW).await, "code").starts_with("en_ac_"));
        let less = json!({"scope": "user/Patient.rs", "token_endpoint_auth_method": "client_secret_basic"});
        assert_eq!(vendor.states(less).await.0, 201);
        assert_eq!(part(&through(&mut Browser::new(), &person, &url, ALLOW).await, "error"), "invalid_scope");

        let suspended = world.post(Some(&vendor.token), &format!("/vendor-apps/{}/suspend", app.id), json!({"reason": "It leaks."})).await;
        assert_eq!(suspended.0, 200, "{suspended:?}");
        let late = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(ask(&late.token("TENANT_ADMIN").await, json!(["user/Patient.rs"])).await, 409);
        let audited =
            "select count(*) from enamel.audit_events where tenant_id = $1 and resource_id = $2 and event_type = 'RECORD_CREATED'";
        let id: Uuid = record.parse().unwrap();
        let rows: i64 = world.truth().await.query_one(audited, &[&clinic.id, &id]).await.unwrap().get(0);
        assert_eq!(rows, 1, "the clinic's log has the admission");
    });
}

/// An application that acts by itself, by its key.
struct Program {
    app: App,
    key: Key,
}

impl Program {
    fn assertion(&self) -> String {
        let now = chrono::Utc::now().timestamp();
        let claims = json!({"iss": self.app.client, "sub": self.app.client, "aud": format!("{}/oauth2/token", self.app.world.base_url),
            "exp": now + 120, "iat": now, "jti": Uuid::now_v7()});
        self.key.sign(&json!({"alg": self.key.algorithm(), "typ": "JWT", "kid": "own"}), &claims)
    }

    async fn posts(&self, path: &str, assertion: &str, form: &[(&str, &str)]) -> (u16, Json) {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let mut whole = vec![("client_assertion_type", kind), ("client_assertion", assertion)];
        whole.extend_from_slice(form);
        let world = self.app.world;
        let answer = world.http.post(format!("{}/oauth2/{path}", world.base_url)).form(&whole).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn asks(&self, assertion: &str, audience: Option<String>) -> (u16, Json) {
        let mut form = vec![("grant_type", "client_credentials"), ("scope", "system/Patient.rs")];
        form.extend(audience.as_deref().map(|audience| ("audience", audience)));
        self.posts("token", assertion, &form).await
    }
}

#[test]
fn an_application_that_acts_by_itself_names_the_tenant() {
    world::with(async |world| {
        let (vendor, key) = (Vendor::approved(world).await, Key::rsa());
        let changes = json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": "system/*.rs",
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.public("own")]}});
        let program = Program { app: vendor.registers(changes.clone()).await, key };
        let (here, there) = (place(world, &program.app, &["system/*.rs"]).await, place(world, &program.app, &["system/Location.rs"]).await);
        let (answered, made) = program.asks(&program.assertion(), Some(here.clinic.id.to_string())).await;
        assert_eq!((answered, &made["tenant"]), (200, &json!(here.clinic.id)), "{made}");
        let token = text(&made, "access_token");
        assert_eq!((status(world, &token, &here.patient).await, status(world, &token, &there.patient).await), (200, 404));
        let refused = async |audience: Option<String>| {
            let (answered, told) = program.asks(&program.assertion(), audience).await;
            (answered, told["error"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(refused(Some(there.clinic.id.to_string())).await, (400, "invalid_scope".into()), "less was admitted there");
        assert_eq!(refused(None).await, (400, "invalid_target".into()));
        let unknown = refused(Some(world.tenant("SOLO_PRACTICE", None).await.id.to_string())).await;
        assert_eq!(unknown, (401, "invalid_client".into()), "as a client that nobody knows");
        assert_eq!(refused(Some(Uuid::now_v7().to_string())).await, unknown);

        // One proof, one tenant.
        let proof = program.assertion();
        assert_eq!(program.asks(&proof, Some(here.clinic.id.to_string())).await.0, 200);
        assert_eq!(program.asks(&proof, Some(there.clinic.id.to_string())).await.0, 401);

        // The token says where it was given.
        let (_, told) = program.posts("introspect", &program.assertion(), &[("token", &token)]).await;
        assert_eq!(
            (&told["active"], &told["client_id"], &told["tenant_id"]),
            (&json!(true), &json!(program.app.client), &json!(here.clinic.id))
        );
        let (answered, told) = program.posts("introspect", &program.assertion(), &[("token", "nonsense")]).await;
        assert_eq!((answered, &told["active"]), (200, &json!(false)), "{told}");
        assert_eq!(program.posts("revoke", &program.assertion(), &[("token", "nonsense")]).await.0, 200);
        assert_eq!(program.posts("revoke", &program.assertion(), &[("token", &token)]).await.0, 200);
        ends(world, &token, &here.patient).await;

        // By other keys: what the old ones had ends.
        let (_, made) = program.asks(&program.assertion(), Some(here.clinic.id.to_string())).await;
        let token = text(&made, "access_token");
        let mut renewed = changes;
        renewed["jwks"] = json!({"keys": [Key::rsa().public("own")]});
        assert_eq!(vendor.states(renewed).await.0, 201);
        ends(world, &token, &here.patient).await;
        assert_eq!(refused(Some(here.clinic.id.to_string())).await, unknown);
    });
}

#[test]
fn a_launch_and_a_pushed_request_say_the_tenant() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let at = "https://app.vendor.example/launch";
        let app = vendor.registers(json!({"token_endpoint_auth_method": "client_secret_basic", "initiate_login_uri": at})).await;
        let here = place(world, &app, &["launch", "patient/*.rs", "user/Patient.rs"]).await;
        let own = text(&world.sign_in(&here.person, None).await, "access_token");
        let body = json!({"client_id": app.client, "patient_id": here.patient.rsplit_once('/').unwrap().1});
        let (answered, made) = world.post(Some(&own), "/smart-launches", body.clone()).await;
        assert!(answered == 200 && text(&made, "launch_url").starts_with(at), "{made}");
        let nowhere = world.tenant("SOLO_PRACTICE", None).await.token("CLINICIAN").await;
        assert_eq!(world.post(Some(&nowhere), "/smart-launches", json!({"client_id": app.client})).await.0, 422);
        let base = format!("{}/fhir/r4", world.base_url);
        let launch = text(&made, "launch");
        let changes = [("launch", launch.as_str()), ("aud", &base), ("scope", "launch patient/*.rs")];
        let landed = through(&mut Browser::new(), &here.person, &authorize(world, &app.client, &changes), ALLOW).await;
        let secret = app.secret.as_deref().unwrap();
        let (answered, made) = redeem(world, &app.client, &part(&landed, "code"), &[("client_secret", secret)]).await;
        assert_eq!((answered, &made["tenant"], &made["patient"]), (200, &json!(here.clinic.id), &body["patient_id"]), "{made}");

        let push = async |audience: Option<String>| {
            let url = authorize(world, &app.client, &[("client_secret", secret), ("scope", "user/Patient.rs")]);
            let mut form: Vec<(String, String)> = reqwest::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
            form.extend(audience.map(|audience| ("audience".to_owned(), audience)));
            let answer = world.http.post(format!("{}/oauth2/par", world.base_url)).form(&form).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Json>().await.unwrap())
        };
        assert_eq!(push(None).await.1["error"], "invalid_target");
        let (answered, pushed) = push(Some(here.clinic.id.to_string())).await;
        assert_eq!(answered, 201, "{pushed}");
        let query =
            serde_urlencoded::to_string([("client_id", app.client.as_str()), ("request_uri", &text(&pushed, "request_uri"))]).unwrap();
        let landed = through(&mut Browser::new(), &here.person, &format!("{}/oauth2/authorize?{query}", world.base_url), ALLOW).await;
        assert_eq!(redeem(world, &app.client, &part(&landed, "code"), &[("client_secret", secret)]).await.0, 200);

        vendor.moves("suspend").await;
        assert_eq!(world.post(Some(&own), "/smart-launches", body).await.0, 422);
    });
}
