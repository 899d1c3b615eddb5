//! The day of an appointment, from confirmation to recall, and every guard on the way.

use super::{Practice, ahead, noon_zone, why};
use crate::world;
use crate::world::operations::{create, patch, read, record, run, run_at};
use chrono::{TimeDelta, Utc};
use enamel::clinical::encounter::ENCOUNTER;
use enamel::kernel::context::{Permission, Plane};
use enamel::scheduling::appointment::APPOINTMENT;
use enamel::scheduling::recall::RECALL;
use enamel::scheduling::recall_type::RECALL_TYPE;
use enamel::treatment::booking::BOOKING;
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_visit_goes_from_confirmed_to_done_and_its_encounter_with_it() {
    world::with(async |world| {
        let practice = Practice::open(world, &noon_zone()).await;
        let recalls = json!({"name": "Prophylaxis", "interval_months": 6, "interval_days": 1});
        let recalls = create(&practice.staff, &RECALL_TYPE, recalls).await.unwrap().id;
        let due =
            create(&practice.staff, &RECALL, json!({"patient_id": practice.patient, "recall_type_id": recalls, "due_on": "2026-01-01"}))
                .await
                .unwrap();
        let mut wish = practice.wish(Utc::now() + TimeDelta::minutes(20));
        wish["recall_id"] = json!(due.id);
        let made = practice.try_book(wish).await.unwrap();
        assert_eq!(read(&practice.staff, &RECALL, due.id).await.unwrap().text("status"), Some("SCHEDULED"));

        let confirmed = practice.act("confirmAppointment", made.id, json!({})).await.unwrap();
        assert_eq!((confirmed.text("status"), confirmed.text("confirmed_via")), (Some("CONFIRMED"), Some("STAFF")));
        let here = practice.act("checkInAppointment", made.id, json!({})).await.unwrap();
        assert!(here.text("status") == Some("ARRIVED") && here.text("arrived_at").is_some());
        let truth = world.truth().await;
        let visit: Uuid = truth.query_one("select id from enamel.encounters where appointment_id = $1", &[&made.id]).await.unwrap().get(0);
        let encounter = read(&practice.staff, &ENCOUNTER, visit).await.unwrap();
        assert!(encounter.text("status") == Some("SCHEDULED") && encounter.text("check_in_at").is_some());
        assert_eq!((encounter.uuid("provider_id"), encounter.text("encounter_type")), (Some(practice.dentist), Some("EXAM")));

        // Who runs the chair need not run the calendar, and the other way round.
        let dentist = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewSchedule, Permission::EditClinical]);
        let desk = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewSchedule, Permission::EditSchedule]);
        assert_eq!(run(&desk, "startAppointment", Some(made.id), json!({})).await.err().unwrap().code.status, 403);
        let started = record(run(&dentist, "startAppointment", Some(made.id), json!({})).await.unwrap());
        assert_eq!(started.text("status"), Some("IN_PROGRESS"));
        assert_eq!(read(&practice.staff, &ENCOUNTER, visit).await.unwrap().text("status"), Some("IN_PROGRESS"));
        assert_eq!(why(patch(&desk, &APPOINTMENT, made.id, started.version, json!({"start_at": ahead(3)})).await).0, "state.move_refused");
        let done = record(run(&dentist, "completeAppointment", Some(made.id), json!({})).await.unwrap());
        assert!(done.text("status") == Some("COMPLETED") && done.text("completed_at").is_some());
        let encounter = read(&practice.staff, &ENCOUNTER, visit).await.unwrap();
        assert!(encounter.text("status") == Some("COMPLETED") && encounter.text("check_out_at").is_some());

        assert_eq!(read(&practice.staff, &RECALL, due.id).await.unwrap().text("status"), Some("DONE"));
        let next = "recalls where tenant_id = $1 and status = 'DUE' and due_on = last_trigger_on + interval '6 months 1 day'";
        assert_eq!(practice.count(next).await, 1);
        // Over is over.
        assert_eq!(why(practice.act("cancelAppointment", made.id, json!({"reason": "x"})).await).0, "state.move_refused");
        let frozen = patch(&practice.staff, &APPOINTMENT, made.id, done.version, json!({"patient_note": "late"})).await.err().unwrap();
        assert_eq!((frozen.code.code, frozen.detail.as_deref()), ("record.append_only", Some("It is over; book a new appointment.")));
        patch(&practice.staff, &APPOINTMENT, made.id, done.version, json!({"notes": "all well"})).await.unwrap();
        let told: Vec<String> = truth
            .query("select to_status from enamel.appointment_events where appointment_id = $1 order by created_at, id", &[&made.id])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(told, ["SCHEDULED", "CONFIRMED", "ARRIVED", "IN_PROGRESS", "COMPLETED"]);
    });
}

#[test]
fn check_in_is_on_the_day_and_needs_somebody_who_sees_the_patient() {
    world::with(async |world| {
        let practice = Practice::open(world, &noon_zone()).await;
        let tomorrow = practice.book(Utc::now() + TimeDelta::days(1)).await;
        assert_eq!(why(practice.act("checkInAppointment", tomorrow.id, json!({})).await), ("state.move_refused", "start_at".into(), "day"));
        let nobody = json!({"patient_id": practice.patient, "location_id": practice.place, "start_at": Utc::now(), "duration_minutes": 15});
        let nobody = create(&practice.staff, &APPOINTMENT, nobody).await.unwrap();
        assert_eq!(
            why(practice.act("checkInAppointment", nobody.id, json!({})).await),
            ("field.invalid", "provider_id".into(), "required")
        );
        // A visit that is called off takes its encounter with it.
        patch(&practice.staff, &APPOINTMENT, nobody.id, 1, json!({"provider_id": practice.dentist})).await.unwrap();
        practice.act("checkInAppointment", nobody.id, json!({})).await.unwrap();
        practice.act("cancelAppointment", nobody.id, json!({"reason": "unwell"})).await.unwrap();
        assert_eq!(practice.count("encounters where tenant_id = $1 and status = 'CANCELLED' and cancel_reason = 'unwell'").await, 1);
    });
}

#[test]
fn a_no_show_waits_for_its_grace_and_can_be_taken_back_while_the_time_is_free() {
    world::with(async |world| {
        let practice = Practice::open(world, &noon_zone()).await;
        let soon = practice.book(Utc::now() - TimeDelta::minutes(5)).await;
        assert_eq!(
            why(practice.act("markAppointmentNoShow", soon.id, json!({})).await),
            ("state.move_refused", "start_at".into(), "grace")
        );
        let missed = practice.book(Utc::now() - TimeDelta::minutes(50)).await;
        let gone = practice.act("markAppointmentNoShow", missed.id, json!({})).await.unwrap();
        assert!(gone.text("status") == Some("NO_SHOW") && gone.text("no_show_at").is_some());
        let desk = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewSchedule, Permission::EditSchedule]);
        assert_eq!(run(&desk, "undoAppointmentNoShow", Some(missed.id), json!({})).await.err().unwrap().code.status, 403);
        assert_eq!(why(practice.act("undoAppointmentNoShow", soon.id, json!({})).await).0, "state.move_refused");
        // The patient came at another time that overlaps: only one of the two can be.
        let other = practice.book(Utc::now() - TimeDelta::minutes(40)).await;
        assert_eq!(why(practice.act("undoAppointmentNoShow", missed.id, json!({})).await), ("conflict", "patient_id".into(), "busy"));
        practice.act("cancelAppointment", other.id, json!({"reason": "double"})).await.unwrap();
        let back = practice.act("undoAppointmentNoShow", missed.id, json!({})).await.unwrap();
        assert!(back.text("status") == Some("SCHEDULED") && back.get("no_show_at").is_null());
    });
}

#[test]
fn a_cancellation_says_who_why_and_whether_it_was_late_and_frees_the_time() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        practice.decide("late_cancel_hours = 48").await;
        assert_eq!(
            practice.act("cancelAppointment", practice.book(ahead(9)).await.id, json!({})).await.err().unwrap().faults[0].rule,
            "required"
        );
        for (days, late) in [(1, true), (3, false)] {
            let mut wish = practice.wish(ahead(days));
            wish["operatory_id"] = json!(practice.chair);
            let made = practice.try_book(wish.clone()).await.unwrap();
            let off = practice.act("cancelAppointment", made.id, json!({"reason": "ill"})).await.unwrap();
            assert_eq!((off.text("status"), off.flag("is_late_cancel")), (Some("CANCELLED"), late), "{days} days before");
            assert_eq!((off.text("cancelled_by_party"), off.text("cancel_reason")), (Some("CLINIC"), Some("ill")));
            practice.try_book(wish).await.unwrap();
            assert_eq!(why(practice.act("confirmAppointment", made.id, json!({})).await).0, "state.move_refused");
        }
        assert_eq!(practice.count("appointment_events where tenant_id = $1 and event_type = 'CANCELLED' and reason = 'ill'").await, 2);
    });
}

#[test]
fn of_two_moves_at_once_the_second_is_told() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let made = practice.book(ahead(4)).await;
        assert_eq!(run_at(&practice.staff, "confirmAppointment", Some(made.id), Some(7), json!({})).await.err().unwrap().code.status, 412);
        let (one, two) = tokio::join!(
            practice.act("confirmAppointment", made.id, json!({})),
            practice.act("cancelAppointment", made.id, json!({"reason": "x"}))
        );
        let kept = read(&practice.staff, &APPOINTMENT, made.id).await.unwrap();
        match (one, two) {
            // One after the other, each seeing the one before: confirmed, then cancelled.
            (Ok(_), Ok(_)) => assert_eq!(kept.text("status"), Some("CANCELLED")),
            (Ok(_), Err(refusal)) => assert_eq!((refusal.code.status, kept.text("status")), (409, Some("CONFIRMED"))),
            (Err(refusal), Ok(_)) => assert_eq!((refusal.code.status, kept.text("status")), (409, Some("CANCELLED"))),
            (Err(_), Err(_)) => panic!("neither was done"),
        }
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(run(&stranger, "confirmAppointment", Some(made.id), json!({})).await.err().unwrap().code.status, 404);
        let mut scope = stranger.kernel.door.open(&stranger.context).await.unwrap();
        let forged =
            format!("select * from sec.move_appointment('{}', '{}', {}, 'cancel', '{{}}')", practice.clinic.id, made.id, kept.version);
        assert_eq!(scope.rows_once(&forged, &[]).await.err().unwrap().code.status, 403);
    });
}

#[test]
fn a_confirmed_visit_confirms_the_booking_whose_deposit_is_settled() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        practice.decide("deposit_rule = 'FIXED', deposit_amount_minor = 5000").await;
        let truth = world.truth().await;
        for (day, deposit, confirmed) in [(1, "PAID", "CONFIRMED"), (2, "PENDING", "PENDING"), (3, "NOT_REQUIRED", "CONFIRMED")] {
            let made = practice.book(ahead(day)).await;
            let booking = json!({"patient_id": practice.patient, "appointment_id": made.id, "currency": "EUR"});
            let booking = create(&practice.staff, &BOOKING, booking).await.unwrap();
            truth.execute("set session_replication_role = replica", &[]).await.unwrap();
            truth
                .execute("update enamel.bookings set deposit_status = $2, status = 'PENDING' where id = $1", &[&booking.id, &deposit])
                .await
                .unwrap();
            practice.act("confirmAppointment", made.id, json!({})).await.unwrap();
            assert_eq!(read(&practice.staff, &BOOKING, booking.id).await.unwrap().text("status"), Some(confirmed), "{deposit}");
        }
    });
}
