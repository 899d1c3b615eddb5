//! Payments by hand and their refunds; bookings that wait for a deposit.

use super::{Desk, told, why};
use crate::world::operations::{create, read, record, run};
use crate::world::{self};
use enamel::treatment::booking::BOOKING;
use enamel::treatment::payment::PAYMENT;
use serde_json::{Value as Json, json};
use uuid::Uuid;

impl Desk {
    async fn pay(&self, more: Json) -> enamel::kernel::table::Record {
        let mut body = json!({"patient_id": self.patient, "amount_minor": 10_000, "method": "CASH"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        record(run(&self.staff, "recordManualPayment", None, body).await.unwrap())
    }
}

#[test]
fn money_by_hand_is_recorded_and_given_back_never_more_than_was_taken() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let paid = desk.pay(json!({"method": "CHECK", "purpose": "COPAY"})).await;
        assert_eq!((paid.text("status"), paid.text("currency")), (Some("SUCCEEDED"), Some("EUR")));
        assert!(!paid.get("paid_at").is_null());
        let events = async || -> Vec<(String, i64)> {
            let truth = world.truth().await;
            let sql = "select event_type, amount_minor from enamel.payment_events where payment_id = $1 order by received_at";
            truth.query(sql, &[&paid.id]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
        };
        assert_eq!(events().await, [("SUCCEEDED".into(), 10_000)]);
        let take = async |body: Json| why(run(&desk.staff, "recordManualPayment", None, body).await);
        assert_eq!(take(json!({"patient_id": desk.patient, "amount_minor": 1, "method": "CARD"})).await, (422, "method".into()));
        assert_eq!(take(json!({"patient_id": desk.patient, "amount_minor": 0, "method": "CASH"})).await, (422, "amount_minor".into()));
        let later = json!({"patient_id": desk.patient, "amount_minor": 1, "method": "CASH", "paid_at": "2199-01-01T00:00:00Z"});
        assert_eq!(take(later).await, (422, "paid_at".into()));
        let foreign = Desk::open(world).await;
        assert_eq!(take(json!({"patient_id": foreign.patient, "amount_minor": 1, "method": "CASH"})).await.0, 422);
        let plan = foreign.presented().await;
        assert_eq!(take(json!({"patient_id": desk.patient, "amount_minor": 1, "method": "CASH", "plan_id": plan.id})).await.0, 422);

        let refund =
            async |amount: i64| run(&desk.staff, "refundPayment", Some(paid.id), json!({"amount_minor": amount, "reason": "kind"})).await;
        assert_eq!(record(refund(4_000).await.unwrap()).text("status"), Some("PARTIALLY_REFUNDED"));
        assert_eq!(why(refund(6_001).await), (422, "amount_minor".into()));
        let whole = record(refund(6_000).await.unwrap());
        assert_eq!((whole.text("status"), whole.int("refunded_minor")), (Some("REFUNDED"), Some(10_000)));
        assert_eq!(events().await[1..], [("REFUNDED".into(), 4_000), ("REFUNDED".into(), 6_000)]);
        assert_eq!(why(refund(1).await).0, 409);
        assert_eq!(why(run(&desk.portal, "refundPayment", Some(paid.id), json!({"amount_minor": 1, "reason": "x"})).await).0, 403);
        let over =
            world.truth().await.execute("update enamel.payments set refunded_minor = amount_minor + 1 where id = $1", &[&paid.id]).await;
        assert!(over.is_err(), "the database holds it too");
    });
}

#[test]
fn what_is_not_paid_can_be_called_off_and_cards_are_the_gateways() {
    world::with(async |world| {
        let (desk, other) = (Desk::open(world).await, Desk::open(world).await);
        let asked = async || {
            let body = json!({"patient_id": desk.patient, "purpose": "BALANCE", "amount_minor": 500, "currency": "EUR"});
            create(&desk.staff, &PAYMENT, body).await.unwrap()
        };
        let one = asked().await;
        assert_eq!(one.text("idempotency_key"), Some(one.id.to_string().as_str()));
        assert_eq!(why(run(&other.portal, "cancelPayment", Some(one.id), json!({})).await).0, 404);
        assert_eq!(why(run(&other.staff, "cancelPayment", Some(one.id), json!({})).await).0, 404);
        let off = record(run(&desk.portal, "cancelPayment", Some(one.id), json!({})).await.unwrap());
        assert_eq!(off.text("status"), Some("CANCELLED"));
        assert_eq!(why(run(&desk.staff, "cancelPayment", Some(one.id), json!({})).await).0, 409);
        let paid = desk.pay(json!({})).await;
        assert_eq!(why(run(&desk.portal, "cancelPayment", Some(paid.id), json!({})).await).0, 409);
        let card = asked().await;
        desk.sql(&format!(
            "set session_replication_role = replica; update enamel.payments set status = 'SUCCEEDED' where id = '{}'",
            card.id
        ))
        .await;
        let refused = run(&desk.staff, "refundPayment", Some(card.id), json!({"amount_minor": 1, "reason": "x"})).await;
        assert_eq!(refused.err().unwrap().code.code, "not_supported");
    });
}

#[test]
fn a_booking_waits_for_its_deposit_and_gives_it_back_by_the_rule() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        desk.settings("deposit_rule, deposit_amount_minor, contact_visibility", "'FIXED', 5000, 'AFTER_BOOKING'").await;
        let place = Uuid::now_v7();
        desk.sql(&format!(
            "insert into enamel.locations (tenant_id, id, name, country, time_zone, phone) values ('{0}', '{place}', 'Front', 'DE', 'Europe/Berlin', '+4930123456');
             update enamel.tenants set default_location_id = '{place}' where id = '{0}'",
            desk.clinic.id
        ))
        .await;
        let plan = desk.presented().await;
        let body = json!({"patient_id": desk.patient, "plan_id": plan.id, "currency": "EUR"});
        let booking = create(&desk.staff, &BOOKING, body).await.unwrap();
        assert_eq!((booking.text("deposit_status"), booking.int("deposit_amount_minor")), (Some("PENDING"), Some(5_000)));
        let confirm = async |caller| run(caller, "confirmBooking", Some(booking.id), json!({})).await;
        assert_eq!(why(confirm(&desk.portal).await), (409, "The deposit is not paid.".into()));
        let short = desk.pay(json!({"booking_id": booking.id, "purpose": "DEPOSIT", "amount_minor": 4_999})).await;
        assert_eq!(read(&desk.staff, &BOOKING, booking.id).await.unwrap().text("deposit_status"), Some("PENDING"));
        desk.pay(json!({"booking_id": booking.id, "purpose": "DEPOSIT", "amount_minor": 1})).await;
        assert_eq!(read(&desk.staff, &BOOKING, booking.id).await.unwrap().text("deposit_status"), Some("PAID"));
        assert_eq!(why(confirm(&desk.portal).await), (409, "Neither is its plan accepted nor a consultation booked.".into()));
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();

        let contact = async || {
            let sql = format!("select sec.tenant_contact('{}') ->> 'phone'", desk.clinic.id);
            let mut scope = desk.portal.kernel.door.open(&desk.portal.context).await.unwrap();
            let rows = scope.rows_once(&sql, &[]).await.unwrap();
            rows[0].get::<_, Option<String>>(0)
        };
        assert_eq!(contact().await, None);
        let other = Desk::open(world).await;
        assert_eq!(why(confirm(&other.portal).await).0, 404);
        let (one, two) = tokio::join!(confirm(&desk.portal), confirm(&desk.staff));
        assert!(one.is_ok() != two.is_ok(), "confirmed once");
        assert_eq!(contact().await.as_deref(), Some("+4930123456"), "the contact opens with the booking");

        let cancel = async |body| run(&desk.portal, "cancelBooking", Some(booking.id), body).await;
        assert_eq!(why(cancel(json!({})).await), (422, "reason".into()));
        let over = record(cancel(json!({"reason": "ill"})).await.unwrap());
        assert_eq!(
            (over.text("status"), over.text("deposit_status"), over.text("cancel_reason")),
            (Some("CANCELLED"), Some("REFUNDED"), Some("ill"))
        );
        assert_eq!(read(&desk.staff, &PAYMENT, short.id).await.unwrap().text("status"), Some("REFUNDED"));
        assert_eq!(contact().await, None);
        assert_eq!(why(cancel(json!({"reason": "x"})).await).0, 409);
        assert_eq!(why(confirm(&desk.staff).await).0, 409);

        let stranger = desk.clinic.patient("Stranger").await.unwrap().id;
        let mixed = json!({"patient_id": stranger, "plan_id": plan.id, "currency": "EUR"});
        assert_eq!(told(create(&desk.staff, &BOOKING, mixed).await), (422, "plan_id".into()));
    });
}

#[test]
fn what_is_taken_by_hand_is_asked_for_no_more() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        desk.settings("deposit_rule, deposit_percent", "'PERCENT', 50").await;
        let plan = desk.presented().await;
        // Paid before it is asked for, it is part of what is asked for.
        desk.pay(json!({"plan_id": plan.id, "purpose": "DEPOSIT", "amount_minor": 1})).await;
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();
        let asked = async || {
            let truth = world.truth().await;
            let sql = "select coalesce(sum(amount_minor), 0)::int8 from enamel.payments where plan_id = $1 and status = 'PENDING'";
            truth.query_one(sql, &[&plan.id]).await.unwrap().get::<_, i64>(0)
        };
        assert_eq!(asked().await, 36_000);
        desk.pay(json!({"plan_id": plan.id, "purpose": "OTHER", "amount_minor": 500})).await;
        assert_eq!(asked().await, 36_000, "for something else");
        desk.pay(json!({"plan_id": plan.id, "purpose": "DEPOSIT", "amount_minor": 6_000})).await;
        assert_eq!(asked().await, 30_000);
        let body = json!({"patient_id": desk.patient, "plan_id": plan.id, "currency": "EUR"});
        let booking = create(&desk.staff, &BOOKING, body).await.unwrap();
        let last = desk.pay(json!({"booking_id": booking.id, "purpose": "DEPOSIT", "amount_minor": 30_000})).await;
        assert_eq!((asked().await, last.uuid("plan_id")), (0, Some(plan.id)));
        assert_eq!(read(&desk.staff, &BOOKING, booking.id).await.unwrap().text("deposit_status"), Some("PAID"));
    });
}

#[test]
fn a_deposit_that_is_not_given_back_stays() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        desk.settings("deposit_rule, deposit_percent, deposit_refundable", "'PERCENT', 50, false").await;
        let plan = desk.presented().await;
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();
        let body = json!({"patient_id": desk.patient, "plan_id": plan.id, "currency": "EUR"});
        let booking = create(&desk.staff, &BOOKING, body).await.unwrap();
        assert_eq!(booking.int("deposit_amount_minor"), Some(36_001));
        // The deposit that accepting asked for is the booking's.
        assert_eq!(desk.count(&format!("payments where booking_id = '{}' and status = 'PENDING'", booking.id)).await, 1);
        let paid = desk.pay(json!({"booking_id": booking.id, "purpose": "DEPOSIT", "amount_minor": 36_001})).await;
        run(&desk.staff, "confirmBooking", Some(booking.id), json!({})).await.unwrap();
        let over = record(run(&desk.staff, "cancelBooking", Some(booking.id), json!({"reason": "late"})).await.unwrap());
        assert_eq!(over.text("deposit_status"), Some("PAID"));
        assert_eq!(read(&desk.staff, &PAYMENT, paid.id).await.unwrap().text("status"), Some("SUCCEEDED"));
        assert_eq!(desk.count(&format!("payments where booking_id = '{}' and status = 'PENDING'", booking.id)).await, 0);
    });
}
