//! Merging two records of one person: everything follows, nothing doubles, and it can be undone.

use crate::world::operations::{create, read, record, run, run_at};
use crate::world::{self, World};
use enamel::kernel::context::{Permission, Plane};
use enamel::patients::external_contact::EXTERNAL_CONTACT;
use enamel::patients::patient::PATIENT;
use enamel::patients::patient_address::PATIENT_ADDRESS;
use enamel::patients::patient_identifier::PATIENT_IDENTIFIER;
use enamel::patients::patient_relationship::PATIENT_RELATIONSHIP;
use serde_json::json;
use uuid::Uuid;

async fn into(world: &World, table: &str, patient: Uuid) -> i64 {
    world.truth().await.query_one(&format!("select count(*) from enamel.{table} where patient_id = $1"), &[&patient]).await.unwrap().get(0)
}

#[test]
fn what_belongs_to_the_source_follows_and_can_be_brought_back() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let (source, target, child) =
            (clinic.patient("Doubled").await.unwrap(), clinic.patient("Doubled").await.unwrap(), clinic.patient("Kid").await.unwrap());
        for patient in [source.id, target.id] {
            create(
                &staff,
                &PATIENT_IDENTIFIER,
                json!({"patient_id": patient, "system": "MRN", "value": patient.to_string(), "is_primary": true}),
            )
            .await
            .unwrap();
            create(&staff, &PATIENT_ADDRESS, json!({"patient_id": patient, "line1": "Somewhere 1", "is_primary": true})).await.unwrap();
            create(
                &staff,
                &PATIENT_RELATIONSHIP,
                json!({"patient_id": child.id, "related_patient_id": patient, "relationship_type": "PARENT"}),
            )
            .await
            .unwrap();
        }
        create(
            &staff,
            &PATIENT_RELATIONSHIP,
            json!({"patient_id": source.id, "related_patient_id": target.id, "relationship_type": "SPOUSE"}),
        )
        .await
        .unwrap();
        let contact = create(&staff, &EXTERNAL_CONTACT, json!({"patient_id": source.id, "full_name": "Aunt Emma"})).await.unwrap();
        create(
            &staff,
            &PATIENT_RELATIONSHIP,
            json!({"patient_id": source.id, "external_contact_id": contact.id, "relationship_type": "EMERGENCY_CONTACT"}),
        )
        .await
        .unwrap();
        let login = world.patient_login(&[(clinic.id, source.id)]).await;
        assert_eq!(read(&staff, &PATIENT, source.id).await.unwrap().uuid("user_id"), Some(login));

        let body = json!({"into_patient_id": target.id, "reason": "same person"});
        let current = read(&staff, &PATIENT, source.id).await.unwrap().version;
        assert_eq!(run_at(&staff, "mergePatient", Some(source.id), Some(current + 1), body.clone()).await.err().unwrap().code.status, 412);
        let kept = record(run_at(&staff, "mergePatient", Some(source.id), Some(current), body).await.unwrap());
        assert_eq!((kept.id, kept.uuid("user_id"), kept.text("emergency_contact_name")), (target.id, Some(login), Some("Aunt Emma")));
        let gone = read(&staff, &PATIENT, source.id).await.unwrap();
        assert_eq!((gone.uuid("merged_into_id"), gone.text("status")), (Some(target.id), Some("INACTIVE")));
        for (table, there, left) in [
            ("patient_identifiers", 2, 0),
            ("patient_addresses", 2, 0),
            ("external_contacts", 1, 0),
            ("patient_portal_accounts", 1, 0),
            ("patient_relationships", 1, 1),
        ] {
            assert_eq!((into(world, table, target.id).await, into(world, table, source.id).await), (there, left), "{table}");
        }
        // Both logs say so.
        let truth = world.truth().await;
        let told: i64 = truth
            .query_one(
                "select count(distinct patient_id) from enamel.audit_events where tenant_id = $1 and event_type = 'PATIENT_MERGED'",
                &[&clinic.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(told, 2);
        assert_eq!(
            run(&staff, "reactivatePatient", Some(source.id), json!({"reason": "x"})).await.err().unwrap().code.code,
            "state.move_refused"
        );

        // Undone from the change log alone: the images before, newest first.
        let moved = truth
            .query(
                "select table_name, record_id, old_values->>'patient_id' from enamel.change_log
             where request_id = $1 and action = 'UPDATE' and 'patient_id' = any (changed_fields) order by occurred_at desc",
                &[&staff.context.request],
            )
            .await
            .unwrap();
        for row in moved.iter().filter(|row| row.get::<_, Option<String>>(2).is_some()) {
            let (table, id, old): (String, Uuid, String) = (row.get(0), row.get(1), row.get(2));
            truth
                .execute(&format!("update enamel.{table} set patient_id = $2 where id = $1"), &[&id, &old.parse::<Uuid>().unwrap()])
                .await
                .unwrap();
        }
        assert_eq!((into(world, "patient_identifiers", source.id).await, into(world, "external_contacts", source.id).await), (1, 1));
    });
}

#[test]
fn rings_strangers_and_doubles_are_refused() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let staff = clinic.staff();
        let (a, b, c) =
            (clinic.patient("A").await.unwrap().id, clinic.patient("B").await.unwrap().id, clinic.patient("C").await.unwrap().id);
        let foreign = other.patient("Foreign").await.unwrap().id;
        let merge = async |caller: &enamel::kernel::Caller, from, to| {
            run(caller, "mergePatient", Some(from), json!({"into_patient_id": to, "reason": "same"}))
                .await
                .map(|_| ())
                .map_err(|refusal| refusal.code.status)
        };
        assert_eq!(merge(&staff, a, a).await, Err(422));
        assert_eq!(merge(&staff, a, foreign).await, Err(422));
        assert_eq!(merge(&staff, a, Uuid::now_v7()).await, Err(422));
        assert_eq!(merge(&staff, foreign, a).await, Err(404));
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewPatient]);
        assert_eq!(merge(&weak, a, b).await, Err(403));
        assert_eq!(merge(&world.caller(Plane::Patient, clinic.id, Some(a), &[]), a, b).await, Err(403));
        world.patient_login(&[(clinic.id, a)]).await;
        world.patient_login(&[(clinic.id, b)]).await;
        assert_eq!(merge(&staff, a, b).await, Err(409));
        // Two that merge into each other at once: one comes in, whichever it is.
        let (one, two) = tokio::join!(merge(&staff, b, c), merge(&staff, c, b));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let (gone, kept) = if one.is_ok() { (b, c) } else { (c, b) };
        assert_eq!((merge(&staff, kept, gone).await, merge(&staff, gone, kept).await), (Err(422), Err(409)));
    });
}
