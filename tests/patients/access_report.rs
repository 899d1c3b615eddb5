//! Who saw a record: told to its patient and to those who watch, to nobody else.

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
        let login = world.patient_login(&[(clinic.id, mine)]).await;
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

#[test]
fn a_report_tells_the_role_the_proxy_and_the_emergency() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Seen").await.unwrap().id;
        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let dentist = clinic.employee("CLINICIAN").await;
        let grant = Uuid::now_v7();
        world
            .truth()
            .await
            .execute(
                "insert into enamel.break_glass_grants (tenant_id, id, user_id, patient_id, reason, valid_from, valid_until)
             values ($1, $2, $3, $4, 'Anaphylaxis in the chair', now(), now() + interval '1 hour')",
                &[&clinic.id, &grant, &dentist.id, &patient],
            )
            .await
            .unwrap();
        let mut hurried = world.caller(Plane::Staff, clinic.id, Some(dentist.id), &[Permission::ViewPatient]);
        hurried.context.break_glass = Some(grant);
        let (proxy, _) = clinic.proxy(patient, &["clinical"]).await;
        let parent = world.caller(Plane::Patient, clinic.id, Some(proxy), &[Permission::ViewPatient]);
        let own = world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewPatient]);
        for caller in [&hurried, &parent, &own] {
            let seen = read(caller, &PATIENT, patient).await.unwrap();
            caller.saw(&caller.context, &seen).await.unwrap();
        }
        let Ok(Answer::Page(rows, _)) = run(&own, "getPatientAccessReport", Some(patient), json!({})).await else { panic!("no page") };
        let of = |login: Uuid| rows.iter().find(|row| row.uuid("user_id") == Some(login)).unwrap();
        let told = |login| (of(login).text("role"), of(login).uuid("on_behalf_of"), of(login).text("break_glass_reason"));
        assert_eq!(told(dentist.id), (Some("CLINICIAN"), None, Some("Anaphylaxis in the chair")));
        assert_eq!(told(proxy), (None, Some(patient), None));
        assert_eq!(told(login), (None, None, None));
    });
}

#[test]
fn colleagues_are_found_by_what_they_are() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (token, dentist) = (clinic.token("TENANT_ADMIN").await, clinic.employee("CLINICIAN").await);
        world
            .truth()
            .await
            .execute(
                "update enamel.user_tenants set user_type = 'HYGIENIST' where tenant_id = $1 and user_id = $2",
                &[&clinic.id, &dentist.id],
            )
            .await
            .unwrap();
        let (status, page) = world.get(Some(&token), "/users?tenant_user_type=HYGIENIST").await;
        assert_eq!(status, 200);
        let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
        assert_eq!(ids, [json!(dentist.id)]);
    });
}
