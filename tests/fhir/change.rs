//! A change on one contract shows on the other, and nothing that was kept speaks against it.

use super::{bare, id};
use crate::world;
use enamel::kernel::context::Permission;
use enamel::kernel::table::{Draft, Record, Table, store};
use serde_json::{Value, json};

pub async fn rest(clinic: &super::Clinic, table: &'static Table, id: &str, patch: Value) -> Record {
    let caller = clinic.staff();
    let keys = &caller.kernel.keys;
    let mut scope = caller.write(table.write).await.unwrap();
    let was = store::lock(&mut scope, table, id.parse().unwrap(), None, keys).await.unwrap();
    let draft = Draft::patch(table, patch.as_object().unwrap()).unwrap();
    let record = store::update(&mut scope, &was, &draft, "update", keys).await.unwrap();
    scope.commit().await.unwrap();
    record
}

#[test]
fn a_rest_change_shows_and_the_rest_stays() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let sent = json!({
            "resourceType": "Patient",
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Ada Byron</div>"},
            "name": [{"use": "maiden", "family": "Gordon"}, {"use": "official", "text": "Ada Byron", "family": "Byron", "given": ["Ada", "Augusta"]}],
            "telecom": [{"system": "fax", "value": "1"}, {"system": "phone", "value": "030 1234"}, {"system": "email", "value": "first@x.test", "rank": 2}, {"system": "phone", "use": "mobile", "value": "+491701234567", "rank": 1}, {"system": "email", "value": "ada@x.test"}],
            "birthDate": "1815-12-10", "maritalStatus": {"text": "married"}, "gender": "female",
            "photo": [{"title": "portrait"}]
        });
        let refused = fhir.post("/Patient", &sent).await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]), (422, &json!("Patient.birthDate")));
        let mut sent = sent;
        sent["birthDate"] = json!("1915-12-10");
        let made = fhir.made(sent.clone()).await;
        assert_eq!(bare(&made), sent);

        rest(
            &clinic,
            &enamel::patients::patient::PATIENT,
            &id(&made),
            json!({"last_name": "Lovelace", "phone_mobile": "+49170999", "dob": null}),
        )
        .await;
        let read = fhir.get(&format!("/Patient/{}", id(&made))).await.body;
        let mut now = sent.clone();
        now.as_object_mut().unwrap().shift_remove("text");
        now.as_object_mut().unwrap().shift_remove("birthDate");
        now["name"][1] = json!({"use": "official", "family": "Lovelace", "given": ["Ada", "Augusta"]});
        // Another number is another contact point: the rank of the old one goes with it.
        now["telecom"][3] = json!({"system": "phone", "use": "mobile", "value": "+49170999"});
        // Contact points come in the order our columns have them; none is lost.
        let sorted = |resource: &Value| {
            let mut resource = bare(resource);
            resource["telecom"].as_array_mut().unwrap().sort_by_key(|point| point["value"].to_string());
            resource
        };
        assert_eq!(sorted(&read), sorted(&now));
        assert_eq!(read["meta"]["versionId"], "2");

        // A part over REST: the whole's version rises and the new row is there.
        let body = json!({"patient_id": id(&made), "line1": "St James's Square 12", "city": "London"});
        let draft = Draft::create(&enamel::patients::patient_address::PATIENT_ADDRESS, body.as_object().unwrap()).unwrap();
        let caller = clinic.staff();
        let mut scope = caller.write(Permission::EditPatient).await.unwrap();
        store::insert(&mut scope, &enamel::patients::patient_address::PATIENT_ADDRESS, &draft, &caller.kernel.keys).await.unwrap();
        scope.commit().await.unwrap();
        let read = fhir.get(&format!("/Patient/{}", id(&made))).await.body;
        assert_eq!(read["address"], json!([{"use": "home", "line": ["St James's Square 12"], "city": "London"}]));
        assert_eq!((&read["meta"]["versionId"], &read["photo"]), (&json!("3"), &sent["photo"]));
    });
}

#[test]
fn a_fhir_update_changes_adds_and_retires_rows() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let made = fhir
            .made(json!({"resourceType": "Patient", "name": [{"family": "Byron"}], "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}],
                "address": [{"use": "home", "line": ["One"]}]}))
            .await;
        let path = format!("/Patient/{}", id(&made));
        let mut next = made.clone();
        next["identifier"] = json!([{"system": "urn:b", "value": "3"}, {"system": "urn:c", "value": "4"}]);
        next["address"] = json!([{"use": "home", "line": ["Two"]}]);
        let stale = fhir.put(&path, &next, &[("if-match", "W/\"7\"")]).await;
        assert_eq!((stale.status.as_u16(), &stale.body["resourceType"]), (412, &json!("OperationOutcome")));
        let changed = fhir.put(&path, &next, &[]).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!(bare(&changed.body), bare(&next));
        let rows = world
            .truth()
            .await
            .query(
                "select system_uri, deleted_at is null from enamel.patient_identifiers where patient_id = $1::text::uuid order by 1",
                &[&id(&made)],
            )
            .await
            .unwrap();
        let rows: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(rows, [("urn:a".into(), false), ("urn:b".into(), true), ("urn:c".into(), true)]);
        assert!(fhir.ids("/Patient?identifier=urn:a%7C1").await.is_empty());
        assert_eq!(fhir.ids("/Patient?identifier=4").await, [id(&made)]);

        let gone = fhir.send(poem::http::Method::DELETE, &path, &[], Vec::new()).await;
        assert_eq!(gone.status, 204);
        assert_eq!(fhir.send(poem::http::Method::DELETE, &path, &[], Vec::new()).await.status, 204);
        assert_eq!(fhir.get(&path).await.status, 410);
        assert!(fhir.ids("/Patient?name=byron").await.is_empty());
    });
}

#[test]
fn versions_headers_and_preferences() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let body = json!({"resourceType": "Patient", "id": "mine", "meta": {"versionId": "99"}, "name": [{"family": "Byron"}]});
        let made = fhir.post("/Patient", &body).await;
        let own = id(&made.body);
        assert_ne!(own, "mine");
        assert_eq!((&made.headers["etag"], &made.body["meta"]["versionId"]), (&"W/\"1\"".parse().unwrap(), &json!("1")));
        assert!(made.headers["location"].to_str().unwrap().ends_with(&format!("/fhir/r4/Patient/{own}/_history/1")));
        assert!(made.headers.contains_key("last-modified"));
        let same = fhir.send(poem::http::Method::GET, &format!("/Patient/{own}"), &[("if-none-match", "W/\"1\"")], Vec::new()).await;
        assert_eq!((same.status.as_u16(), same.body), (304, Value::Null));
        let minimal = fhir
            .send(poem::http::Method::POST, "/Patient", &[super::JSON, ("prefer", "return=minimal")], body.to_string().into_bytes())
            .await;
        assert_eq!((minimal.status.as_u16(), minimal.body), (201, Value::Null));
        let short = fhir.get(&format!("/Patient/{own}?_elements=name")).await.body;
        assert_eq!(short["meta"]["tag"][0]["code"], "SUBSETTED");
        assert_eq!(fhir.put(&format!("/Patient/{own}"), &short, &[]).await.status, 422);
        let unknown = uuid::Uuid::now_v7().to_string();
        let mut other = body.clone();
        other["id"] = json!(unknown);
        assert_eq!(fhir.put(&format!("/Patient/{own}"), &other, &[]).await.status, 400);
        let path = format!("/Patient/{unknown}");
        assert_eq!(fhir.put(&path, &other, &[("if-match", "W/\"1\"")]).await.status, 412, "there is no version to match");
        let made = fhir.put(&path, &other, &[]).await;
        assert_eq!((made.status.as_u16(), id(&made.body)), (201, unknown.clone()), "{}", made.body);
        assert!(made.headers["location"].to_str().unwrap().ends_with(&format!("{path}/_history/1")));
        assert_eq!(fhir.put(&path, &other, &[]).await.status, 200);
        other["id"] = json!("no-uuid");
        let refused = fhir.put("/Patient/no-uuid", &other, &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["code"]), (405, &json!("not-supported")), "{}", refused.body);
        let statement = fhir.get("/metadata").await.body;
        for served in statement["rest"][0]["resource"].as_array().unwrap() {
            let codes: Vec<&str> = served["interaction"].as_array().into_iter().flatten().map(|it| it["code"].as_str().unwrap()).collect();
            let makes = codes.contains(&"create") && codes.contains(&"update");
            assert_eq!(served["updateCreate"] == true, makes, "{}", served["type"]);
        }
    });
}
