//! The public form, as somebody without a login sends it.

use super::count;
use crate::world::operations::{create, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::kernel::context::{Permission, Plane};
use enamel::referrals::referral_link::REFERRAL_LINK;
use enamel::referrals::referral_submission::REFERRAL_SUBMISSION;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The work the form asks for, done as its description says.
fn proof(slug: &str, bits: u64) -> String {
    let mut count = 0u64;
    loop {
        let stamp = format!("{}.{}.{count}", chrono::Utc::now().timestamp(), Uuid::now_v7().simple());
        let hash = Sha256::digest(format!("enamel-refer\n{slug}\n{stamp}"));
        if u64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros()) >= bits {
            return stamp;
        }
        count += 1;
    }
}

async fn form(world: &'static World) -> (Clinic, String) {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let link = create(&clinic.staff(), &REFERRAL_LINK, json!({})).await.unwrap();
    let slug = link.text("slug").unwrap().to_owned();
    (clinic, slug)
}

/// A letter that may be sent, with more fields or others.
async fn letter(world: &World, slug: &str, more: Json) -> Json {
    let (status, shown) = world.get(None, &format!("/refer/{slug}")).await;
    let (bits, text) =
        if status == 200 { (shown["proof_bits"].as_u64().unwrap(), shown["consent_text_id"].clone()) } else { (16, Json::Null) };
    let mut body = json!({"proof": proof(slug, bits), "consent": true, "consent_text_id": text, "sender_clinic_name": "Next Door Dental",
        "sender_clinic_email": "desk@nextdoor.example", "patient_name": "Ana Silva", "patient_dob": "1980-02-29",
        "reason": "Lesion at 36", "fdi_teeth": ["36"], "urgency": "URGENT"});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body
}

#[test]
fn a_letter_becomes_a_referral_and_its_sender_can_ask_what_became_of_it() {
    world::with(async |world| {
        let (clinic, slug) = form(world).await;
        let text = Uuid::now_v7();
        world
            .truth()
            .await
            .execute(
                "insert into enamel.consent_texts (tenant_id, id, code, version_no, body, consent_types, effective_from)
            values ($1, $2, 'REFER', 1, 'I may send this.', '{DATA_SHARING}', now() - interval '1 day')",
                &[&clinic.id, &text],
            )
            .await
            .unwrap();
        let body = letter(world, &slug, json!({})).await;
        assert_eq!(body["consent_text_id"], json!(text));
        let (status, receipt) = world.post(None, &format!("/refer/{slug}"), body.clone()).await;
        assert_eq!(status, 200, "{receipt}");
        assert!(!receipt.to_string().contains("Silva"), "nothing is echoed");
        let referral =
            "referral_type = 'INCOMING' and status = 'SENT' and source = 'PUBLIC_FORM' and urgency = 'URGENT' and patient_id is null";
        assert_eq!(count(&clinic, "referrals", referral).await, 1);
        let stored = format!("status = 'ACCEPTED' and referral_id is not null and consent_text_id = '{text}' and ip_address is not null");
        assert_eq!(count(&clinic, "referral_submissions", &stored).await, 1);
        assert_eq!(count(&clinic, "notifications", "type = 'NEW_INCOMING_REFERRAL'").await, 1);
        assert_eq!(count(&clinic, "referral_submissions", "position('Silva'::bytea in payload_enc) > 0").await, 0, "sealed");
        let token = receipt["status_token"].as_str().unwrap();
        let (status, state) = world.get(None, &format!("/referral-submissions/public-status?token={token}")).await;
        assert_eq!((status, &state), (200, &json!({"status": "ACCEPTED", "referral_status": "SENT"})));
        world
            .truth()
            .await
            .execute("update enamel.referral_submissions set token_expires_at = now() where tenant_id = $1", &[&clinic.id])
            .await
            .unwrap();
        for token in [token, "x", &"A".repeat(64)] {
            assert_eq!(world.get(None, &format!("/referral-submissions/public-status?token={token}")).await.0, 404);
        }
        // The same work pays for one letter.
        let (status, again) = world.post(None, &format!("/refer/{slug}"), body).await;
        assert_eq!((status, again["errors"][0]["rule"].as_str()), (409, Some("proof")), "{again}");
        assert_eq!(count(&clinic, "referrals", "true").await, 1);
    });
}

#[test]
fn what_breaks_a_rule_is_refused_and_leaves_nothing() {
    world::with(async |world| {
        let (clinic, slug) = form(world).await;
        for (more, rule) in [
            (json!({"consent": false}), "consent"),
            (json!({"proof": "1.x"}), "proof"),
            (json!({"proof": proof("another-form", 16)}), "proof"),
            (json!({"consent_text_id": Uuid::now_v7()}), "consent"),
            (json!({"patient_dob": "2999-01-01"}), "range"),
            (json!({"fdi_teeth": ["99"]}), "format"),
            (json!({"sender_clinic_email": "nobody"}), "format"),
            (json!({"reason": "x".repeat(4_001)}), "length"),
            (json!({"status": "ACCEPTED"}), "unknown"),
        ] {
            let (status, refused) = world.post(None, &format!("/refer/{slug}"), letter(world, &slug, more.clone()).await).await;
            assert_eq!((status, refused["errors"][0]["rule"].as_str()), (422, Some(rule)), "{more}: {refused}");
        }
        assert_eq!(count(&clinic, "referral_submissions", "true").await, 0);
        // Unknown and inactive: one answer.
        world
            .truth()
            .await
            .execute("update enamel.referral_links set status = 'INACTIVE' where tenant_id = $1", &[&clinic.id])
            .await
            .unwrap();
        let off = world.post(None, &format!("/refer/{slug}"), letter(world, &slug, json!({})).await).await;
        let never = world.post(None, "/refer/never-was", letter(world, "never-was", json!({})).await).await;
        assert_eq!((off.0, &off.1["code"], &off.1["title"]), (404, &never.1["code"], &never.1["title"]));
    });
}

#[test]
fn one_address_cannot_flood_a_form() {
    world::with(async |world| {
        let (_, slug) = form(world).await;
        let mut last = 0;
        for _ in 0..25 {
            last = world.post(None, &format!("/refer/{slug}"), letter(world, "none", json!({"proof": "x"})).await).await.0;
        }
        assert_eq!(last, 429);
    });
}

#[test]
fn what_looks_bad_waits_for_a_person() {
    world::with(async |world| {
        let (clinic, slug) = form(world).await;
        for _ in 0..2 {
            let body = letter(world, &slug, json!({"reason": "see https://evil.example"})).await;
            assert_eq!(world.post(None, &format!("/refer/{slug}"), body).await.0, 200, "the sender learns nothing");
        }
        assert_eq!(
            (count(&clinic, "referrals", "true").await, count(&clinic, "referral_submissions", "status = 'QUARANTINED'").await),
            (0, 2)
        );
        assert_eq!(count(&clinic, "notifications", "resource_type = 'ReferralSubmission'").await, 2);
        let rows =
            world.truth().await.query("select id from enamel.referral_submissions where tenant_id = $1", &[&clinic.id]).await.unwrap();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let staff = clinic.staff();
        assert_eq!(run(&staff, "releaseReferralSubmission", Some(ids[0]), json!({})).await.err().unwrap().faults[0].field, "reason");
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        let why = json!({"reason": "known sender"});
        assert_eq!(run(&stranger, "releaseReferralSubmission", Some(ids[0]), why.clone()).await.err().unwrap().code.status, 404);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewReferral]);
        assert_eq!(run(&weak, "releaseReferralSubmission", Some(ids[0]), why.clone()).await.err().unwrap().code.status, 403);
        let released = record(run(&staff, "releaseReferralSubmission", Some(ids[0]), why.clone()).await.unwrap());
        assert_eq!((released.text("status"), released.uuid("referral_id").is_some()), (Some("ACCEPTED"), true));
        assert_eq!(count(&clinic, "referrals", "status = 'SENT' and source = 'PUBLIC_FORM'").await, 1);
        assert_eq!(run(&staff, "refuseReferralSubmission", Some(ids[0]), why.clone()).await.err().unwrap().code.code, "state.move_refused");
        record(run(&staff, "refuseReferralSubmission", Some(ids[1]), why).await.unwrap());
        assert_eq!(read(&staff, &REFERRAL_SUBMISSION, ids[1]).await.unwrap().text("status"), Some("REFUSED"));
        assert_eq!(count(&clinic, "referrals", "true").await, 1);
    });
}
