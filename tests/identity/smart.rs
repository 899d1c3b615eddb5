//! SMART App Launch from outside: launches, patients, scopes that are dropped and scopes that are narrowed.

use super::browser::Browser;
use super::oauth::{app, authorize, part, redeem, through};
use super::tokens::ends;
use crate::world::people::{Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use poem::http::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Ends with a token for an app, by the pages.
pub async fn entered(world: &World, person: &Person, client: &str, changes: &[(&str, &str)], decision: &[(&str, &str)]) -> Json {
    let landed = through(&mut Browser::new(), person, &authorize(world, client, changes), decision).await;
    let (status, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
    assert_eq!(status, 200, "{made}");
    made
}

async fn ask(world: &'static World, token: &str, path: &str) -> (u16, Json) {
    world.ask(token, Method::GET, path, None).await
}

/// A clinic with two patients, one diagnosis each, and somebody who treats them.
struct Practice {
    clinic: Clinic,
    person: Person,
    client: String,
    ours: Uuid,
    other: Uuid,
    conditions: [String; 2],
}

pub fn condition(patient: Uuid, code: &str, category: &str) -> Json {
    json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{patient}")},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": category}]}],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]}})
}

async fn practice(world: &'static World) -> Practice {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let person = clinic.employee("CLINICIAN").await;
    let (ours, other) = (clinic.patient("Launched").await.unwrap().id, clinic.patient("Left").await.unwrap().id);
    let made = async |patient| text(&clinic.fhir().made(condition(patient, "80967001", "problem-list-item")).await, "id");
    let conditions = [made(ours).await, made(other).await];
    let (client, _) = app(&clinic, "PUBLIC").await;
    Practice { clinic, person, client, ours, other, conditions }
}

impl Practice {
    /// A token of an application sees the one patient over both contracts and nobody else.
    async fn sees_only_ours(&self, world: &'static World, token: &str) {
        let Practice { ours, other, conditions, .. } = self;
        for (path, wanted) in [
            (format!("/fhir/r4/Patient/{ours}"), 200),
            (format!("/fhir/r4/Patient/{other}"), 404),
            (format!("/fhir/r4/Condition/{}", conditions[0]), 200),
            (format!("/fhir/r4/Condition/{}", conditions[1]), 404),
            (format!("/api/v1/patients/{ours}"), 200),
            (format!("/api/v1/patients/{other}"), 404),
        ] {
            let (status, told) = ask(world, token, &path).await;
            assert_eq!(status, wanted, "{path}: {told}");
        }
        for path in ["Patient", "Condition", &format!("Condition?patient={other}"), "Appointment", "Observation", "DocumentReference"] {
            let (status, told) = ask(world, token, &format!("/fhir/r4/{path}")).await;
            assert_eq!(status, 200, "{path}: {told}");
            let text = told.to_string();
            assert!(!text.contains(&format!("\"{other}")) && !text.contains(&format!("/{other}\"}}")), "{path}: {told}");
            assert!(told["entry"].as_array().into_iter().flatten().all(|entry| {
                let subject = &entry["resource"]["subject"]["reference"];
                subject.is_null() || *subject == json!(format!("Patient/{ours}"))
            }));
        }
        let (_, told) = ask(world, token, "/api/v1/patients").await;
        let ids: Vec<&Json> = told["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        assert_eq!(ids, [&json!(ours)]);
        let (_, told) = ask(world, token, "/fhir/r4/Condition").await;
        assert_eq!(told["entry"].as_array().unwrap().len(), 1, "{told}");
    }
}

#[test]
fn an_app_is_launched_for_the_patient_somebody_looks_at() {
    world::with(async |world| {
        let practice = practice(world).await;
        let Practice { clinic, person, client, ours, other, .. } = &practice;
        let own = text(&world.sign_in(person, None).await, "access_token");
        let launch = async |token: &str, body: Json| world.post(Some(token), "/smart-launches", body).await;
        let (answered, made) = launch(&own, json!({"client_id": client, "patient_id": ours})).await;
        assert_eq!(answered, 200, "{made}");
        let handle = text(&made, "launch");
        let base = format!("{}/fhir/r4", world.base_url);
        let url = |handle: &str, scope: &str| authorize(world, client, &[("launch", handle), ("aud", &base), ("scope", scope)]);
        let scope = "launch patient/*.rs openid fhirUser";

        // Somebody else's launch, and one that nobody made.
        let colleague = clinic.employee("CLINICIAN").await;
        let stolen = through(&mut Browser::new(), &colleague, &url(&handle, scope), &[("decision", "allow")]).await;
        assert_eq!(part(&stolen, "error"), "invalid_request");
        let mut browser = Browser::new();
        let nobody = through(&mut browser, person, &url("en_la_nonsense", scope), &[("decision", "allow")]).await;
        assert_eq!(part(&nobody, "error"), "invalid_request");
        let (another, _) = app(clinic, "PUBLIC").await;
        let elsewhere = authorize(world, &another, &[("launch", &handle), ("aud", &base), ("scope", scope)]);
        assert_eq!(part(&through(&mut browser, person, &elsewhere, &[("decision", "allow")]).await, "error"), "invalid_request");

        let landed = through(&mut browser, person, &url(&handle, scope), &[("decision", "allow"), ("patient", &other.to_string())]).await;
        let (answered, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
        assert_eq!((answered, &made["patient"]), (200, &json!(ours)), "the launch decides, not the form: {made}");
        practice.sees_only_ours(world, &text(&made, "access_token")).await;
        let again = through(&mut browser, person, &url(&handle, scope), &[("decision", "allow")]).await;
        assert_eq!(part(&again, "error"), "invalid_request", "a handle is good once");

        // Who may not see the patient launches nothing for them, nor for a random one.
        let developer = clinic.token("DEVELOPER").await;
        assert_eq!(launch(&developer, json!({"client_id": client, "patient_id": ours})).await.0, 403);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("CLINICIAN").await;
        let told = |(status, mut body): (u16, Json)| {
            body.as_object_mut().unwrap().remove("request_id");
            (status, body)
        };
        let foreign = told(launch(&stranger, json!({"client_id": client, "patient_id": ours})).await);
        assert_eq!(foreign, told(launch(&stranger, json!({"client_id": client, "patient_id": Uuid::now_v7()})).await));
        assert_eq!(launch(&stranger, json!({"client_id": client})).await.0, foreign.0);
        assert_eq!(launch(&text(&made, "access_token"), json!({"client_id": client})).await.0, 403, "an application launches nothing");
    });
}

#[test]
fn somebody_of_the_staff_picks_a_patient_for_an_app() {
    world::with(async |world| {
        let practice = practice(world).await;
        let Practice { person, client, ours, other, .. } = &practice;
        let scope = "launch/patient patient/*.rs";
        let url = authorize(world, client, &[("scope", scope)]);
        let mut browser = Browser::new();
        let page = through(&mut browser, person, &url, &[("decision", "find"), ("q", "laun")]).await;
        assert_eq!((page.status, &page.location), (200, &None));
        assert!(page.body.contains(&ours.to_string()) && !page.body.contains(&other.to_string()), "{}", page.body);
        assert!(page.policy.as_ref().unwrap().contains("default-src 'none'"));
        // A patient of another clinic is none of theirs.
        let foreign = world.tenant("SOLO_PRACTICE", None).await.patient("Foreign").await.unwrap().id.to_string();
        let refused = browser.submit(&page, &[("decision", "allow"), ("patient", &foreign)]).await;
        assert_eq!(part(&refused, "error"), "access_denied");
        let landed = browser.submit(&page, &[("decision", "allow"), ("patient", &ours.to_string())]).await;
        let (answered, made) = redeem(world, client, &part(&landed, "code"), &[]).await;
        assert_eq!((answered, &made["patient"]), (200, &json!(ours)), "{made}");
        practice.sees_only_ours(world, &text(&made, "access_token")).await;
        let seen = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'RECORD_SEARCHED' and metadata::text like '%' || $2 || '%'";
        let seen: i64 = world.truth().await.query_one(seen, &[&practice.clinic.id, &ours.to_string()]).await.unwrap().get(0);
        assert!(seen >= 1, "who was shown a name is on record");
        // Without a patient nobody speaks for one, whatever a row says.
        let lost = "update enamel.sessions set patient_id = null where active_tenant_id = $1 and api_client_id is not null";
        world.truth().await.execute(lost, &[&practice.clinic.id]).await.unwrap();
        ends(world, &text(&made, "access_token"), "/patients").await;
    });
}

#[test]
fn a_person_keeps_some_scopes_back() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let url = authorize(world, &client, &[("scope", "user/Patient.rs user/Condition.rs user/Practitioner.rs")]);
        let mut browser = Browser::new();
        let page = through(&mut browser, &person, &url, &[("decision", "find")]).await;
        let boxes: Vec<String> =
            page.hidden_fields().into_iter().filter(|(name, _)| name.starts_with("keep-")).map(|(_, word)| word).collect();
        assert_eq!(boxes, ["user/Patient.rs", "user/Condition.rs", "user/Practitioner.rs"]);
        let landed = browser.submit(&page, &[("decision", "allow"), ("keep-1", "")]).await;
        let (_, made) = redeem(world, &client, &part(&landed, "code"), &[]).await;
        assert_eq!(made["scope"], "user/Patient.rs user/Practitioner.rs", "{made}");
        let token = text(&made, "access_token");
        let asks = async |name: &str| ask(world, &token, &format!("/fhir/r4/{name}")).await.0;
        assert_eq!((asks("Patient").await, asks("Condition").await), (200, 403));
        // Nothing that was not asked for comes in by a box, and nothing at all is no grant.
        let forged = browser.submit(&page, &[("decision", "allow"), ("keep-0", "user/*.cruds"), ("keep-1", ""), ("keep-2", "")]).await;
        assert_eq!(part(&forged, "error"), "access_denied");
        // A silent request is granted as much as was allowed before, and no more.
        let silent = |scope: &str| authorize(world, &client, &[("scope", scope), ("prompt", "none")]);
        let again = browser.get(&silent("user/Patient.rs")).await;
        assert_eq!(redeem(world, &client, &part(&again, "code"), &[]).await.0, 200);
        assert_eq!(part(&browser.get(&silent("user/Condition.rs")).await, "error"), "consent_required");
    });
}

#[test]
fn a_scope_shows_what_its_search_finds_and_nothing_else() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Weber").await.unwrap().id;
        let made = async |code: &str| text(&clinic.fhir().made(condition(patient, code, "problem-list-item")).await, "id");
        let (caries, other) = (made("80967001").await, made("66383009").await);
        let scope = "system/Condition.rs?code=http://snomed.info/sct|80967001 system/Patient.rs";
        let token = clinic.client_token(scope).await;
        let ids = async |path: &str| {
            let (status, told) = ask(world, &token, path).await;
            assert_eq!(status, 200, "{path}: {told}");
            let entries = told["entry"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|entry| text(&entry["resource"], "id")).collect::<Vec<_>>()
        };
        for path in [
            "Condition",
            &format!("Condition?patient={patient}"),
            &format!("Condition?_id={caries},{other}"),
            &format!("Patient/{patient}/Condition"),
        ] {
            assert_eq!(ids(&format!("/fhir/r4/{path}")).await, std::slice::from_ref(&caries), "{path}");
        }
        assert_eq!(ids("/fhir/r4/Condition?code=66383009").await, Vec::<String>::new());
        let beside = ids(&format!("/fhir/r4/Patient?_id={patient}&_revinclude=Condition:patient")).await;
        assert!(beside.contains(&caries) && !beside.contains(&other), "{beside:?}");
        let status = async |path: &str| ask(world, &token, path).await.0;
        assert_eq!(status(&format!("/fhir/r4/Condition/{caries}")).await, 200);
        let random = Uuid::now_v7();
        assert_eq!(
            (status(&format!("/fhir/r4/Condition/{other}")).await, status(&format!("/fhir/r4/Condition/{random}")).await),
            (404, 404)
        );
        // Where records come another way, such a scope is not enough.
        for path in [
            format!("/fhir/r4/Condition/{caries}/_history"),
            format!("/fhir/r4/Condition/{caries}/_history/1"),
            "/fhir/r4/Patient?_has:Condition:patient:code=66383009".to_owned(),
            "/api/v1/patient-conditions".to_owned(),
            format!("/api/v1/patient-conditions/{caries}"),
        ] {
            assert!([400, 403].contains(&status(&path).await), "{path}");
        }
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "GET", "url": format!("Condition/{other}")}},
            {"request": {"method": "GET", "url": format!("Condition/{caries}")}},
            {"request": {"method": "GET", "url": "Condition"}}]});
        let (_, answer) = world.ask(&token, Method::POST, "/fhir/r4/", Some(&batch)).await;
        let statuses: Vec<&str> =
            answer["entry"].as_array().unwrap().iter().map(|entry| &entry["response"]["status"].as_str().unwrap()[..3]).collect();
        assert_eq!(statuses, ["404", "200", "200"], "{answer}");
        assert_eq!(answer["entry"][2]["resource"]["entry"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_request_for_another_server_or_without_a_launch_brings_no_code() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let person = clinic.employee("CLINICIAN").await;
        let (client, _) = app(&clinic, "PUBLIC").await;
        let mut browser = Browser::new();
        for changes in
            [&[("aud", "https://elsewhere.example/fhir")][..], &[("resource", "https://elsewhere.example/fhir")], &[("launch", "en_la_x")]]
        {
            let landed = through(&mut browser, &person, &authorize(world, &client, changes), &[("decision", "allow")]).await;
            assert_eq!(part(&landed, "error"), "invalid_request", "{changes:?}");
        }
        let base = format!("{}/fhir/r4", world.base_url);
        let landed = through(&mut browser, &person, &authorize(world, &client, &[("aud", &base)]), &[("decision", "allow")]).await;
        assert_eq!(redeem(world, &client, &part(&landed, "code"), &[]).await.0, 200);
    });
}

#[test]
fn a_token_is_described_as_it_was_issued() {
    world::with(async |world| {
        let practice = practice(world).await;
        let Practice { clinic, person, client, ours, .. } = &practice;
        let id = ours.to_string();
        let own = text(&world.sign_in(person, None).await, "access_token");
        let (_, launch) = world.post(Some(&own), "/smart-launches", json!({"client_id": client, "patient_id": ours})).await;
        let (handle, base) = (text(&launch, "launch"), format!("{}/fhir/r4", world.base_url));
        let changes = [("launch", handle.as_str()), ("aud", base.as_str()), ("scope", "launch patient/Patient.rs")];
        let made = entered(world, person, client, &changes, &[("decision", "allow")]).await;
        let (asker, secret) = clinic.client("system/Patient.rs").await;
        let request = world
            .http
            .post(format!("{}/oauth2/introspect", world.base_url))
            .basic_auth(&asker, Some(&secret))
            .form(&[("token", text(&made, "access_token"))]);
        let told: Json = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&told["active"], &told["client_id"], &told["patient"], &told["scope"], &told["sub"]),
            (&json!(true), &json!(client), &json!(id), &made["scope"], &json!(person.id)),
            "{told}"
        );
        assert!(told["exp"].is_i64());
    });
}
