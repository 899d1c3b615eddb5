//! PractitionerRole is a row where it says who works at which place of ours, and kept whole where it does not: one type, for
//! those who may see the directory and for nobody else.

use super::change::rest;
use super::indexed::questions;
use super::{Client, bare, id, patient};
use crate::world::files::uploaded;
use crate::world::{self, tenants::Clinic};
use enamel::directory::provider_location::PROVIDER_LOCATION;
use enamel::kernel::context::{Caps, Permission};
use poem::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

fn to(name: &str, of: &Value) -> Value {
    json!({"reference": format!("{name}/{}", id(of))})
}

async fn doctor(fhir: &Client, family: &str) -> Value {
    fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": family}]})).await
}

async fn site(fhir: &Client) -> Value {
    fhir.made(json!({"resourceType": "Location", "name": "Main"})).await
}

/// Somebody's role that names no place.
fn role(doctor: &Value) -> Value {
    json!({"resourceType": "PractitionerRole", "active": true, "practitioner": to("Practitioner", doctor),
        "identifier": [{"system": "urn:roles", "value": "R1"}], "period": {"start": "2024-02-01"},
        "code": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/practitioner-role", "code": "doctor"}]}],
        "specialty": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "1223X0400X"}], "text": "Orthodontics"}],
        "telecom": [{"system": "phone", "value": "555 0100"}, {"system": "email", "value": "molar@clinic.test"}],
        "organization": {"display": "Somewhere"}, "location": [{"display": "wherever there is a chair"}],
        "healthcareService": [{"reference": "https://elsewhere.test/HealthcareService/7"}],
        "endpoint": [{"reference": "https://elsewhere.test/Endpoint/8"}],
        "availableTime": [{"daysOfWeek": ["mon", "fri"], "availableStartTime": "09:00:00", "availableEndTime": "16:30:00"}]})
}

fn placed(doctor: &Value, site: &Value) -> Value {
    json!({"resourceType": "PractitionerRole", "practitioner": to("Practitioner", doctor), "location": [to("Location", site)],
        "specialty": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "1223X0400X"}], "text": "Orthodontics"}]})
}

async fn rows(clinic: &Clinic, table: &str) -> i64 {
    let count = format!("select count(*) from enamel.{table} where tenant_id = $1 and deleted_at is null");
    clinic.world.truth().await.query_one(&count, &[&clinic.id]).await.unwrap().get(0)
}

#[test]
fn a_role_lives_where_it_was_made() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (molar, place) = (doctor(&fhir, "Molar").await, site(&fhir).await);
        let sent = role(&molar);
        let made = fhir.made(sent.clone()).await;
        assert_eq!(bare(&made), sent);
        assert_eq!((rows(&clinic, "provider_locations").await, rows(&clinic, "kept_directory_entries").await), (0, 1));
        let path = format!("/PractitionerRole/{}", id(&made));
        // It is given a place, and stays what it is.
        let mut next = made.clone();
        next["location"] = json!([to("Location", &place)]);
        let changed = fhir.put(&path, &next, &[("if-match", "W/\"1\"")]).await;
        assert_eq!((changed.status.as_u16(), bare(&changed.body)), (200, bare(&next)), "{}", changed.body);
        assert_eq!(fhir.put(&path, &next, &[("if-match", "W/\"1\"")]).await.status, 412);
        assert_eq!((rows(&clinic, "provider_locations").await, rows(&clinic, "kept_directory_entries").await), (0, 1));
        let patch = json!([{"op": "replace", "path": "/active", "value": false}]);
        let patched = fhir.send(Method::PATCH, &path, &[PATCH], patch.to_string().into_bytes()).await;
        next["active"] = json!(false);
        assert_eq!((patched.status.as_u16(), bare(&patched.body)), (200, bare(&next)), "{}", patched.body);
        let first = fhir.get(&format!("{path}/_history/1")).await;
        assert_eq!((first.status.as_u16(), &first.body), (200, &made));
        // One at a place of ours is a row, and stays one.
        let mut row = fhir.made(placed(&molar, &place)).await;
        assert_eq!((rows(&clinic, "provider_locations").await, rows(&clinic, "kept_directory_entries").await), (1, 1));
        row.as_object_mut().unwrap().shift_remove("location");
        let refused = fhir.put(&format!("/PractitionerRole/{}", id(&row)), &row, &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]), (422, &json!("PractitionerRole.location")));
        assert_eq!(fhir.send(Method::DELETE, &path, &[], Vec::new()).await.status, 204);
        assert_eq!((fhir.get(&path).await.status, fhir.put(&path, &next, &[]).await.status.as_u16()), (410.try_into().unwrap(), 410));
        assert_eq!(fhir.ids("/PractitionerRole").await, [id(&row)]);
        let told = |entry: &Value| entry["request"]["method"].as_str().unwrap().to_owned();
        let entries = |page: &Value| page["entry"].as_array().unwrap().iter().map(told).collect::<Vec<_>>();
        assert_eq!(entries(&fhir.get(&format!("{path}/_history")).await.body), ["DELETE", "PUT", "PUT", "POST"]);
        assert_eq!(entries(&fhir.get("/PractitionerRole/_history").await.body), ["DELETE", "POST", "PUT", "PUT", "POST"]);
    });
}

#[test]
fn whoever_names_ours_names_what_is_there() {
    world::with(async |world| {
        let (fhir, other) = (world.tenant("SOLO_PRACTICE", None).await.fhir(), world.tenant("SOLO_PRACTICE", None).await.fhir());
        let (molar, place) = (doctor(&fhir, "Molar").await, site(&fhir).await);
        let (foreign, random) = (site(&other).await, json!({"id": Uuid::now_v7()}));
        let mut told = Vec::new();
        for unknown in [&foreign, &random, &json!({"id": "example"})] {
            let answer = fhir.post("/PractitionerRole", &placed(&molar, unknown)).await;
            assert_eq!(answer.status.as_u16() / 100, 4, "{}", answer.body);
            assert_eq!(answer.body["issue"][0]["expression"][0], "PractitionerRole.location[0]", "{}", answer.body);
            told.push((answer.status, answer.body));
        }
        assert!(told.iter().all(|one| one == &told[0]), "{told:?}");
        let stranger = fhir.post("/PractitionerRole", &placed(&random, &place)).await;
        assert_eq!(stranger.body["issue"][0]["expression"][0], "PractitionerRole.practitioner", "{}", stranger.body);
        // Of somebody else's server, of nobody, or known by a number alone.
        for who in [json!({"reference": "https://elsewhere.test/fhir/Practitioner/9"}), json!({"identifier": {"value": "9"}}), Value::Null]
        {
            let mut sent = placed(&molar, &place);
            match who {
                Value::Null => drop(sent.as_object_mut().unwrap().shift_remove("practitioner")),
                who => sent["practitioner"] = who,
            }
            assert_eq!(bare(&fhir.made(sent.clone()).await), sent);
        }
        let (own, theirs) = (fhir.ids("/PractitionerRole").await, other.ids("/PractitionerRole").await);
        assert_eq!((own.len(), theirs.len()), (3, 0));
        assert_eq!(
            other.get(&format!("/PractitionerRole/{}", own[0])).await.body,
            other.get(&format!("/PractitionerRole/{}", Uuid::now_v7())).await.body
        );
    });
}

#[test]
fn both_kinds_are_searched_as_one_type() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (molar, place) = (doctor(&fhir, "Molar").await, site(&fhir).await);
        let row = id(&fhir.made(placed(&molar, &place)).await);
        let kept = fhir.made(role(&molar)).await;
        let both = sorted(vec![row.clone(), id(&kept)]);
        let stranger = id(&fhir.made(role(&doctor(&fhir, "Canine").await)).await);
        let asked = questions(&kept);
        let names: Vec<&str> = asked.iter().map(|(known, _)| known.code.as_str()).collect();
        let expected =
            ["active", "date", "email", "endpoint", "identifier", "phone", "practitioner", "role", "service", "specialty", "telecom"];
        assert_eq!(sorted(names.iter().map(|name| (*name).to_owned()).collect()), expected);
        for (known, value) in &asked {
            let found = fhir.ids(&format!("/PractitionerRole?{}={value}", known.code)).await;
            assert!(found.contains(&id(&kept)), "{}={value}: {found:?}", known.code);
        }
        for (query, found) in [
            (format!("practitioner={}", id(&molar)), both.clone()),
            (format!("practitioner={}&specialty=1223X0400X&_sort=date", id(&molar)), both.clone()),
            (format!("location={}", id(&place)), vec![row.clone()]),
            ("practitioner.name=molar".to_owned(), both.clone()),
            ("practitioner:Practitioner.name=canine".to_owned(), vec![stranger.clone()]),
            ("identifier:missing=true".to_owned(), vec![row.clone()]),
            (format!("identifier=urn:roles%7CR1&practitioner={}", id(&molar)), vec![id(&kept)]),
            (format!("_content=chair&practitioner={}", id(&molar)), vec![id(&kept)]),
            ("role=nurse".to_owned(), Vec::new()),
        ] {
            assert_eq!(sorted(fhir.paged(&format!("/PractitionerRole?{query}&_count=1")).await), found, "{query}");
        }
        assert_eq!(fhir.get("/PractitionerRole?_total=accurate&_summary=count").await.body["total"], 3);
        assert_eq!(fhir.ids("/Practitioner?_has:PractitionerRole:practitioner:role=doctor&name=molar").await, [id(&molar)]);
        let included = |page: Value| page["entry"].as_array().unwrap().iter().map(|entry| id(&entry["resource"])).collect::<Vec<_>>();
        let page = fhir.get(&format!("/PractitionerRole?_id={}&_include=PractitionerRole:practitioner", id(&kept))).await.body;
        assert_eq!(included(page), [id(&kept), id(&molar)]);
        let page = fhir.get(&format!("/Practitioner?_id={}&_revinclude=PractitionerRole:practitioner", id(&molar))).await.body;
        assert_eq!(sorted(included(page)[1..].to_vec()), both);
        // The log tells of either.
        let told = fhir.get(&format!("/Provenance?target=PractitionerRole/{}", id(&kept))).await.body;
        assert_eq!(told["entry"][0]["resource"]["target"][0]["reference"], format!("PractitionerRole/{}/_history/1", id(&kept)));
        // What changes over REST is the row's to say.
        rest(&clinic, &PROVIDER_LOCATION, &row, json!({"valid_from": "2024-02-01"})).await;
        assert_eq!(sorted(fhir.ids(&format!("/PractitionerRole?practitioner={}&date=sa2024-01-31", id(&molar))).await), both);
    });
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

#[test]
fn conditions_bundles_and_files_know_both() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let molar = doctor(&fhir, "Molar").await;
        let unless = [super::JSON, ("if-none-exist", "identifier=urn:roles|R1")];
        let body = role(&molar).to_string().into_bytes();
        let first = fhir.send(Method::POST, "/PractitionerRole", &unless, body.clone()).await;
        let again = fhir.send(Method::POST, "/PractitionerRole", &unless, body).await;
        assert_eq!((first.status.as_u16(), again.status.as_u16(), id(&first.body)), (201, 200, id(&again.body)));
        let mut next = role(&molar);
        next["active"] = json!(false);
        let put = fhir.put("/PractitionerRole?identifier=urn:roles%7CR1", &next, &[]).await;
        assert_eq!((put.status.as_u16(), id(&put.body), bare(&put.body)), (200, id(&first.body), next));
        let under = format!("/PractitionerRole/{}", Uuid::now_v7());
        let mut own = role(&molar);
        own["id"] = json!(under.rsplit('/').next());
        own["identifier"][0]["value"] = json!("R2");
        assert_eq!(fhir.put(&under, &own, &[]).await.status, 201);
        // Together with what they name, a kept one and a row.
        let whose = |url: &str| json!({"reference": url});
        let entry = |url: &str, resource: &Value| json!({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}});
        let (who, place) = (format!("urn:uuid:{}", Uuid::now_v7()), format!("urn:uuid:{}", Uuid::now_v7()));
        let mut kept = json!({"resourceType": "PractitionerRole", "practitioner": whose(&who)});
        let mut bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry("urn:uuid:0192f0c4-0000-7000-8000-000000000001", &kept)]});
        kept["location"] = json!([whose(&place)]);
        for (url, resource) in [
            ("urn:uuid:0192f0c4-0000-7000-8000-000000000002", &kept),
            (&who, &json!({"resourceType": "Practitioner", "name": [{"family": "Incisor"}]})),
            (&place, &json!({"resourceType": "Location", "name": "North"})),
        ] {
            bundle["entry"].as_array_mut().unwrap().push(entry(url, resource));
        }
        let answer = fhir.post("/", &bundle).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(fhir.ids("/PractitionerRole?practitioner.name=incisor").await.len(), 2);
        assert_eq!((rows(&clinic, "provider_locations").await, rows(&clinic, "kept_directory_entries").await), (1, 3));
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "GET", "url": "PractitionerRole?identifier=R1"}},
            {"request": {"method": "DELETE", "url": "PractitionerRole?identifier=R2"}}]});
        let answer = fhir.post("/", &batch).await.body;
        assert_eq!(answer["entry"][0]["resource"]["entry"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!((&answer["entry"][1]["response"]["status"], fhir.get(&under).await.status.as_u16()), (&json!("204 No Content"), 410));
        // Out of one clinic, and into another.
        let taken = fhir.export("/$export?_type=Practitioner,Location,PractitionerRole").await;
        assert_eq!(taken.ids("PractitionerRole"), sorted(fhir.ids("/PractitionerRole").await));
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let mut inputs = Vec::new();
        for (kind, resources) in &taken.resources {
            let text: Vec<String> = resources.iter().map(Value::to_string).collect();
            inputs.push((kind.as_str(), uploaded(&other, super::import::NDJSON, &text.join("\n")).await));
        }
        let there = other.fhir();
        let manifest = super::import::imported(&there, &inputs).await;
        assert_eq!(manifest["error"], json!([]), "{manifest}");
        assert_eq!(there.ids("/PractitionerRole?practitioner.name=incisor").await.len(), 2);
        assert_eq!((rows(&other, "provider_locations").await, rows(&other, "kept_directory_entries").await), (1, 2));
        let came = there.get("/PractitionerRole?identifier=R1").await.body;
        assert_eq!(came["entry"][0]["resource"]["availableTime"], role(&molar)["availableTime"], "{came}");
    });
}

#[test]
fn the_directory_is_no_way_into_charts_nor_they_into_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = fhir.made(patient("Lovelace")).await;
        let kept = fhir.made(role(&doctor(&fhir, "Molar").await)).await;
        let flag =
            fhir.made(json!({"resourceType": "Flag", "status": "active", "code": {"text": "pain"}, "subject": to("Patient", &ada)})).await;
        let basic = fhir.made(json!({"resourceType": "Basic", "code": {"text": "of nobody"}})).await;
        let path = format!("/PractitionerRole/{}", id(&kept));
        let charts = [format!("/Flag/{}", id(&flag)), format!("/Basic/{}", id(&basic))];
        let with = |held: &[Permission]| {
            let mut caller = clinic.staff();
            caller.context.caps = Caps::of(held);
            world.fhir(caller)
        };
        let reader = with(&[Permission::ViewTenant]);
        assert_eq!(reader.get(&path).await.body, kept);
        assert_eq!(reader.ids("/PractitionerRole?role=doctor").await, [id(&kept)]);
        for chart in &charts {
            assert_eq!(reader.get(chart).await.status, 403, "{chart}");
        }
        assert_eq!(reader.put(&path, &kept, &[]).await.status, 403);
        assert_eq!(reader.post("/PractitionerRole", &bare(&kept)).await.status, 403);
        let dentist = with(&[Permission::ViewPatient, Permission::ViewClinical, Permission::EditClinical]);
        for chart in &charts {
            assert_eq!(dentist.get(chart).await.status, 200, "{chart}");
        }
        assert_eq!((dentist.get(&path).await.status.as_u16(), dentist.get("/PractitionerRole").await.status.as_u16()), (403, 403));
        assert_eq!(dentist.put(&path, &kept, &[]).await.status, 403);
        let keeper = with(&[Permission::ViewTenant, Permission::ManageUsers]);
        assert_eq!(keeper.put(&path, &kept, &[]).await.status, 200);
        // A role is no patient's; the row's own policy shows patients where somebody works, and no more.
        let portal = world.portal(&[(clinic.id, id(&ada).parse().unwrap())]).await;
        assert_eq!((portal.get(&path).await.status.as_u16(), portal.ids("/PractitionerRole").await.len()), (404, 0));
        // So it is with tokens: the scope names the directory's permissions alone.
        let token = clinic.client_token("system/PractitionerRole.cruds").await;
        let ask =
            async |method: Method, path: &str, body: Option<&Value>| world.ask(&token, method, &format!("/fhir/r4{path}"), body).await.0;
        let kept = reader.get(&path).await.body;
        assert_eq!((ask(Method::GET, &path, None).await, ask(Method::PUT, &path, Some(&kept)).await), (200, 200));
        assert_eq!(ask(Method::POST, "/PractitionerRole", Some(&bare(&kept))).await, 201);
        for chart in &charts {
            assert_eq!(ask(Method::GET, chart, None).await, 403, "{chart}");
        }
        let wide = clinic.client_token("system/Flag.rs system/Basic.rs").await;
        assert_eq!(world.ask(&wide, Method::GET, &format!("/fhir/r4{}", charts[0]), None).await.0, 200);
        assert_eq!(world.ask(&wide, Method::GET, &format!("/fhir/r4{path}"), None).await.0, 403);
    });
}
