//! Searches over several types at once.

use super::{Client, id, ids, patient};
use crate::world;
use enamel::kernel::context::{Permission, Plane};
use poem::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn chart(fhir: &Client) -> (String, BTreeSet<String>) {
    let ada = id(&fhir.made(patient("Lovelace")).await);
    let subject = json!({"reference": format!("Patient/{ada}")});
    let mut all = BTreeSet::new();
    for made in [
        json!({"resourceType": "Condition", "subject": subject, "code": {"text": "Caries"}}),
        json!({"resourceType": "Flag", "status": "active", "code": {"text": "Latex"}, "subject": subject}),
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "Depth"}, "subject": subject}),
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "Colour"}, "subject": subject}),
    ] {
        all.insert(id(&fhir.made(made).await));
    }
    (ada, all)
}

#[test]
fn several_types_are_searched_at_once() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let (ada, all) = chart(&fhir).await;
        chart(&fhir).await;
        chart(&other.fhir()).await;
        let own = format!("/?_type=Condition,Flag,Observation&patient=Patient%2F{ada}");
        let page = fhir.get(&format!("{own}&_total=accurate")).await;
        assert_eq!((page.status.as_u16(), &page.body["total"]), (200, &json!(4)), "{}", page.body);
        assert_eq!(ids(&page.body).into_iter().collect::<BTreeSet<_>>(), all);
        for entry in page.body["entry"].as_array().unwrap() {
            let (name, id) = (entry["resource"]["resourceType"].as_str().unwrap(), id(&entry["resource"]));
            assert!(entry["fullUrl"].as_str().unwrap().ends_with(&format!("/fhir/r4/{name}/{id}")), "{entry}");
            assert_eq!(fhir.get(&format!("/{name}/{id}")).await.body, entry["resource"]);
        }
        // Page by page, in either order, each once.
        for order in ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated", "&_sort=_id"] {
            let found = fhir.paged(&format!("{own}&_count=1{order}")).await;
            assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (4, all.clone()), "{order}");
        }
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = format!("_type=Flag&patient={ada}").into_bytes();
        let posted = fhir.send(Method::POST, "/_search?_summary=count", &form, body).await;
        assert_eq!((posted.status.as_u16(), &posted.body["total"]), (200, &json!(1)), "{}", posted.body);
        for (wrong, status) in [
            ("/", 400),
            ("/?_type=Nothing", 400),
            ("/?_type=Condition,Flag&clinical-status=active", 400),
            ("/?_type=Condition,Flag&_sort=code", 400),
            ("/?_type=Condition,Flag&_include=Nothing:subject", 400),
        ] {
            let answer = fhir.get(wrong).await;
            assert_eq!((answer.status.as_u16(), &answer.body["resourceType"]), (status, &json!("OperationOutcome")), "{wrong}");
        }
        // One type that the caller may not search, and nothing is given.
        let blind = world.fhir(world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewPatient]));
        assert_eq!(blind.get("/?_type=Patient,Condition").await.status, 403);
        let mut narrow = clinic.staff();
        narrow.scopes = vec!["user/Flag.rs".to_owned()].into();
        let narrow = world.fhir(narrow);
        assert_eq!(narrow.get(&own).await.status, 403);
        assert_eq!(narrow.ids(&format!("/?_type=Flag&patient={ada}")).await.len(), 1);
        let me = world.portal(&[(clinic.id, ada.parse().unwrap())]).await;
        let mine = me.get("/?_type=Condition,Flag,Observation").await;
        assert_eq!(ids(&mine.body).into_iter().collect::<BTreeSet<_>>(), all, "{}", mine.body);
        let next = fhir.get(&format!("{own}&_count=1")).await;
        let cursor = super::next(&next.body).unwrap();
        assert_eq!(other.fhir().get(&cursor).await.status, 400, "a cursor is its caller's");
    });
}

/// The modes and types of what a searchset holds.
async fn held(fhir: &Client, path: &str) -> Vec<(String, String, String)> {
    let page = fhir.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |entry: &Value| (text(&entry["search"]["mode"]), text(&entry["resource"]["resourceType"]), id(&entry["resource"]));
    page.body["entry"].as_array().into_iter().flatten().map(told).collect()
}

#[test]
fn several_types_bring_along_what_belongs_to_them() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (ada, all) = chart(&fhir).await;
        let own = format!("/?_type=Condition,Observation&patient={ada}");
        // Both of them name the patient, who stands there once.
        let found = held(&fhir, &format!("{own}&_include=Condition:subject&_include=Observation:subject")).await;
        let included: Vec<_> = found.iter().filter(|(mode, ..)| mode == "include").collect();
        assert_eq!(included, [&("include".to_owned(), "Patient".to_owned(), ada.clone())]);
        assert_eq!(found.iter().filter(|(mode, ..)| mode == "match").count(), 3);
        let observation = found.iter().find(|(_, name, _)| name == "Observation").unwrap().2.clone();
        let report = json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Depths"},
            "subject": {"reference": format!("Patient/{ada}")}, "result": [{"reference": format!("Observation/{observation}")}]});
        let report = id(&fhir.made(report).await);
        // Each page brings what belongs to its own.
        let mut brought = Vec::new();
        for page in fhir.pages(&format!("{own}&_revinclude=DiagnosticReport:result&_count=1")).await {
            let of = page["entry"].as_array().unwrap();
            assert!(of.len() == 1 || id(&of[0]["resource"]) == observation, "{page}");
            brought.extend(of[1..].iter().map(|entry| id(&entry["resource"])));
        }
        assert_eq!(brought, [report]);
        assert!(all.contains(&observation));
        // Nobody is brought along whom the caller may not search.
        let mut narrow = clinic.staff();
        narrow.scopes = vec!["user/Condition.rs".to_owned(), "user/Observation.rs".to_owned()].into();
        let narrow = world.fhir(narrow);
        let found = held(&narrow, &format!("{own}&_include=Condition:subject")).await;
        assert!(!found.is_empty() && found.iter().all(|(mode, ..)| mode == "match"), "{found:?}");
    });
}
