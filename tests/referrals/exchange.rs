//! Two tenants of the platform: one row in each, no look across.

use super::{arrived, count, draft};
use crate::world;
use crate::world::operations::{read, record, run};
use enamel::referrals::referral::REFERRAL;
use serde_json::json;
use uuid::Uuid;

#[test]
fn both_sides_have_their_own_row_and_know_the_same() {
    world::with(async |world| {
        let (here, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("GROUP_PRACTICE", None).await);
        let patient = here.patient("Silva").await.unwrap();
        let more = json!({"recipient_tenant_id": there.id, "patient_id": patient.id, "urgency": "EMERGENCY", "notes": "ours alone"});
        let made = draft(&here, more).await;
        let sent = record(run(&here.staff(), "sendReferral", Some(made.id), json!({})).await.unwrap());
        let exchange = sent.uuid("exchange_id").unwrap();
        let theirs = read(&there.staff(), &REFERRAL, arrived(&there, exchange).await).await.unwrap();
        assert_eq!(
            (theirs.text("referral_type"), theirs.text("status"), theirs.text("source"), theirs.uuid("sender_tenant_id")),
            (Some("INCOMING"), Some("SENT"), Some("PLATFORM"), Some(here.id))
        );
        assert_eq!(
            (theirs.text("reason"), theirs.get("notes").is_null(), theirs.get("patient_id").is_null()),
            (Some("Lesion at 36"), true, true)
        );
        let news = "type = 'NEW_INCOMING_REFERRAL' and priority = 'HIGH' and audience = 'TENANT'";
        assert_eq!((count(&there, "notifications", news).await, count(&here, "notifications", "true").await), (1, 0));
        assert_eq!(count(&here, "disclosures", &format!("recipient_tenant_id = '{}'", there.id)).await, 1);
        assert_eq!(read(&here.staff(), &REFERRAL, theirs.id).await.unwrap_err().code.status, 404, "nobody reads across");
        assert_eq!(read(&there.staff(), &REFERRAL, made.id).await.unwrap_err().code.status, 404);

        // The receiver alone answers.
        let refused = run(&here.staff(), "acceptReferral", Some(made.id), json!({})).await.err().unwrap();
        assert_eq!((refused.code.status, refused.faults[0].rule), (409, "party"));
        let staff = here.staff();
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let moved = scope.rows_once(&format!("update referrals set status = 'ACCEPTED' where id = '{}'", made.id), &[]).await;
        assert_eq!(moved.unwrap_err().code.code, "state.move_refused");
        drop(scope);
        record(run(&there.staff(), "acceptReferral", Some(theirs.id), json!({})).await.unwrap());
        let ours = read(&here.staff(), &REFERRAL, made.id).await.unwrap();
        assert_eq!((ours.text("status"), ours.get("accepted_at").is_null()), (Some("ACCEPTED"), false));
        record(run(&there.staff(), "completeReferral", Some(theirs.id), json!({"outcome_report": "Done"})).await.unwrap());
        let ours = read(&here.staff(), &REFERRAL, made.id).await.unwrap();
        assert_eq!((ours.text("status"), ours.text("outcome_report")), (Some("COMPLETED"), Some("Done")));
        assert_eq!(count(&here, "notifications", "type in ('REFERRAL_ACCEPTED', 'REFERRAL_COMPLETED')").await, 2);
        assert_eq!(count(&here, "referral_events", "event_type = 'COMPLETED' and actor_party = 'RECEIVER'").await, 1);
    });
}

#[test]
fn a_rejection_and_its_reason_arrive_at_the_sender() {
    world::with(async |world| {
        let (here, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let made = draft(&here, json!({"recipient_tenant_id": there.id})).await;
        let sent = record(run(&here.staff(), "sendReferral", Some(made.id), json!({})).await.unwrap());
        let theirs = arrived(&there, sent.uuid("exchange_id").unwrap()).await;
        assert_eq!(run(&there.staff(), "rejectReferral", Some(theirs), json!({})).await.err().unwrap().faults[0].field, "reason");
        record(run(&there.staff(), "rejectReferral", Some(theirs), json!({"reason": "No chair free"})).await.unwrap());
        let ours = read(&here.staff(), &REFERRAL, made.id).await.unwrap();
        assert_eq!(
            (ours.text("status"), ours.text("status_s2"), ours.text("rejection_reason")),
            (Some("REJECTED"), Some("CANCELLED"), Some("No chair free"))
        );
        assert_eq!(count(&here, "referral_events", "event_type = 'REJECTED' and note = 'No chair free'").await, 1);
        assert_eq!(count(&here, "disclosures", "true").await, 0, "without a record there is no account");
    });
}

#[test]
fn a_referral_goes_only_to_a_clinic_that_works() {
    world::with(async |world| {
        let (here, payer, gone) =
            (world.tenant("SOLO_PRACTICE", None).await, world.tenant("PAYER", None).await, world.tenant("SOLO_PRACTICE", None).await);
        world.truth().await.execute("update enamel.tenants set status = 'SUSPENDED' where id = $1", &[&gone.id]).await.unwrap();
        for recipient in [payer.id, gone.id] {
            let made = draft(&here, json!({"recipient_tenant_id": recipient})).await;
            let refused = run(&here.staff(), "sendReferral", Some(made.id), json!({})).await.err().unwrap();
            assert_eq!((refused.code.code, refused.faults[0].field.as_str()), ("reference.unknown", "recipient_tenant_id"));
            assert_eq!(read(&here.staff(), &REFERRAL, made.id).await.unwrap().text("status"), Some("DRAFT"));
        }
        for (recipient, rule) in [(Uuid::now_v7(), "reference"), (here.id, "check")] {
            let body = json!({"referral_type": "OUTGOING", "patient_name": "A", "patient_dob": "1980-01-01", "reason": "R", "recipient_tenant_id": recipient});
            let refused = crate::world::operations::create(&here.staff(), &REFERRAL, body).await.unwrap_err();
            assert_eq!((refused.faults[0].field.as_str(), refused.faults[0].rule), ("recipient_tenant_id", rule));
        }
    });
}

#[test]
fn when_one_cancels_and_the_other_accepts_both_rows_agree() {
    world::with(async |world| {
        let (here, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        // Both act in the same pool of one connection here, so the second waits at the door of another.
        for _ in 0..5 {
            let made = draft(&here, json!({"recipient_tenant_id": there.id})).await;
            let sent = record(run(&here.staff(), "sendReferral", Some(made.id), json!({})).await.unwrap());
            let theirs = arrived(&there, sent.uuid("exchange_id").unwrap()).await;
            let (sender, receiver) = (here.staff(), there.staff());
            let (cancelled, accepted) = tokio::join!(
                run(&sender, "cancelReferral", Some(made.id), json!({"reason": "changed their mind"})),
                run(&receiver, "acceptReferral", Some(theirs), json!({}))
            );
            assert!(cancelled.is_ok() || accepted.is_ok());
            let ours = read(&sender, &REFERRAL, made.id).await.unwrap();
            let theirs = read(&receiver, &REFERRAL, theirs).await.unwrap();
            assert_eq!(ours.text("status"), theirs.text("status"));
            // An accepted referral can still be cancelled; a cancelled one is never accepted.
            assert_eq!(ours.text("status"), Some(if cancelled.is_ok() { "CANCELLED" } else { "ACCEPTED" }));
        }
    });
}
