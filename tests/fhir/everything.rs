//! What belongs to a patient, of one type and of all.

use super::{Client, Clinic, id, ids, patient};
use crate::world::{self, World};
use serde_json::json;

/// A patient with some of everything, and the ids of it.
async fn chart(clinic: &Client, family: &str) -> (String, Vec<String>) {
    let who = id(&clinic.made(patient(family)).await);
    let subject = json!({"reference": format!("Patient/{who}")});
    let mut all = vec![who.clone()];
    for made in [
        json!({"resourceType": "RelatedPerson", "patient": subject, "name": [{"family": "Kin"}]}),
        json!({"resourceType": "Flag", "status": "active", "code": {"text": "a"}, "subject": subject}),
        json!({"resourceType": "Flag", "status": "active", "code": {"text": "b"}, "subject": subject}),
        json!({"resourceType": "Basic", "code": {"text": "c"}, "subject": subject}),
        json!({"resourceType": "NutritionOrder", "status": "active", "intent": "order", "dateTime": "2026-01-01", "patient": subject}),
    ] {
        all.push(id(&clinic.made(made).await));
    }
    all.sort();
    (who, all)
}

/// Two charts of a clinic; the first patient, and the ids of what is theirs.
async fn charts(world: &'static World) -> (Client, String, Vec<String>) {
    let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
    let fhir = clinic.fhir();
    let (who, all) = chart(&fhir, "Whole").await;
    chart(&fhir, "Another").await;
    (fhir, who, all)
}

#[test]
fn everything_of_a_patient_and_of_nobody_else() {
    world::with(async |world| {
        let (fhir, who, all) = charts(world).await;
        let whole = fhir.get(&format!("/Patient/{who}/$everything")).await;
        assert_eq!(whole.status, 200, "{}", whole.body);
        let mut seen = ids(&whole.body);
        assert_eq!(seen[0], who, "the patient comes first");
        seen.sort();
        assert_eq!(seen, all);
        assert!(
            whole.body["entry"][1]["fullUrl"]
                .as_str()
                .unwrap()
                .contains(&format!("/{}/", whole.body["entry"][1]["resource"]["resourceType"].as_str().unwrap()))
        );
        let pages = fhir.pages(&format!("/Patient/{who}/$everything?_count=2")).await;
        assert!(pages.iter().all(|page| ids(page).len() <= 2) && pages.len() >= 3);
        let mut paged: Vec<String> = pages.iter().flat_map(ids).collect();
        paged.sort();
        assert_eq!(paged, all, "each once");
        let flags = fhir.get(&format!("/Patient/{who}/$everything?_type=Flag,Patient")).await.body;
        assert_eq!(ids(&flags).len(), 3);
        assert_eq!(ids(&fhir.get(&format!("/Patient/{who}/$everything?_since=2999-01-01T00:00:00Z")).await.body).len(), 0);
        assert_eq!(fhir.get(&format!("/Patient/{who}/$everything?_since=soon")).await.status, 400);
        assert_eq!(fhir.get(&format!("/Patient/{who}/$everything?_type=Organization")).await.status, 400);
        assert_eq!(fhir.get(&format!("/Patient/{who}/$everything?_cursor=7")).await.status, 400);
        let random = fhir.get("/Patient/0192f0c4-0000-7000-8000-000000000001/$everything").await;
        let stranger = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let foreign = stranger.get(&format!("/Patient/{who}/$everything")).await;
        assert_eq!((foreign.status, &foreign.body), (random.status, &random.body));
        assert_eq!(foreign.status, 404);
    });
}

#[test]
fn a_compartment_is_searched() {
    world::with(async |world| {
        let (fhir, who, _) = charts(world).await;
        let flags = fhir.ids(&format!("/Patient/{who}/Flag")).await;
        assert_eq!(flags.len(), 2);
        assert_eq!(fhir.ids(&format!("/Patient/{who}/Flag?_id={}", flags[0])).await, [flags[0].clone()]);
        assert_eq!(fhir.ids(&format!("/Patient/{who}/RelatedPerson")).await.len(), 1);
        assert_eq!(fhir.get(&format!("/Patient/{who}/Organization")).await.status, 404);
        assert_eq!(fhir.get(&format!("/Patient/{who}/Foo")).await.status, 404);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.fhir();
        assert_eq!(stranger.get(&format!("/Patient/{who}/Flag")).await.status, 404);
    });
}
