//! A token narrowed to types does with those types what its letters say, over either contract, and nothing else.

use super::{id, patient};
use crate::world::tenants::Clinic;
use crate::world::{World, people::text};
use poem::http::Method;
use serde_json::{Value as Json, json};

/// Somebody's token, and the server it is shown to.
struct Holder(&'static World, String);

impl Holder {
    async fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> (u16, Json) {
        self.0.ask(&self.1, method, path, body).await
    }
    async fn get(&self, path: &str) -> u16 {
        self.ask(Method::GET, path, None).await.0
    }
    async fn post(&self, path: &str, body: Json) -> u16 {
        self.ask(Method::POST, path, Some(&body)).await.0
    }
}

async fn holder(clinic: &Clinic, scope: &str) -> Holder {
    Holder(clinic.world, clinic.client_token(scope).await)
}

#[test]
fn a_token_narrowed_to_a_type_reads_that_type_only() {
    crate::world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let ada = clinic.fhir().made(patient("Lovelace")).await;
        let patient_path = format!("/fhir/r4/Patient/{}", id(&ada));
        let relative = json!({"resourceType": "RelatedPerson", "patient": {"reference": format!("Patient/{}", id(&ada))},
            "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "SPS"}]}],
            "name": [{"family": "King", "given": ["William"]}]});
        let relative = clinic.fhir().made(relative).await;
        let relative_path = format!("/fhir/r4/RelatedPerson/{}", id(&relative));
        let narrow = holder(&clinic, "system/Patient.rs").await;
        assert_eq!(narrow.get(&patient_path).await, 200);
        assert_eq!(narrow.get("/fhir/r4/Patient?family=Lovelace").await, 200);
        // view_patient alone would allow all of these.
        for path in [relative_path.as_str(), "/fhir/r4/RelatedPerson", "/fhir/r4/Coverage", "/fhir/r4/Organization"] {
            let (status, body) = narrow.ask(Method::GET, path, None).await;
            assert_eq!((status, &body["resourceType"]), (403, &json!("OperationOutcome")), "{path}: {body}");
        }
        let form =
            world.http.post(format!("{}/fhir/r4/RelatedPerson/_search", world.base_url)).bearer_auth(&narrow.1).form(&[("_count", "1")]);
        assert_eq!(form.send().await.unwrap().status(), 403);
        // A foreign id and a random one are refused alike, before anything is looked for.
        let random = format!("/fhir/r4/RelatedPerson/{}", uuid::Uuid::now_v7());
        assert_eq!(narrow.ask(Method::GET, &relative_path, None).await, narrow.ask(Method::GET, &random, None).await);
        // `*` and a person's own session are not narrowed.
        let wide = holder(&clinic, "system/*.rs").await;
        let own = Holder(world, clinic.token("TENANT_ADMIN").await);
        for path in [&patient_path, &relative_path] {
            assert_eq!((wide.get(path).await, own.get(path).await), (200, 200), "{path}");
        }
        let denied = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'ACCESS_DENIED' and resource_type = 'PatientRelationship'";
        let denied: i64 = world.truth().await.query_one(denied, &[&clinic.id]).await.unwrap().get(0);
        assert_eq!(denied, 5, "every refusal is remembered");
    });
}

#[test]
fn each_interaction_needs_its_letter() {
    crate::world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let ada = clinic.fhir().made(patient("Lovelace")).await;
        let one = format!("/fhir/r4/Patient/{}", id(&ada));
        let interactions = [
            ('r', Method::GET, one.as_str(), None),
            ('s', Method::GET, "/fhir/r4/Patient", None),
            ('c', Method::POST, "/fhir/r4/Patient", Some(patient("New"))),
            ('u', Method::PUT, one.as_str(), Some(ada.clone())),
            ('d', Method::DELETE, one.as_str(), None),
        ];
        // The other type gives the token every permission that Patient would.
        for scope in ["c", "r", "u", "s", "d"] {
            let token = holder(&clinic, &format!("system/Patient.{scope} system/Coverage.cruds")).await;
            for (letter, method, path, body) in interactions.iter().filter(|(letter, ..)| *letter != 'd' || scope != "d") {
                let (status, told) = token.ask(method.clone(), path, body.as_ref()).await;
                let refused = !scope.contains(*letter);
                assert_eq!(status == 403, refused, "{method} {path} with {scope}: {status} {told}");
            }
            let entries: Vec<Json> = interactions
                .iter()
                .filter(|(letter, ..)| *letter != 'd' || scope != "d")
                .map(|(_, method, path, body)| {
                    let url = path.trim_start_matches("/fhir/r4/");
                    let mut entry = json!({"request": {"method": method.as_str(), "url": url}});
                    if let Some(body) = body {
                        entry["resource"] = body.clone();
                    }
                    entry
                })
                .collect();
            let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
            let (status, answer) = token.ask(Method::POST, "/fhir/r4/", Some(&batch)).await;
            assert_eq!(status, 200, "{answer}");
            for ((letter, method, ..), entry) in interactions.iter().zip(answer["entry"].as_array().unwrap()) {
                let status = entry["response"]["status"].as_str().unwrap();
                assert_eq!(status.starts_with("403"), !scope.contains(*letter), "{method} in a batch with {scope}: {entry}");
            }
        }
        let remover = holder(&clinic, "system/Patient.d system/Coverage.cruds").await;
        assert_eq!(remover.ask(Method::DELETE, &one, None).await.0, 204);
    });
}

#[test]
fn rest_opens_no_way_around() {
    crate::world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let ada = id(&clinic.fhir().made(patient("Lovelace")).await);
        let narrow = holder(&clinic, "system/Patient.rs").await;
        for path in
            ["/patients".to_owned(), format!("/patients/{ada}"), "/patient-addresses".into(), "/patient-identifiers".into(), "/me".into()]
        {
            assert_eq!(narrow.get(&format!("/api/v1{path}")).await, 200, "{path}");
        }
        assert_eq!(narrow.post("/api/v1/patients/search", json!({"q": "love"})).await, 200);
        assert_eq!(narrow.post("/api/v1/patients/match", json!({"last_name": "Lovelace"})).await, 200);
        // Coverage, RelatedPerson, and what FHIR has no word for: all of them ask view_patient alone.
        for path in
            ["patient-insurance-policies", "patient-relationships", "external-contacts", "patient-proxies", "patient-portal-accounts"]
        {
            let (status, told) = narrow.ask(Method::GET, &format!("/api/v1/{path}"), None).await;
            assert_eq!((status, &told["code"]), (403, &json!("auth.forbidden")), "{path}: {told}");
        }
        // The other type brings edit_patient and delete_data; Patient itself is read only.
        let mixed = holder(&clinic, "system/Patient.rs system/Coverage.cruds").await;
        let address = json!({"patient_id": ada, "line1": "1 Dorset Street"});
        assert_eq!(mixed.post("/api/v1/patients", json!({"first_name": "B", "last_name": "C"})).await, 403);
        assert_eq!(mixed.post(&format!("/api/v1/patients/{ada}/deactivate"), json!({})).await, 403);
        assert_eq!(mixed.post("/api/v1/patient-addresses", address.clone()).await, 403);
        assert_eq!(mixed.ask(Method::PATCH, &format!("/api/v1/patients/{ada}"), Some(&json!({"last_name": "X"}))).await.0, 403);
        assert_eq!(mixed.ask(Method::DELETE, &format!("/api/v1/patients/{ada}"), None).await.0, 403);
        let steps = json!([{"method": "POST", "path": "/patients", "body": {"first_name": "B", "last_name": "C"}}]);
        assert_eq!(mixed.post("/api/v1/batch", json!({"operations": steps})).await, 403);
        assert_eq!(mixed.get(&format!("/api/v1/patient-relationships/{ada}/history")).await, 403);
        assert_eq!(mixed.get("/api/v1/patient-insurance-policies").await, 200);
        // A part's row is a change of the whole.
        let updating = holder(&clinic, "system/Patient.ru").await;
        let (status, made) = updating.ask(Method::POST, "/api/v1/patient-addresses", Some(&address)).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(updating.get(&format!("/api/v1/patient-addresses/{}", text(&made, "id"))).await, 200);
        assert_eq!(updating.get("/api/v1/patient-addresses").await, 403, "reading one is no searching");
        // A proxy is a grant to a login: FHIR does not give it, so no narrowed token does.
        let grant = json!({"user_id": uuid::Uuid::now_v7(), "related_patient_id": uuid::Uuid::now_v7(), "relationship": "PARENT"});
        assert_eq!(updating.post(&format!("/api/v1/patients/{ada}/add-family-member"), grant).await, 403);
    });
}

#[test]
fn images_are_scoped_before_fhir_serves_them() {
    crate::world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let studies = holder(&clinic, "system/ImagingStudy.rs").await;
        assert_eq!((studies.get("/api/v1/imaging-studies").await, studies.get("/api/v1/imaging-objects").await), (200, 200));
        assert_eq!(studies.get("/api/v1/files").await, 403);
        let documents = holder(&clinic, "system/DocumentReference.rs").await;
        assert_eq!((documents.get("/api/v1/imaging-studies").await, documents.get("/api/v1/files").await), (403, 200));
        let link = format!("/api/v1/files/{}/download-link", uuid::Uuid::now_v7());
        assert_eq!((studies.post(&link, json!({})).await, documents.post(&link, json!({})).await), (403, 404));
    });
}
