//! Changes under a condition: they find what the caller sees, and nothing tells what others have.

use super::{JSON, id, patient};
use crate::world;
use enamel::kernel::context::{Permission, Plane};
use futures_util::future::join_all;
use poem::http::Method;
use serde_json::{Value, json};

async fn create(fhir: &super::Client, body: &Value, condition: &str) -> super::Answer {
    let path = format!("/{}", body["resourceType"].as_str().unwrap());
    fhir.send(Method::POST, &path, &[JSON, ("if-none-exist", condition)], body.to_string().into_bytes()).await
}

fn known(family: &str, number: &str) -> Value {
    let mut known = patient(family);
    known["identifier"] = json!([{"system": "urn:x", "value": number}]);
    known
}

#[test]
fn a_create_under_a_condition_makes_one() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let foreign = create(&other.fhir(), &known("Other", "1"), "identifier=urn:x%7C1").await;
        assert_eq!(foreign.status, 201);
        let made = create(&fhir, &known("Byron", "1"), "identifier=urn:x%7C1").await;
        assert_eq!(made.status, 201, "what another clinic has is none of ours: {}", made.body);
        let again = create(&fhir, &known("Gordon", "1"), "identifier=urn:x%7C1").await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &made.body));
        assert_eq!(again.headers["etag"], "W/\"1\"");
        fhir.made(patient("Byron")).await;
        let several = create(&fhir, &patient("Byron"), "family=byron").await;
        assert_eq!((several.status.as_u16(), &several.body["issue"][0]["code"]), (412, &json!("multiple-matches")));
        for wrong in ["", "_count=1", "nothing=1", "identifier:foo=1"] {
            assert_eq!(create(&fhir, &patient("Byron"), wrong).await.status, 400, "{wrong}");
        }
        // A kept type, by the patient it names.
        let about = |text: &str| json!({"resourceType": "Basic", "code": {"text": text}, "subject": {"reference": format!("Patient/{}", id(&made.body))}});
        let condition = format!("patient=Patient/{}", id(&made.body));
        let first = create(&fhir, &about("first"), &condition).await;
        assert_eq!(first.status, 201, "{}", first.body);
        let second = create(&fhir, &about("second"), &condition).await;
        assert_eq!((second.status.as_u16(), &second.body), (200, &first.body));
        let writer = world.fhir(world.caller(Plane::Staff, clinic.id, None, &[Permission::EditPatient]));
        assert_eq!(create(&writer, &known("Byron", "1"), "identifier=urn:x%7C1").await.status, 403, "who may not search asks nothing");
    });
}

#[test]
fn many_at_once_make_one() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let bundle = |order: &str| {
            let entry = json!({"request": {"method": "POST", "url": "Patient", "ifNoneExist": order}, "resource": patient("Once")});
            json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        };
        let single = (0..8).map(async |_| create(&fhir, &patient("Once"), "family=once&given=ada").await.status.as_u16());
        let bundled = (0..4).map(async |_| {
            let answer = fhir.post("/", &bundle("given=ada&family=once")).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.body["entry"][0]["response"]["status"].as_str().unwrap()[..3].parse::<u16>().unwrap()
        });
        let (single, bundled) = futures_util::join!(join_all(single), join_all(bundled));
        let mut statuses: Vec<u16> = single.into_iter().chain(bundled).collect();
        statuses.sort_unstable();
        assert_eq!((statuses[..11].to_vec(), statuses[11]), (vec![200; 11], 201));
        assert_eq!(fhir.ids("/Patient?family=once").await.len(), 1);
    });
}

#[test]
fn changes_under_a_condition_find_the_one() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let foreign = other.fhir().made(known("Other", "1")).await;
        let path = "/Patient?identifier=urn:x%7C1";
        let send = async |method: Method, path: &str, body: Vec<u8>| {
            fhir.send(method, path, &[("content-type", "application/json-patch+json")], body).await
        };
        let patch = br#"[{"op": "replace", "path": "/name/0/family", "value": "Patched"}]"#.to_vec();
        // Nothing of ours meets it, whatever another clinic has.
        assert_eq!(send(Method::PATCH, path, patch.clone()).await.status, 404);
        assert_eq!(send(Method::DELETE, path, Vec::new()).await.status, 404);
        let mut named = known("Byron", "1");
        named["id"] = json!(id(&foreign));
        // Made under the id it brings: that another clinic has one of that id says nothing here.
        let made = fhir.put(path, &named, &[]).await;
        assert_eq!((made.status.as_u16(), id(&made.body)), (201, id(&foreign)), "{}", made.body);
        named["id"] = json!(uuid::Uuid::now_v7());
        assert!(made.headers.contains_key("location"));
        assert_eq!(fhir.put(path, &named, &[]).await.status, 400, "another id than that of the match");
        let changed = fhir.put(path, &known("Gordon", "1"), &[("if-match", "W/\"1\"")]).await;
        assert_eq!((changed.status.as_u16(), id(&changed.body)), (200, id(&made.body)));
        assert_eq!(fhir.put(path, &known("Gordon", "1"), &[("if-match", "W/\"1\"")]).await.status, 412);
        let patched = send(Method::PATCH, path, patch.clone()).await;
        assert_eq!((patched.status.as_u16(), &patched.body["name"][0]["family"]), (200, &json!("Patched")), "{}", patched.body);
        fhir.made(patient("Patched")).await;
        let several = "/Patient?family=patched";
        assert_eq!(send(Method::PATCH, several, patch.clone()).await.status, 412);
        assert_eq!(send(Method::DELETE, several, Vec::new()).await.status, 412);
        assert_eq!(fhir.put(several, &patient("Patched"), &[]).await.status, 412);
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            let all = fhir.send(method.clone(), "/Patient", &[JSON], json!({"resourceType": "Parameters"}).to_string().into_bytes()).await;
            assert_eq!(all.status, 400, "{method} of all");
        }
        assert_eq!(send(Method::DELETE, path, Vec::new()).await.status, 204);
        assert_eq!(fhir.get(&format!("/Patient/{}", id(&made.body))).await.status, 410);
        assert_eq!(other.fhir().get(&format!("/Patient/{}", id(&foreign))).await.body, foreign);
    });
}

#[test]
fn entries_have_conditions_too() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let there = fhir.made(known("There", "1")).await;
        let entry = |method: &str, url: &str, unless: Option<&str>, resource: Value, name: &str| {
            let mut entry = json!({"fullUrl": name, "request": {"method": method, "url": url}});
            if let Some(unless) = unless {
                entry["request"]["ifNoneExist"] = json!(unless);
            }
            if !resource.is_null() {
                entry["resource"] = resource;
            }
            entry
        };
        let (first, second) = ("urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002");
        let basic = |to: &str| json!({"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": to}});
        let entries = json!([
            entry("POST", "Basic", None, basic(first), "urn:uuid:00000000-0000-4000-8000-000000000003"),
            entry("POST", "Basic", None, basic(second), "urn:uuid:00000000-0000-4000-8000-000000000004"),
            entry("POST", "Patient", Some("identifier=urn:x|1"), known("There", "1"), first),
            entry("PUT", "Patient?identifier=urn:x|2", None, known("New", "2"), second),
        ]);
        let answer = fhir.post("/", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let got = &answer.body["entry"];
        let statuses: Vec<&str> = got.as_array().unwrap().iter().map(|entry| entry["response"]["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["201 Created", "201 Created", "200 OK", "201 Created"]);
        assert_eq!(got[0]["resource"]["subject"]["reference"], json!(format!("Patient/{}", id(&there))), "what was there is meant");
        assert_eq!(got[1]["resource"]["subject"]["reference"], json!(format!("Patient/{}", id(&got[3]["resource"]))));
        let twice = json!([
            entry("POST", "Patient", Some("family=a&given=b"), patient("A"), first),
            entry("POST", "Patient", Some("given=b&family=a"), patient("A"), second),
        ]);
        let refused = fhir.post("/", &json!({"resourceType": "Bundle", "type": "transaction", "entry": twice})).await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]), (422, &json!("Bundle.entry[1]")));
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:x|1"}, "resource": known("There", "1")},
            {"request": {"method": "DELETE", "url": "Patient?identifier=urn:x|2"}},
            {"request": {"method": "DELETE", "url": "Patient?identifier=urn:x|2"}},
        ]});
        let answer = fhir.post("/", &batch).await.body;
        let statuses: Vec<&str> =
            answer["entry"].as_array().unwrap().iter().map(|entry| &entry["response"]["status"].as_str().unwrap()[..3]).collect();
        assert_eq!(statuses, ["200", "204", "404"]);
    });
}
