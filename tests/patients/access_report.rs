//! Who saw a record: told to its patient and to those who watch, to nobody else.

use super::portal_login;
use crate::world;
use crate::world::operations::{read, run};
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use enamel::patients::patient::PATIENT;
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_patient_learns_who_saw_their_record() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (mine, theirs) = (clinic.patient("Mine").await.unwrap().id, clinic.patient("Theirs").await.unwrap().id);
        let login = portal_login(world, clinic.id, mine).await;
        let doctor = Uuid::now_v7();
        world.truth().await.execute("insert into enamel.users (id, email, full_name, status) values ($1, $1::uuid::text || '@clinic.example', 'Dr. Who', 'ACTIVE')", &[&doctor]).await.unwrap();
        let staff = world.caller(Plane::Staff, clinic.id, Some(doctor), &[Permission::ViewPatient]);
        for patient in [mine, mine, mine, theirs] {
            let seen = read(&staff, &PATIENT, patient).await.unwrap();
            staff.saw(&staff.context, &seen).await.unwrap();
        }
        let person = world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewPatient]);
        let page =
            async |caller: &enamel::kernel::Caller, patient, body| match run(caller, "getPatientAccessReport", Some(patient), body).await {
                Ok(Answer::Page(records, next)) => Ok((records, next)),
                Ok(_) => panic!("no page"),
                Err(refusal) => Err(refusal.code.status),
            };
        let (first, next) = page(&person, mine, json!({"limit": 2})).await.unwrap();
        assert!(first.iter().all(|seen| seen.text("user_name") == Some("Dr. Who") && seen.text("purpose_of_use") == Some("TREATMENT")));
        let (second, last) = page(&person, mine, json!({"limit": 2, "cursor": next.unwrap()})).await.unwrap();
        let ids: std::collections::BTreeSet<_> = first.iter().chain(&second).map(|seen| seen.id).collect();
        assert!(ids.len() == 4 && last.is_none(), "three looks and the making of the record");
        assert_eq!(page(&person, theirs, json!({})).await.err(), Some(404));
        assert_eq!(page(&person, Uuid::now_v7(), json!({})).await.err(), Some(404));
        let watcher = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewAudit]);
        assert!(page(&watcher, mine, json!({})).await.unwrap().0.len() >= 4);
        assert_eq!(page(&staff, mine, json!({})).await.err(), Some(403));
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(page(&stranger, mine, json!({})).await.err(), Some(404));
    });
}
