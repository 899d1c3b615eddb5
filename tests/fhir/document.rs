//! Documents: made of what a composition names, and kept whole when they come from elsewhere.

use super::{bare, id, patient};
use crate::world;
use enamel::fhir::check::faults;
use enamel::kernel::context::{Permission, Plane};
use serde_json::{Value, json};

#[test]
fn a_composition_leaves_with_all_that_it_names() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (fhir, other) = (clinic.fhir(), world.tenant("SOLO_PRACTICE", None).await.fhir());
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let foreign = id(&other.made(patient("Foreign")).await);
        let dentist = id(&fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await);
        let to = |name: &str, id: &str| json!({"reference": format!("{name}/{id}")});
        let caries = fhir.made(json!({"resourceType": "Condition", "subject": to("Patient", &ada), "code": {"text": "Caries"}})).await;
        let gone = id(&fhir.made(json!({"resourceType": "Basic", "code": {"text": "gone"}})).await);
        assert_eq!(fhir.send(poem::http::Method::DELETE, &format!("/Basic/{gone}"), &[], Vec::new()).await.status, 204);
        let letter = fhir
            .made(json!({"resourceType": "Composition", "status": "final", "type": {"text": "Letter"}, "date": "2026-03-02", "title": "To Dr. Root",
                "subject": to("Patient", &ada), "author": [to("Practitioner", &dentist)], "section": [{"title": "Findings",
                "entry": [to("Condition", &id(&caries)), to("Basic", &gone), to("Basic", &foreign), to("Basic", "no-uuid"),
                          {"reference": "https://elsewhere.test/fhir/Patient/1"}]}]}))
            .await;
        let path = format!("/Composition/{}/$document", id(&letter));
        let made = fhir.get(&path).await;
        assert_eq!(made.status, 200, "{}", made.body);
        assert_eq!(faults(&made.body), []);
        let held: Vec<String> = made.body["entry"].as_array().unwrap().iter().map(|entry| id(&entry["resource"])).collect();
        assert_eq!((&held[0], &made.body["entry"][0]["resource"]), (&id(&letter), &letter), "the composition comes first");
        let mut named = held[1..].to_vec();
        named.sort();
        let mut expected = vec![ada.clone(), dentist, id(&caries)];
        expected.sort();
        assert_eq!(named, expected);
        assert!(made.body["entry"][0]["fullUrl"].as_str().unwrap().ends_with(&format!("/Composition/{}", id(&letter))));
        assert_eq!(fhir.get(&format!("{path}?persist=true")).await.status, 400);
        assert_eq!(fhir.get(&format!("{path}?persist=false")).await.status, 200);
        // Half of a document is none.
        let mut narrow = clinic.fhir();
        narrow.caller.scopes = ["system/Composition.rs".to_owned(), "system/Patient.rs".to_owned()].into();
        assert_eq!(narrow.get(&path).await.status, 403);
        let random = other.get(&format!("/Composition/{}/$document", uuid::Uuid::now_v7())).await;
        let stranger = other.get(&path).await;
        assert_eq!((stranger.status, &stranger.body), (random.status, &random.body));
        assert_eq!(stranger.status, 404);
        // It is kept as it came, in the chart of its patient; who does not know the patient has no chart for it.
        let refused = other.post("/Bundle", &made.body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]), (422, &json!("Bundle.entry")));
        let kept = fhir.made(made.body.clone()).await;
        assert_eq!(bare(&kept), bare(&made.body));
        let kept = id(&kept);
        assert_eq!(fhir.ids(&format!("/Bundle?composition=Composition/{}", id(&letter))).await, [""; 0], "it is inside, and no reference");
        assert_eq!(fhir.ids("/Bundle?type=document").await, std::slice::from_ref(&kept));
        let whose = "select patient_id from enamel.kept_resources where tenant_id = $1 and id = $2";
        let row = world.truth().await.query_one(whose, &[&clinic.id, &kept.parse::<uuid::Uuid>().unwrap()]).await.unwrap();
        assert_eq!(row.get::<_, Option<uuid::Uuid>>(0), ada.parse().ok());
        let login = world.portal(&[(clinic.id, ada.parse().unwrap())]).await;
        let seen = login.get(&format!("/Bundle/{kept}")).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        let blind = world.fhir(world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]));
        assert_eq!(blind.get(&format!("/Bundle/{kept}")).await.status, 403);
    });
}

#[test]
fn a_query_of_a_change_is_no_condition() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let made = fhir.made(patient("Lovelace")).await;
        for query in ["identifier=1", "_id=1", "colour=red", "_has:Condition:patient:code=x", "_lastUpdated=2026"] {
            assert_eq!(fhir.post(&format!("/Patient?{query}"), &patient("Twice")).await.status, 400, "{query}");
            assert_eq!(fhir.put(&format!("/Patient/{}?{query}", id(&made)), &made, &[]).await.status, 400, "{query}");
        }
        let entry = json!({"resource": patient("Twice"), "request": {"method": "POST", "url": "Patient?identifier=1"}});
        for kind in ["batch", "transaction"] {
            let answer = fhir.post("/", &json!({"resourceType": "Bundle", "type": kind, "entry": [entry.clone()]})).await;
            let told = if kind == "batch" { answer.body["entry"][0]["response"]["status"].clone() } else { json!(answer.status.as_u16()) };
            assert!(told == "400 Bad Request" || told == 400, "{kind}: {}", answer.body);
        }
        assert_eq!(fhir.ids("/Patient").await.len(), 1);
        let shaped = fhir.post("/Patient?_format=json&_pretty=true", &patient("Shaped")).await;
        assert_eq!((shaped.status.as_u16(), &shaped.body["resourceType"]), (201, &Value::from("Patient")));
    });
}
