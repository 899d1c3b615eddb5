//! A receiver without a login answers with a key, once; the sender's people are told.

use super::{contact, count, draft};
use crate::world;
use crate::world::World;
use crate::world::operations::run;
use crate::world::tenants::Clinic;
use enamel::kernel::operation::Answer;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A referral on its way to somebody who is not on the platform.
async fn sent(clinic: &Clinic) -> Uuid {
    let patient = clinic.patient("Silva").await.unwrap().id;
    let made = draft(clinic, json!({"contact_id": contact(clinic).await.id, "patient_id": patient})).await;
    run(&clinic.staff(), "sendReferral", Some(made.id), json!({})).await.unwrap();
    made.id
}

async fn key(clinic: &Clinic, referral: Uuid) -> String {
    let Answer::Object(link) = run(&clinic.staff(), "makeReferralAnswerLink", Some(referral), json!({})).await.unwrap() else { panic!() };
    link["token"].as_str().unwrap().to_owned()
}

async fn answer(world: &World, token: &str, answer: &str, note: Option<&str>) -> (u16, Json) {
    let (status, body) = world.post(None, "/referrals/respond-by-link", json!({"token": token, "answer": answer, "note": note})).await;
    (status, body)
}

#[test]
fn a_key_takes_one_answer() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let referral = sent(&clinic).await;
        let (first, second) = (key(&clinic, referral).await, key(&clinic, referral).await);
        assert_eq!(answer(world, &first, "ACCEPTED", None).await.0, 404, "a new key ends the one before");
        assert_eq!(answer(world, "en_ra_nothing", "ACCEPTED", None).await.0, 404);
        assert_eq!(answer(world, &second, "COMPLETED", Some("done")).await.0, 409, "nobody accepted it yet");
        let (status, body) = answer(world, &second, "REJECTED", None).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("note")));
        assert_eq!(answer(world, &second, "ACCEPTED", Some("Comes on Monday")).await, (200, json!({"status": "ACCEPTED"})));
        assert_eq!(answer(world, &second, "ACCEPTED", None).await.0, 404, "a key is good once");

        let third = key(&clinic, referral).await;
        assert_eq!(answer(world, &third, "COMPLETED", Some("Root canal done")).await.0, 200);
        let told = "status = 'COMPLETED' and accepted_at is not null and completed_at is not null and outcome_report = 'Root canal done'";
        assert_eq!(count(&clinic, "referrals", told).await, 1);
        assert_eq!(
            count(&clinic, "referral_events", "event_type = 'ACCEPTED' and note = 'Comes on Monday' and actor_party = 'RECEIVER'").await,
            1
        );
        assert_eq!(count(&clinic, "notifications", "type in ('REFERRAL_ACCEPTED', 'REFERRAL_COMPLETED')").await, 2);
        assert_eq!(
            count(&clinic, "audit_events", "event_type = 'REFERRAL_ANSWERED' and outcome = 'SUCCESS' and patient_id is not null").await,
            2
        );
        assert_eq!(count(&clinic, "audit_events", "event_type = 'REFERRAL_ANSWERED' and outcome = 'DENIED'").await, 1);
        let ended = run(&clinic.staff(), "makeReferralAnswerLink", Some(referral), json!({})).await.err().unwrap();
        assert_eq!((ended.code.code, ended.faults[0].field.as_str()), ("state.move_refused", "status"));
    });
}

#[test]
fn a_key_is_for_ones_own_referral_to_somebody_outside() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let referral = sent(&clinic).await;
        let link = async |of: &Clinic, id| run(&of.staff(), "makeReferralAnswerLink", Some(id), json!({})).await.err().unwrap().code.code;
        assert_eq!((link(&other, referral).await, link(&other, Uuid::now_v7()).await), ("not_found", "not_found"));
        assert_eq!(link(&clinic, draft(&clinic, json!({})).await.id).await, "state.move_refused", "a draft");
        let inside = draft(&clinic, json!({"recipient_tenant_id": other.id})).await.id;
        run(&clinic.staff(), "sendReferral", Some(inside), json!({})).await.unwrap();
        assert_eq!(link(&clinic, inside).await, "state.move_refused", "a clinic of the platform answers for itself");

        let late = key(&clinic, referral).await;
        let ended = "update enamel.referral_exchanges set token_expires_at = now() - interval '1 second' where sender_referral_id = $1";
        world.truth().await.execute(ended, &[&referral]).await.unwrap();
        assert_eq!(answer(world, &late, "ACCEPTED", None).await.0, 404, "its time is over");
        assert_eq!(count(&clinic, "referrals", &format!("id = '{referral}' and status = 'SENT'")).await, 1);
        // No plane reads a key, not even as it is kept.
        let kept = late.clone();
        let stored = "select count(*) from enamel.referral_exchanges where encode(answer_token_hash, 'escape') like '%' || $1 || '%'";
        assert_eq!(world.truth().await.query_one(stored, &[&kept]).await.unwrap().get::<_, i64>(0), 0);
    });
}
