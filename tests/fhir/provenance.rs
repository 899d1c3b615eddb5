//! Who changed what, as Provenance: of every record and of what is kept whole, for those who may read the log and the record.

use super::{Client, bare, id, patient};
use crate::world;
use enamel::kernel::context::Permission;
use enamel::scheduling::appointment_event::APPOINTMENT_EVENT;
use serde_json::{Value as Json, json};

fn targets(provenance: &Json) -> Vec<&str> {
    provenance["target"].as_array().unwrap().iter().map(|target| target["reference"].as_str().unwrap()).collect()
}

async fn of(fhir: &Client, query: &str) -> Vec<Json> {
    let answer = fhir.get(&format!("/Provenance?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.body["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).collect()
}

#[test]
fn a_change_tells_who_made_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (mut caller, actor) = (clinic.staff(), uuid::Uuid::now_v7());
        caller.context.actor = Some(actor);
        let fhir = world.fhir(caller);
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let subject = json!({"reference": format!("Patient/{ada}")});
        let mut allergy = fhir
            .made(json!({"resourceType": "AllergyIntolerance", "patient": subject, "code": {"text": "Latex"},
                "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}}))
            .await;
        allergy["code"]["text"] = json!("Latex gloves");
        let changed = fhir.put(&format!("/AllergyIntolerance/{}", id(&allergy)), &allergy, &[]).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let told = of(&fhir, &format!("target=AllergyIntolerance/{}&_sort=_id", id(&allergy))).await;
        assert_eq!(told.len(), 2, "{told:?}");
        let kinds: Vec<&Json> = told.iter().map(|one| &one["activity"]["coding"][0]["code"]).collect();
        assert!(kinds.contains(&&json!("CREATE")) && kinds.contains(&&json!("UPDATE")), "{kinds:?}");
        let update = told.iter().find(|one| one["activity"]["coding"][0]["code"] == "UPDATE").unwrap();
        let version = changed.body["meta"]["versionId"].as_str().unwrap();
        let expected = [format!("AllergyIntolerance/{}/_history/{version}", id(&allergy)), format!("Patient/{ada}")];
        assert_eq!(targets(update), expected);
        assert_eq!(fhir.get(&format!("/{}", targets(update)[0])).await.status, 200, "its version is there");
        // Its author is the login that did it, and by that login's provider it is found.
        assert_eq!(update["agent"][0]["who"]["identifier"]["value"], format!("urn:uuid:{actor}"));
        let dentist = id(&fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await);
        let truth = world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        truth
            .execute("update enamel.providers set user_id = $1 where id = $2", &[&actor, &dentist.parse::<uuid::Uuid>().unwrap()])
            .await
            .unwrap();
        let again = fhir.get(&format!("/Provenance/{}", id(update))).await.body;
        assert_eq!(again["agent"][0]["who"]["reference"], format!("Practitioner/{dentist}"));
        let query = format!("patient={ada}&agent=Practitioner/{dentist}&recorded=ge2026-01-01&target=AllergyIntolerance/{}", id(&allergy));
        assert_eq!(of(&fhir, &query).await.len(), 2);
        assert!(of(&fhir, &format!("{query}&recorded=lt2020-01-01")).await.is_empty());
        assert!(of(&fhir, &format!("target=Condition/{}", id(&allergy))).await.is_empty());
        let beside = fhir.get(&format!("/AllergyIntolerance?_id={}&_revinclude=Provenance:target", id(&allergy))).await.body;
        assert_eq!(beside["entry"].as_array().unwrap().len(), 3, "{beside}");
        assert_eq!(fhir.ids(&format!("/AllergyIntolerance?_has:Provenance:target:agent=Practitioner/{dentist}")).await, [id(&allergy)]);
        // What is kept whole has a past as well, and what clients say of it stands beside ours.
        let goal = fhir
            .made(json!({"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "No pain"}, "subject": subject}))
            .await;
        assert_eq!(of(&fhir, &format!("target=Goal/{}", id(&goal))).await.len(), 1);
        let own = json!({"resourceType": "Provenance", "recorded": "2026-03-02T09:00:00Z", "target": [{"reference": format!("Goal/{}", id(&goal))}],
            "agent": [{"who": {"display": "A device"}}]});
        let made = fhir.made(own.clone()).await;
        assert_eq!(bare(&made), own);
        assert_eq!(of(&fhir, &format!("target=Goal/{}", id(&goal))).await.len(), 2);
        let refused = fhir.put(&format!("/Provenance/{}", id(update)), update, &[]).await;
        assert_eq!(refused.status, 405, "{}", refused.body);
    });
}

#[test]
fn nobody_learns_of_changes_they_may_not_see() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let condition = fhir
            .made(json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{ada}")}, "code": {"text": "Caries"}}))
            .await;
        let told = of(&fhir, &format!("target=Condition/{}", id(&condition))).await;
        let one = id(&told[0]);
        let without = |permission: Permission| {
            let mut caller = clinic.staff();
            let held: Vec<Permission> = Permission::ALL.iter().copied().filter(|held| *held != permission).collect();
            caller.context.caps = enamel::kernel::context::Caps::of(&held);
            world.fhir(caller)
        };
        let portal = world.portal(&[(clinic.id, ada.parse().unwrap())]).await;
        for (who, stranger) in [
            ("another clinic", other.fhir()),
            ("nobody of the log", without(Permission::ViewAudit)),
            ("nobody of the table", without(Permission::ViewClinical)),
            ("the patient", portal),
        ] {
            assert_ne!(stranger.get(&format!("/Provenance/{one}")).await.status, 200, "{who}");
            for query in [format!("target=Condition/{}", id(&condition)), format!("_id={one}"), "recorded=ge2020".to_owned()] {
                let answer = stranger.get(&format!("/Provenance?{query}")).await;
                let seen = answer.status == 200 && super::ids(&answer.body).contains(&one);
                assert!(!seen, "{who} by {query}");
            }
        }
    });
}

#[test]
fn what_a_patient_answers_is_an_appointment_response() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (ada, event, visit) = (clinic.patient("Lovelace").await.unwrap().id, uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        let truth = world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        let text = format!(
            "insert into enamel.{} (tenant_id, id, appointment_id, patient_id, event_type, actor_party, reason)
             values ($1, $2, $3, $4, $5, $6, 'I will be there')",
            APPOINTMENT_EVENT.name
        );
        truth.execute(&text, &[&clinic.id, &event, &visit, &ada, &"CONFIRMED", &"PATIENT"]).await.unwrap();
        truth.execute(&text, &[&clinic.id, &uuid::Uuid::now_v7(), &visit, &ada, &"CANCELLED", &"STAFF"]).await.unwrap();
        let shown = fhir.get(&format!("/AppointmentResponse?appointment=Appointment/{visit}")).await.body;
        assert_eq!(super::ids(&shown), [event.to_string()], "{shown}");
        assert_eq!(shown["entry"][0]["resource"]["participantStatus"], "accepted");
        assert_eq!(fhir.ids(&format!("/AppointmentResponse?patient={ada}&part-status=accepted")).await, [event.to_string()]);
    });
}
