//! Searches that follow references, and what nobody learns by them.

use super::{Client, id, patient};
use crate::world;
use enamel::kernel::context::{Permission, Plane};
use serde_json::{Value, json};

fn observation(about: &str, code: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "subject": {"reference": format!("Patient/{about}")},
        "code": {"coding": [{"system": "urn:probe", "code": code}]}, "identifier": [{"system": "urn:x", "value": "Z-1"}]})
}

/// Ids of everything in the bundle of that mode.
async fn of_mode(fhir: &Client, path: &str, mode: &str) -> Vec<String> {
    let answer = fhir.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let entries = answer.body["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().filter(|entry| entry["search"]["mode"] == mode).map(|entry| id(&entry["resource"])).collect()
}

#[test]
fn chains_and_includes_follow_references_both_ways() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let bob = id(&fhir.made(patient("Babbage")).await);
        let depth = id(&fhir.made(observation(&ada, "depth")).await);
        let width = id(&fhir.made(observation(&bob, "width")).await);
        let mut member = observation(&ada, "whole");
        member["hasMember"] = json!([{"reference": format!("Observation/{depth}")}]);
        let whole = id(&fhir.made(member).await);
        let condition = id(&fhir
            .made(json!({"resourceType": "Condition", "code": {"text": "Caries"}, "subject": {"reference": format!("Patient/{bob}")}}))
            .await);
        for (path, found) in [
            ("/Observation?subject:Patient.name=babb", vec![&width]),
            ("/Observation?patient.name=babb", vec![&width]),
            ("/Observation?subject.family=nobody", vec![]),
            ("/Observation?has-member.code=depth", vec![&whole]),
            ("/Observation?has-member.subject:Patient.name=love", vec![&whole]),
            ("/Condition?subject:Patient.name=babb", vec![&condition]),
            ("/Condition?patient.name=love", vec![]),
            ("/Patient?_has:Observation:patient:code=depth", vec![&ada]),
            ("/Patient?_has:Observation:subject:code=urn:probe%7Cwidth", vec![&bob]),
            ("/Patient?_has:Condition:patient:_id=00000000-0000-4000-8000-000000000000", vec![]),
            (&format!("/Patient?_has:Condition:patient:_id={condition}"), vec![&bob]),
            ("/Patient?_has:Observation:patient:_has:Observation:has-member:code=whole", vec![&ada]),
        ] {
            assert_eq!(fhir.ids(path).await.iter().collect::<Vec<_>>(), found, "{path}");
        }
        for (path, included) in [
            (format!("/Observation?_id={width}&_include=Observation:subject"), vec![&bob]),
            (format!("/Observation?_id={width}&_include=Observation:subject:Patient"), vec![&bob]),
            (format!("/Observation?_id={width}&_include=Observation:subject:Group"), vec![]),
            (format!("/Observation?_id={whole}&_include=Observation:has-member"), vec![&depth]),
            (format!("/Observation?_id={whole}&_include=Observation:has-member&_include:iterate=Observation:subject"), vec![&depth, &ada]),
            (format!("/Condition?_id={condition}&_include=*"), vec![]),
            (format!("/Patient?_id={bob}&_revinclude=Observation:patient"), vec![&width]),
            (format!("/Patient?_id={bob}&_revinclude=Condition:patient"), vec![&condition]),
        ] {
            if path.ends_with("=*") {
                assert_eq!(fhir.get(&path).await.status, 400, "{path}");
                continue;
            }
            assert_eq!(of_mode(&fhir, &path, "include").await.iter().collect::<Vec<_>>(), included, "{path}");
            assert_eq!(of_mode(&fhir, &path, "match").await.len(), 1, "{path}");
        }
        let deep = "/Observation?has-member.has-member.has-member.has-member.code=a";
        for bad in [deep, "/Observation?status.name=a", "/Patient?_has:Observation:code:code=a", "/Patient?_include=Observation:code"] {
            assert_eq!(fhir.get(bad).await.status, 400, "{bad}");
        }
    });
}

#[test]
fn what_is_included_is_of_the_page_alone() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let caries = json!({"resourceType": "Condition", "code": {"text": "Caries"}, "subject": {"reference": format!("Patient/{ada}")}});
        let caries = id(&fhir.made(caries).await);
        let depth = id(&fhir.made(observation(&ada, "depth")).await);
        let mut member = observation(&ada, "whole");
        member["hasMember"] = json!([{"reference": format!("Observation/{depth}")}]);
        let whole = id(&fhir.made(member).await);
        // Each table has a page of its own, and what is cut off when they are merged brings nothing along.
        let both = "/?_type=Condition,Observation&_revinclude=Observation:has-member&_include=Condition:subject";
        for (count, matches, included) in
            [(1, vec![&caries], vec![&ada]), (2, vec![&caries, &depth], vec![&whole, &ada]), (3, vec![&caries, &depth, &whole], vec![&ada])]
        {
            let path = format!("{both}&_count={count}");
            assert_eq!(of_mode(&fhir, &path, "match").await.iter().collect::<Vec<_>>(), matches, "{path}");
            assert_eq!(of_mode(&fhir, &path, "include").await.iter().collect::<Vec<_>>(), included, "{path}");
        }
        // Nor does what an earlier search of the same transaction found.
        let asked = |name: &str| json!({"request": {"method": "GET", "url": format!("Patient?name={name}&_revinclude=Condition:patient")}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [asked("love"), asked("nobody"), asked("lovelace")]});
        let answers = fhir.post("/", &bundle).await.body;
        let found = |place: usize| {
            let entries = answers["entry"][place]["resource"]["entry"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|entry| id(&entry["resource"])).collect::<Vec<_>>()
        };
        assert_eq!([found(0), found(1), found(2)], [vec![ada.clone(), caries.clone()], vec![], vec![ada, caries]]);
    });
}

#[test]
fn a_search_tells_nothing_that_a_read_would_not() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let clinic = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
        let neighbour = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
        let ada = id(&clinic.fhir().made(patient("Lovelace")).await);
        let own = id(&clinic.fhir().made(observation(&ada, "depth")).await);
        let questions = [
            "Observation?code=depth",
            "Observation?identifier=urn:x%7CZ-1",
            "Observation?code:not=other",
            "Observation?subject:Patient.name=love",
            "Patient?_has:Observation:patient:code=depth",
        ];
        for question in questions {
            let counted = clinic.fhir().get(&format!("/{question}&_summary=count")).await.body;
            assert_eq!(counted["total"], 1, "{question}");
            let strange = neighbour.fhir().get(&format!("/{question}&_total=accurate")).await;
            assert_eq!(
                (strange.status.as_u16(), &strange.body["total"], &strange.body["entry"]),
                (200, &json!(0), &Value::Null),
                "{question}"
            );
        }
        // A patient of the clinic sees their own chart, and nobody's beside it.
        let bob = id(&clinic.fhir().made(patient("Babbage")).await).parse().unwrap();
        let portal = world.portal(&[(clinic.id, bob)]).await;
        // The front desk knows patients and reads nothing clinical.
        let desk = world.fhir(world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant, Permission::ViewPatient]));
        for question in questions {
            let answer = portal.get(&format!("/{question}&_total=accurate")).await;
            assert_eq!((answer.status.as_u16(), &answer.body["total"]), (200, &json!(0)), "{question}");
            assert_eq!(desk.get(&format!("/{question}&_total=accurate")).await.status, 403, "{question}");
        }
        assert_eq!(desk.ids(&format!("/Patient?_id={ada}&_revinclude=Observation:patient")).await, std::slice::from_ref(&ada));
        let included = of_mode(&desk, &format!("/Patient?_id={ada}&_revinclude=Observation:patient"), "include").await;
        assert!(included.is_empty(), "{included:?}");
        // A group reads its clinics; each identifier is hashed with its clinic's own key.
        let group = world.fhir(world.caller(Plane::Group, dso.id, None, Permission::ALL));
        assert_eq!(group.ids("/Observation?identifier=urn:x%7CZ-1").await, [own]);
        let truth = world.truth().await;
        let plain: i64 =
            truth.query_one("select count(*) from enamel.clinical_search_values where code = 'Z-1'", &[]).await.unwrap().get(0);
        assert_eq!(plain, 0, "an identifier stands nowhere as it is");
    });
}
