//! Reviews: of a visit, moderated as they are, answered, and taken back by their author.

use crate::world::operations::{create, patch, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::directory::clinic_profile::CLINIC_PROFILE;
use enamel::directory::clinic_review::CLINIC_REVIEW;
use enamel::kernel::Caller;
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use enamel::kernel::operation::Answer;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A patient with a confirmed booking, and their login.
async fn visitor(world: &'static World, clinic: &Clinic) -> (Uuid, Uuid, Caller) {
    let patient = clinic.patient("Visitor").await.unwrap().id;
    let booking = Uuid::now_v7();
    world
        .truth()
        .await
        .execute(
            "insert into enamel.bookings (tenant_id, id, patient_id, currency, status) values ($1, $2, $3, 'EUR', 'CONFIRMED')",
            &[&clinic.id, &booking, &patient],
        )
        .await
        .unwrap();
    let login = world.patient_login(&[(clinic.id, patient)]).await;
    (patient, booking, world.caller(Plane::Patient, clinic.id, Some(login), Permission::ALL))
}

async fn review(author: &Caller, body: Json) -> enamel::kernel::error::Result<Uuid> {
    run(author, "createClinicReview", None, body).await.map(|answer| record(answer).id)
}

async fn mine(author: &Caller) -> Vec<(Uuid, String)> {
    match run(author, "listMyClinicReviews", None, json!({})).await.unwrap() {
        Answer::Page(records, None) => records.iter().map(|record| (record.id, record.text("status").unwrap().to_owned())).collect(),
        _ => panic!("no page"),
    }
}

#[test]
fn a_review_is_seen_counted_answered_and_taken_back() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let profile = create(&staff, &CLINIC_PROFILE, json!({})).await.unwrap().id;
        let (one, first_booking, first) = visitor(world, &clinic).await;
        let (two, second_booking, second) = visitor(world, &clinic).await;
        let a = review(&first, json!({"patient_id": one, "booking_id": first_booking, "rating": 5, "body": "Kind", "display_name": "R."}))
            .await
            .unwrap();
        let b = review(&second, json!({"patient_id": two, "booking_id": second_booking, "rating": 2})).await.unwrap();
        assert_eq!(mine(&first).await, [(a, "PENDING".to_owned())]);
        assert_eq!(read(&second, &CLINIC_REVIEW, a).await.err().unwrap().code.status, 404, "unseen before it is published");
        let rating = async || {
            let profile = read(&staff, &CLINIC_PROFILE, profile).await.unwrap();
            (profile.get("reviews_rating").as_f64(), profile.int("reviews_count").unwrap())
        };
        assert_eq!(rating().await, (None, 0));
        assert_eq!(run(&staff, "replyClinicReview", Some(a), json!({"reply": "Thanks"})).await.err().unwrap().code.status, 409);
        let shown = record(run(&staff, "publishClinicReview", Some(a), json!({})).await.unwrap());
        assert!(shown.text("status") == Some("PUBLISHED") && shown.text("moderated_at").is_some());
        let platform = world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL);
        assert_eq!(run(&platform, "publishClinicReview", Some(b), json!({})).await.err().unwrap().faults[0].field, "tenant_id");
        run(&platform, "publishClinicReview", Some(b), json!({"tenant_id": clinic.id})).await.unwrap();
        assert_eq!(rating().await, (Some(3.5), 2));

        let seen = read(&second, &CLINIC_REVIEW, a).await.unwrap();
        for hidden in ["patient_id", "booking_id", "moderated_by", "moderation_reason"] {
            assert!(!seen.json.contains_key(hidden), "{hidden}");
        }
        run(&staff, "replyClinicReview", Some(a), json!({"reply": "Thanks"})).await.unwrap();
        assert_eq!(read(&second, &CLINIC_REVIEW, a).await.unwrap().text("reply"), Some("Thanks"));

        assert_eq!(run(&staff, "rejectClinicReview", Some(b), json!({})).await.err().unwrap().faults[0].rule, "required");
        let gone = record(run(&staff, "rejectClinicReview", Some(b), json!({"reason": "insult"})).await.unwrap());
        assert_eq!((gone.text("status"), gone.text("moderation_reason")), (Some("REJECTED"), Some("insult")));
        assert_eq!(rating().await, (Some(5.0), 1));
        assert_eq!(run(&second, "withdrawClinicReview", Some(a), json!({})).await.err().unwrap().code.status, 404, "not one's own");
        assert_eq!(run(&second, "withdrawClinicReview", Some(b), json!({})).await.err().unwrap().code.status, 409);
        let back = record(run(&first, "withdrawClinicReview", Some(a), json!({})).await.unwrap());
        assert_eq!(back.text("status"), Some("WITHDRAWN"));
        assert_eq!(rating().await, (None, 0));
        for verb in ["publishClinicReview", "rejectClinicReview"] {
            assert!(run(&staff, verb, Some(a), json!({"reason": "x"})).await.is_err());
        }
    });
}

#[test]
fn who_was_not_there_reviews_nothing_and_nobody_edits_a_patients_words() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let (patient, booking, author) = visitor(world, &clinic).await;
        let absent = clinic.patient("Absent").await.unwrap().id;
        let absent_login = world.patient_login(&[(clinic.id, absent)]).await;
        let absent_login = world.caller(Plane::Patient, clinic.id, Some(absent_login), Permission::ALL);
        let why = |refused: enamel::kernel::error::Result<Uuid>| {
            let refusal = refused.err().unwrap();
            (refusal.code.status, refusal.faults[0].rule)
        };
        assert_eq!(why(review(&absent_login, json!({"patient_id": absent, "rating": 1})).await), (422, "visit"));
        assert_eq!(why(review(&absent_login, json!({"patient_id": absent, "booking_id": booking, "rating": 1})).await), (422, "visit"));
        assert_eq!(
            why(review(&absent_login, json!({"patient_id": patient, "booking_id": booking, "rating": 1})).await),
            (422, "reference")
        );
        assert_eq!(why(review(&author, json!({"patient_id": patient, "booking_id": booking, "rating": 6})).await), (422, "range"));
        let made = review(&author, json!({"patient_id": patient, "booking_id": booking, "rating": 4, "body": "Fine"})).await.unwrap();
        assert_eq!(
            review(&author, json!({"patient_id": patient, "booking_id": booking, "rating": 5})).await.err().unwrap().code.status,
            409,
            "once"
        );

        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(run(&stranger, "publishClinicReview", Some(made), json!({})).await.err().unwrap().code.status, 404);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(run(&weak, "publishClinicReview", Some(made), json!({})).await.err().unwrap().code.status, 403);
        // Past the contract.
        for (caller, sql, status) in [
            (&staff, format!("update clinic_reviews set rating = 5 where id = '{made}'"), 409),
            (&staff, format!("update clinic_reviews set status = 'PUBLISHED' where id = '{made}'"), 403),
            (&stranger, format!("select * from sec.moderate_review('{}', '{made}', 'PUBLISHED', null)", clinic.id), 403),
            (&author, format!("update clinic_reviews set status = 'PUBLISHED' where id = '{made}'"), 403),
            (&author, format!("select * from sec.moderate_review('{}', '{made}', 'PUBLISHED', null)", clinic.id), 403),
        ] {
            let mut scope = caller.kernel.door.open(&caller.context).await.unwrap();
            assert_eq!(scope.rows_once(&sql, &[]).await.err().unwrap().code.status, status, "{sql}");
        }
        let mut scope = author.kernel.door.open(&author.context).await.unwrap();
        let forged = format!(
            "insert into clinic_reviews (tenant_id, id, patient_id, booking_id, rating, status, reply) values ('{}', gen_random_uuid(), '{patient}', null, 5, 'PUBLISHED', 'x')",
            clinic.id
        );
        assert_eq!(scope.rows_once(&forged, &[]).await.err().unwrap().code.status, 422, "no visit took place");
        assert!(patch(&staff, &CLINIC_REVIEW, made, 1, json!({"reply": "x"})).await.is_err(), "replies have their operation");
    });
}
