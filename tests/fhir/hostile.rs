//! Bad input: a 4xx OperationOutcome that names the element, and nothing stored.

use super::{JSON, patient};
use crate::world;
use poem::http::Method;
use serde_json::json;

#[test]
fn what_is_wrong_is_named_and_not_stored() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let deep = format!("{{\"resourceType\":\"Patient\",\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let huge = format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"text\":\"{}\"}}]}}", "a".repeat(11 << 20));
        let bodies: Vec<(Vec<u8>, &[u16], &str)> = vec![
            (b"{".to_vec(), &[400], ""),
            (b"".to_vec(), &[400], ""),
            (b"[]".to_vec(), &[400], ""),
            (b"{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"\xff\"}]}".to_vec(), &[400], ""),
            (br#"{"resourceType":"Patient","name":[{"family":"a\u0000"}]}"#.to_vec(), &[400, 422], "Patient.name"),
            (deep.into_bytes(), &[400], ""),
            (huge.into_bytes(), &[413], ""),
            (br#"{"resourceType":"Patient","name":[{"family":1}]}"#.to_vec(), &[422], "Patient.name[0].family"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"birthDate":"2023-02-30"}"#.to_vec(), &[422], "Patient.birthDate"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"birthDate":"1700-01-01"}"#.to_vec(), &[422], "Patient.birthDate"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"birthDate":"2999-01-01"}"#.to_vec(), &[422], "Patient.birthDate"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"deceasedDateTime":"9999-01-01"}"#.to_vec(), &[422], "Patient.deceased"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"gender":"x"}"#.to_vec(), &[422], "Patient.gender"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"foo":1}"#.to_vec(), &[422], "Patient.foo"),
            (br#"{"resourceType":"Organization","name":"a"}"#.to_vec(), &[400], "resourceType"),
            (br#"{"resourceType":"Patient","name":[{"family":"a"}],"identifier":[{"value":"1","period":{"start":"2020","end":"2019"}}]}"#.to_vec(), &[422], "Patient.identifier[0].period"),
            (json!({"resourceType": "Patient", "name": [{"family": "a".repeat(301)}]}).to_string().into_bytes(), &[422], "Patient.name[0].family"),
        ];
        for (body, statuses, element) in bodies {
            let start = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let answer = fhir.send(Method::POST, "/Patient", &[JSON], body).await;
            assert!(statuses.contains(&answer.status.as_u16()), "{start}: {} {}", answer.status, answer.body);
            assert_eq!(answer.body["resourceType"], "OperationOutcome", "{start}");
            let told = answer.body["issue"][0]["expression"][0].as_str().unwrap_or_default();
            assert!(told.starts_with(element), "{start}: {}", answer.body);
        }
        let plain = fhir.send(Method::POST, "/Patient", &[("content-type", "text/plain")], patient("a").to_string().into_bytes()).await;
        assert_eq!(plain.status, 415);
        assert_eq!(fhir.send(Method::GET, "/Patient", &[("accept", "text/turtle")], Vec::new()).await.status, 406);
        assert_eq!(fhir.post("/Foo", &json!({})).await.status, 404);
        assert_eq!(fhir.post("/SearchParameter", &json!({})).await.status, 405);
        assert!(fhir.ids("/Patient").await.is_empty(), "nothing is stored");
        let twice = json!({"resourceType": "Patient", "name": [{"family": "a"}], "identifier": [{"system": "urn:x", "value": "1"}]});
        fhir.made(twice.clone()).await;
        let again = fhir.post("/Patient", &twice).await;
        assert_eq!(
            (again.status.as_u16(), &again.body["issue"][0]["expression"][0]),
            (409, &json!("Patient.identifier[0].system")),
            "{}",
            again.body
        );
        assert_eq!(fhir.ids("/Patient").await.len(), 1, "a refused create leaves no half");
    });
}

#[test]
fn a_reference_to_nothing_is_refused_by_its_element() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let other = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let foreign = super::id(&other.made(patient("Other")).await);
        for id in [uuid::Uuid::now_v7().to_string(), foreign] {
            let cover = json!({"resourceType": "Coverage", "status": "active", "subscriberId": "1", "beneficiary": {"reference": format!("Patient/{id}")}, "payor": [{"display": "x"}]});
            let answer = fhir.post("/Coverage", &cover).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["issue"][0]["expression"][0]),
                (422, &json!("Coverage.beneficiary")),
                "{}",
                answer.body
            );
            let related =
                json!({"resourceType": "RelatedPerson", "name": [{"text": "x"}], "patient": {"reference": format!("Patient/{id}")}});
            let answer = fhir.post("/RelatedPerson", &related).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["issue"][0]["expression"][0]),
                (422, &json!("RelatedPerson.patient")),
                "{}",
                answer.body
            );
        }
    });
}
