//! Both patches, of records of ours and of what is kept whole, over HTTP and by entries of a Bundle.

use super::{JSON, bare, id, patient};
use crate::world;
use base64::Engine;
use poem::http::Method;
use serde_json::{Value, json};

const PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

fn by_path(kind: &str, path: &str, value: Value) -> Value {
    let mut part = vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    if !value.is_null() {
        part.push(json!({"name": "value", "valueString": value}));
    }
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]})
}

#[test]
fn a_patch_changes_what_it_names() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let mut ada = patient("Byron");
        ada["photo"] = json!([{"title": "portrait"}]);
        let ada_id = id(&fhir.made(ada).await);
        let question = json!({"resourceType": "Questionnaire", "status": "draft", "title": "First"});
        let condition =
            json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{ada_id}")}, "code": {"text": "First"}});
        let question = fhir.made(question).await;
        let condition = fhir.made(condition).await;
        let ada = fhir.get(&format!("/Patient/{ada_id}")).await.body;
        for (was, pointer, path) in [
            (&ada, "/name/0/family", "Patient.name[0].family"),
            (&question, "/title", "Questionnaire.title"),
            (&condition, "/code/text", "Condition.code.text"),
        ] {
            let url = format!("/{}/{}", was["resourceType"].as_str().unwrap(), id(was));
            let send =
                async |body: Value, headers: &[(&str, &str)]| fhir.send(Method::PATCH, &url, headers, body.to_string().into_bytes()).await;
            let mut wanted = bare(was);
            *wanted.pointer_mut(pointer).unwrap() = json!("Second");
            let patch = json!([{"op": "test", "path": pointer, "value": was.pointer(pointer)}, {"op": "replace", "path": pointer, "value": "Second"}]);
            assert_eq!(send(patch.clone(), &[PATCH, ("if-match", "W/\"7\"")]).await.status, 412);
            let done = send(patch.clone(), &[PATCH, ("if-match", "W/\"1\"")]).await;
            assert_eq!((done.status.as_u16(), bare(&done.body)), (200, wanted.clone()), "{url}");
            assert_eq!((&done.headers["etag"], &fhir.get(&url).await.body), (&"W/\"2\"".parse().unwrap(), &done.body));
            assert_eq!(send(patch, &[PATCH]).await.status, 422, "the test fails now");
            let done = send(by_path("replace", path, json!("Third")), &[JSON, ("prefer", "return=minimal")]).await;
            assert_eq!((done.status.as_u16(), done.body), (200, Value::Null));
            *wanted.pointer_mut(pointer).unwrap() = json!("Third");
            let third = fhir.get(&url).await.body;
            assert_eq!(bare(&third), wanted);
            for (body, header, status) in [
                (json!({"op": "remove"}), PATCH, 400),
                (json!([{"op": "remove", "path": "/nothing"}]), PATCH, 422),
                (json!([{"op": "add", "path": "/nothing", "value": 1}]), PATCH, 422),
                (json!([{"op": "replace", "path": "/id", "value": "other"}]), PATCH, 422),
                (json!([{"op": "replace", "path": "/resourceType", "value": "Group"}]), PATCH, 422),
                (json!([]), JSON, 400),
                (by_path("replace", "Patient.name.where(", json!("x")), JSON, 400),
                (json!({"resourceType": "Patient"}), JSON, 400),
                (json!([]), ("content-type", "application/xml-patch+xml"), 415),
                (json!([]), ("content-type", "text/plain"), 415),
            ] {
                let refused = send(body.clone(), &[header]).await;
                assert_eq!(refused.status.as_u16(), status, "{body}: {}", refused.body);
                assert_eq!(refused.body["resourceType"], "OperationOutcome");
            }
            assert_eq!(fhir.get(&url).await.body, third, "nothing of it is stored");
        }
    });
}

#[test]
fn nobody_patches_what_is_not_theirs() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let made = clinic.fhir().made(patient("Byron")).await;
        let guess = json!([{"op": "test", "path": "/name/0/family", "value": "Byron"}]).to_string().into_bytes();
        let foreign = other.fhir().send(Method::PATCH, &format!("/Patient/{}", id(&made)), &[PATCH], guess.clone()).await;
        let random = other.fhir().send(Method::PATCH, &format!("/Patient/{}", uuid::Uuid::now_v7()), &[PATCH], guess).await;
        assert_eq!((foreign.status, &foreign.body), (random.status, &random.body));
        assert_eq!(foreign.status, 404);
    });
}

#[test]
fn entries_carry_patches() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let (one, two) = (fhir.made(patient("One")).await, fhir.made(patient("Two")).await);
        let binary = |patch: Value| {
            let data = base64::prelude::BASE64_STANDARD.encode(patch.to_string());
            json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data})
        };
        let entry = |of: &Value, patch: Value| json!({"request": {"method": "PATCH", "url": format!("Patient/{}", id(of)), "ifMatch": "W/\"1\""}, "resource": patch});
        let replace = json!([{"op": "replace", "path": "/name/0/family", "value": "Changed"}]);
        for kind in ["batch", "transaction"] {
            let (one, two) = match kind {
                "batch" => (one.clone(), two.clone()),
                _ => (fhir.made(patient("Three")).await, fhir.made(patient("Four")).await),
            };
            let entries = [entry(&one, binary(replace.clone())), entry(&two, by_path("delete", "Patient.name[0].given", Value::Null))];
            let answer = fhir.post("/", &json!({"resourceType": "Bundle", "type": kind, "entry": entries})).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let got = &answer.body["entry"];
            assert_eq!(got[0]["resource"]["name"][0]["family"], "Changed", "{kind}: {got}");
            assert_eq!(
                (&got[1]["response"]["status"], &got[1]["resource"]["name"]),
                (&json!("200 OK"), &json!([{"family": if kind == "batch" { "Two" } else { "Four" }}]))
            );
            assert_eq!(got[0]["response"]["etag"], "W/\"2\"");
        }
        let stale = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(&one, binary(replace))]});
        assert_eq!(fhir.post("/", &stale).await.status, 412);
    });
}
