//! A referral to somebody off the platform, and what comes in on paper.

use super::{contact, count, draft};
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use enamel::patients::patient::PATIENT;
use enamel::referrals::referral::REFERRAL;
use enamel::referrals::referral_file::REFERRAL_FILE;
use serde_json::json;

#[test]
fn a_referral_goes_out_is_answered_by_hand_and_ends_with_its_outcome() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient, contact) = (clinic.staff(), clinic.patient("Silva").await.unwrap(), contact(&clinic).await);
        let made = draft(&clinic, json!({"patient_id": patient.id, "contact_id": contact.id})).await;
        assert_eq!((made.text("status"), made.uuid("from_clinic_id")), (Some("DRAFT"), Some(clinic.id)));
        let sent = record(run(&staff, "sendReferral", Some(made.id), json!({})).await.unwrap());
        assert_eq!((sent.text("status"), sent.get("exchange_id").is_null()), (Some("SENT"), true));
        let told = format!("resource_id = '{}' and category = 'REFERRAL' and not is_accountable and recipient_name = 'Dr. Root'", made.id);
        assert_eq!(count(&clinic, "disclosures", &told).await, 1);

        record(run(&staff, "acceptReferral", Some(made.id), json!({})).await.unwrap());
        let begun = record(run(&staff, "startReferral", Some(made.id), json!({})).await.unwrap());
        assert_eq!((begun.text("status"), begun.text("status_s2")), (Some("IN_PROGRESS"), Some("ACCEPTED")));
        let done = record(run(&staff, "completeReferral", Some(made.id), json!({"outcome_report": "Root filled"})).await.unwrap());
        assert_eq!((done.text("status"), done.text("outcome_report")), (Some("COMPLETED"), Some("Root filled")));
        let refused = run(&staff, "cancelReferral", Some(made.id), json!({})).await.err().unwrap();
        assert_eq!(refused.code.code, "state.move_refused");

        let Answer::Page(events, _) = run(&staff, "getReferralEvents", Some(made.id), json!({})).await.unwrap() else { panic!() };
        let kinds: Vec<_> = events.iter().map(|event| (event.text("event_type").unwrap(), event.text("actor_party").unwrap())).collect();
        let wanted =
            [("CREATED", "SENDER"), ("SENT", "SENDER"), ("ACCEPTED", "RECEIVER"), ("STARTED", "RECEIVER"), ("COMPLETED", "RECEIVER")];
        assert_eq!(kinds, wanted);
        // The patient sees the same life, another one of the clinic sees nothing.
        let login = world.patient_login(&[(clinic.id, patient.id)]).await;
        let person = world.caller(Plane::Patient, clinic.id, Some(login), Permission::ALL);
        let Answer::Page(events, _) = run(&person, "getReferralEvents", Some(made.id), json!({})).await.unwrap() else { panic!() };
        assert_eq!(events.len(), 5);
        let other = clinic.patient("Other").await.unwrap();
        let login = world.patient_login(&[(clinic.id, other.id)]).await;
        let person = world.caller(Plane::Patient, clinic.id, Some(login), Permission::ALL);
        assert_eq!(run(&person, "getReferralEvents", Some(made.id), json!({})).await.err().unwrap().code.status, 404);
    });
}

#[test]
fn what_may_not_be_sent_is_not() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let nowhere = draft(&clinic, json!({})).await;
        let refused = run(&staff, "sendReferral", Some(nowhere.id), json!({})).await.err().unwrap();
        assert_eq!((refused.code.status, refused.faults[0].field.as_str()), (422, "contact_id"));
        let contact = contact(&clinic).await;
        patch(&staff, &enamel::directory::contact::CONTACT, contact.id, 1, json!({"status": "INACTIVE"})).await.unwrap();
        let retired = draft(&clinic, json!({"contact_id": contact.id})).await;
        let refused = run(&staff, "sendReferral", Some(retired.id), json!({})).await.err().unwrap();
        assert_eq!((refused.code.status, refused.faults[0].rule), (422, "active"));
        // SQL does not get round it either.
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let moved = scope.rows_once(&format!("update referrals set status = 'SENT' where id = '{}'", nowhere.id), &[]).await;
        assert_eq!(moved.unwrap_err().faults[0].field, "contact_id");
        drop(scope);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewReferral]);
        assert_eq!(run(&weak, "sendReferral", Some(retired.id), json!({})).await.err().unwrap().code.status, 403);
        let teeth =
            json!({"referral_type": "OUTGOING", "patient_name": "A", "patient_dob": "1980-01-01", "reason": "R", "fdi_teeth": ["19"]});
        assert_eq!(create(&staff, &REFERRAL, teeth).await.unwrap_err().faults[0].field, "fdi_teeth");
    });
}

#[test]
fn what_was_sent_stays_as_it_was_sent() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, contact) = (clinic.staff(), contact(&clinic).await);
        let made = draft(&clinic, json!({"contact_id": contact.id})).await;
        let made = patch(&staff, &REFERRAL, made.id, made.version, json!({"reason": "Lesion at 37"})).await.unwrap();
        let sent = record(run(&staff, "sendReferral", Some(made.id), json!({})).await.unwrap());
        let refused = patch(&staff, &REFERRAL, sent.id, sent.version, json!({"reason": "Another"})).await.unwrap_err();
        assert_eq!(refused.code.code, "record.append_only");
        patch(&staff, &REFERRAL, sent.id, sent.version, json!({"notes": "rang them"})).await.unwrap();
    });
}

#[test]
fn what_came_in_is_matched_by_a_person() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let body = json!({"referral_type": "INCOMING", "patient_name": "Silva, Ana", "patient_dob": "1980-02-29",
            "patient_phone": "+4930123456", "patient_email": "not an address", "reason": "R", "sender_clinic_name": "Paper clinic"});
        let made = create(&staff, &REFERRAL, body).await.unwrap();
        assert_eq!((made.text("status"), made.get("sent_at").is_null()), (Some("SENT"), false), "what comes in was sent");
        let file = crate::world::files::ready(&clinic).await;
        let body = json!({"referral_id": made.id, "file_id": file, "file_name": "film.png", "file_type": "image/png", "file_size": 3,
            "uploaded_at": "2026-01-01T00:00:00Z"});
        let file = create(&staff, &REFERRAL_FILE, body).await.unwrap();
        // Only the receiver answers what came in; the sender, who is not here, would cancel.
        let refused = run(&staff, "cancelReferral", Some(made.id), json!({})).await.err().unwrap();
        assert_eq!((refused.code.status, refused.faults[0].rule), (409, "party"));
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let moved = scope.rows_once(&format!("update referrals set status = 'CANCELLED' where id = '{}'", made.id), &[]).await;
        assert_eq!(moved.unwrap_err().code.code, "state.move_refused");
        drop(scope);

        for body in [json!({}), json!({"create": false}), json!({"create": true, "patient_id": made.id})] {
            assert_eq!(run(&staff, "matchReferralPatient", Some(made.id), body).await.err().unwrap().faults[0].rule, "one_of");
        }
        let stranger = world.tenant("SOLO_PRACTICE", None).await.patient("Stranger").await.unwrap();
        let refused = run(&staff, "matchReferralPatient", Some(made.id), json!({"patient_id": stranger.id})).await.err().unwrap();
        assert_eq!(refused.code.code, "reference.unknown");
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewReferral, Permission::EditReferral]);
        assert_eq!(run(&weak, "matchReferralPatient", Some(made.id), json!({"create": true})).await.err().unwrap().code.status, 403);

        let matched = record(run(&staff, "matchReferralPatient", Some(made.id), json!({"create": true})).await.unwrap());
        let patient = read(&staff, &PATIENT, matched.uuid("patient_id").unwrap()).await.unwrap();
        assert_eq!(
            (patient.text("first_name"), patient.text("last_name"), patient.text("dob")),
            (Some("Ana"), Some("Silva"), Some("1980-02-29"))
        );
        assert_eq!((patient.text("phone_mobile"), patient.get("contact_email").is_null()), (Some("+4930123456"), true));
        assert!(patient.flag("needs_identity_check"));
        assert_eq!(read(&staff, &REFERRAL_FILE, file.id).await.unwrap().uuid("patient_id"), Some(patient.id));
        assert_eq!(count(&clinic, "referral_events", &format!("patient_id = '{}'", patient.id)).await, 2, "what was before follows");
        assert_eq!(run(&staff, "matchReferralPatient", Some(made.id), json!({"create": true})).await.err().unwrap().code.status, 409);
        let right = clinic.patient("Right").await.unwrap();
        let matched = record(run(&staff, "matchReferralPatient", Some(made.id), json!({"patient_id": right.id})).await.unwrap());
        assert_eq!(matched.uuid("patient_id"), Some(right.id));
        assert_eq!(count(&clinic, "referral_events", &format!("patient_id <> '{}' or patient_id is null", right.id)).await, 0);
        let outgoing = draft(&clinic, json!({})).await;
        let refused = run(&staff, "matchReferralPatient", Some(outgoing.id), json!({"create": true})).await.err().unwrap();
        assert_eq!((refused.code.status, refused.faults[0].rule), (409, "party"));
    });
}
