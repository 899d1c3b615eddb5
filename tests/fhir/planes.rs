//! Who sees what through FHIR, and what is remembered of it.

use super::{id, patient};
use crate::world;
use enamel::kernel::context::{Permission, Plane};
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_clinic_sees_its_own_and_a_foreign_id_is_a_random_one() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let north = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
        let south = world.tenant("GROUP_PRACTICE", Some(dso.id)).await;
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let mut ada = patient("Lovelace");
        ada["identifier"] = json!([{"system": "urn:x", "value": "42"}]);
        ada["photo"] = json!([{"title": "kept"}]);
        let ada = north.fhir().made(ada).await;
        let bob = south.fhir().made(patient("Babbage")).await;
        let path = format!("/Patient/{}", id(&ada));
        for stranger in [south.fhir(), other.fhir()] {
            let (foreign, random) = (stranger.get(&path).await, stranger.get(&format!("/Patient/{}", Uuid::now_v7())).await);
            assert_eq!((foreign.status, &foreign.body), (random.status, &random.body));
            assert_eq!(foreign.status, 404);
            let mut body = patient("Copied");
            let nowhere = Uuid::now_v7().to_string();
            let mut answers = Vec::new();
            for to in [id(&ada), nowhere] {
                body["id"] = json!(to);
                let put = stranger.put(&format!("/Patient/{to}"), &body, &[]).await;
                let gone = stranger.send(poem::http::Method::DELETE, &format!("/Patient/{to}"), &[], Vec::new()).await;
                let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": format!("Patient/{to}")}}]});
                let mut got = stranger.post("/", &batch).await.body;
                got["entry"][0].as_object_mut().unwrap().shift_remove("fullUrl");
                answers.push((put.status, super::bare(&put.body), gone.status, got["entry"].clone()));
            }
            // A PUT makes a patient of theirs, under whatever id.
            assert_eq!(answers[0], answers[1]);
            assert_eq!((answers[0].0.as_u16(), answers[0].2.as_u16()), (201, 204));
            assert!(stranger.ids("/Patient?name=lovelace").await.is_empty());
        }
        assert_eq!(north.fhir().get(&path).await.body, ada);
        let group = world.fhir(world.caller(Plane::Group, dso.id, None, &[Permission::ViewPatient, Permission::ViewTenant]));
        assert_eq!(group.ids("/Patient?_sort=family").await, [id(&bob), id(&ada)]);
        assert_eq!(group.ids("/Patient?identifier=urn:x%7C42").await, [id(&ada)]);
        assert_eq!(group.get(&path).await.body, ada, "with what no column holds");
        // Each of the two had the other's id once, and gave it up: what stands is what the group reads, in whatever order rows lie.
        let theirs = format!("/Patient/{}", id(&bob));
        let mut copied = patient("Copied");
        copied["id"] = bob["id"].clone();
        assert_eq!(north.fhir().put(&theirs, &copied, &[]).await.status, 201);
        assert_eq!(north.fhir().send(poem::http::Method::DELETE, &theirs, &[], Vec::new()).await.status, 204);
        assert_eq!(group.get(&theirs).await.body, bob);
        assert_eq!(group.post("/Patient", &patient("New")).await.status, 403);
        assert_eq!(group.ids("/Organization?_count=10").await.len(), 3);
        let blind = world.fhir(world.caller(Plane::Staff, north.id, None, &[Permission::ViewTenant]));
        assert_eq!(blind.get(&path).await.status, 403);
        let reader = world.fhir(world.caller(Plane::Staff, north.id, None, &[Permission::ViewPatient]));
        assert_eq!(reader.get(&path).await.status, 200);
        assert_eq!(reader.post("/Patient", &patient("New")).await.status, 403);
        let nobody = world.fhir(world.caller(Plane::Auth, north.id, None, &[]));
        assert_eq!(nobody.get(&path).await.status, 401);
        assert_eq!(nobody.get("/metadata").await.status, 200);
    });
}

#[test]
fn a_patient_sees_their_own_record_in_each_clinic_that_knows_them() {
    world::with(async |world| {
        let (mut own, mut charts) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let clinic = world.tenant("SOLO_PRACTICE", None).await;
            clinic.fhir().made(patient("Stranger")).await;
            let mut ada = patient("Lovelace");
            ada["identifier"] = json!([{"system": "urn:x", "value": "1"}]);
            ada["photo"] = json!([{"title": "kept"}]);
            let ada = clinic.fhir().made(ada).await;
            charts.push((clinic.id, id(&ada).parse().unwrap()));
            own.push(ada);
        }
        let ada = world.portal(&charts).await;
        let mut expected: Vec<String> = own.iter().map(id).collect();
        expected.sort();
        assert_eq!(ada.ids("/Patient").await, expected);
        assert_eq!(ada.ids("/Patient?identifier=1").await, expected);
        for one in &own {
            assert_eq!(&ada.get(&format!("/Patient/{}", id(one))).await.body, one);
        }
        for name in ["RelatedPerson", "Coverage", "Practitioner", "PractitionerRole", "Location", "Organization"] {
            assert_eq!(ada.get(&format!("/{name}")).await.status, 200, "{name}");
        }
        assert_eq!(ada.post("/Patient", &patient("New")).await.status, 403);
    });
}

#[test]
fn reads_and_changes_are_remembered_as_over_rest() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let made = fhir.made(patient("Lovelace")).await;
        let path = format!("/Patient/{}", id(&made));
        fhir.get(&path).await;
        fhir.ids("/Patient?name=love").await;
        fhir.put(&path, &made, &[]).await;
        fhir.get(&format!("/Patient/{}", Uuid::now_v7())).await;
        fhir.send(poem::http::Method::DELETE, &path, &[], Vec::new()).await;
        let rows = world
            .truth()
            .await
            .query("select event_type, outcome from enamel.audit_events where tenant_id = $1 order by occurred_at, id", &[&clinic.id])
            .await
            .unwrap();
        let told: Vec<String> = rows.iter().map(|row| format!("{} {}", row.get::<_, String>(0), row.get::<_, String>(1))).collect();
        assert_eq!(
            told,
            [
                "PATIENT_CREATED SUCCESS",
                "PATIENT_VIEWED SUCCESS",
                "RECORD_SEARCHED SUCCESS",
                "PATIENT_UPDATED SUCCESS",
                "RECORD_READ FAILED",
                "RECORD_DELETED SUCCESS"
            ]
        );
    });
}
