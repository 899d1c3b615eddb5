//! What patients do themselves: only for themselves, only what is offered, and never what another has.

use super::slots::find;
use super::{Practice, ahead, why};
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use chrono::{TimeDelta, Utc};
use enamel::kernel::context::{Permission, Plane};
use enamel::scheduling::appointment::APPOINTMENT;
use enamel::scheduling::slot_hold::SLOT_HOLD;
use enamel::scheduling::waitlist_entry::WAITLIST_ENTRY;
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_patient_books_moves_confirms_and_cancels_their_own() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.always_open().await;
        let (patient, login) = practice.patient_login("Own").await;
        let mut wish = practice.wish(ahead(5));
        wish.as_object_mut().unwrap().remove("patient_id");
        wish["patient_note"] = json!("left side");
        let made = record(run(&login, "bookAppointment", None, wish).await.unwrap());
        assert_eq!((made.patient, made.text("status"), made.text("source")), (Some(patient), Some("SCHEDULED"), Some("PORTAL")));
        assert!(!made.json.contains_key("notes"), "staff's notes are staff's");
        let moved = record(
            run(&login, "rescheduleAppointment", Some(made.id), json!({"start_at": ahead(5) + TimeDelta::minutes(15)})).await.unwrap(),
        );
        assert_eq!(moved.text("status"), Some("SCHEDULED"));
        let sure = record(run(&login, "confirmAppointment", Some(made.id), json!({})).await.unwrap());
        assert_eq!((sure.text("status"), sure.text("confirmed_via")), (Some("CONFIRMED"), Some("PORTAL")));
        let off = record(run(&login, "cancelAppointment", Some(made.id), json!({"reason": "away"})).await.unwrap());
        assert_eq!((off.text("status"), off.text("cancelled_by_party")), (Some("CANCELLED"), Some("PATIENT")));
        assert_eq!(practice.count("appointment_events where tenant_id = $1 and actor_party = 'PATIENT'").await, 4);
        assert_eq!(practice.count("notifications where tenant_id = $1 and audience = 'TENANT'").await, 4, "the clinic is told");
        // And the patient is told what the clinic does.
        let mut wish = practice.wish(ahead(6));
        wish["patient_id"] = json!(patient);
        practice.try_book(wish).await.unwrap();
        assert_eq!(practice.count("notifications where tenant_id = $1 and audience = 'PATIENT'").await, 1);
        for verb in ["scheduleAppointment", "checkInAppointment", "startAppointment", "markAppointmentNoShow", "undoAppointmentNoShow"] {
            assert_eq!(run(&login, verb, Some(made.id), json!({})).await.err().unwrap().code.status, 403, "{verb}");
        }
    });
}

#[test]
fn what_is_not_offered_is_not_booked_and_nobody_elses_is_touched() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let (mine, login) = practice.patient_login("Mine").await;
        let wish = |start| {
            let mut wish = practice.wish(start);
            wish["patient_id"] = json!(mine);
            wish
        };
        let offered = ("state.move_refused", "start_at".to_owned(), "offered");
        assert_eq!(why(run(&login, "bookAppointment", None, wish(ahead(5))).await), offered, "no hours at all");
        practice.always_open().await;
        for start in [Utc::now() + TimeDelta::minutes(30), ahead(700), ahead(5) + TimeDelta::minutes(1)] {
            assert_eq!(why(run(&login, "bookAppointment", None, wish(start)).await), offered, "notice, horizon, granularity");
        }
        let other = practice.book(ahead(5)).await;
        assert_eq!(why(run(&login, "bookAppointment", None, wish(ahead(5))).await), offered, "taken");
        assert_eq!(
            run(&login, "bookAppointment", None, practice.wish(ahead(6))).await.err().unwrap().code.status,
            422,
            "for another patient"
        );
        for (verb, body) in [("cancelAppointment", json!({"reason": "x"})), ("confirmAppointment", json!({}))] {
            assert_eq!(run(&login, verb, Some(other.id), body).await.err().unwrap().code.status, 404);
        }
        // Past the contract: the functions themselves.
        for sql in [
            format!("select * from sec.move_appointment('{}', '{}', 1, 'cancel', '{{}}')", practice.clinic.id, other.id),
            format!("select * from sec.book_appointment('{}', '{{\"patient_id\": \"{}\"}}')", practice.clinic.id, practice.patient),
            format!("select sec.tell_waiting('{}', '{}')", practice.clinic.id, other.id),
            "select * from sec.free_starts(null, null, null, null, null, null, null, null, 1)".to_owned(),
            format!("update appointments set notes = 'x' where id = '{}'", other.id),
        ] {
            let mut scope = login.kernel.door.open(&login.context).await.unwrap();
            assert_eq!(scope.rows_once(&sql, &[]).await.err().unwrap().code.status, 403, "{sql}");
        }
        let own = record(run(&login, "bookAppointment", None, wish(ahead(8))).await.unwrap());
        let mut scope = login.kernel.door.open(&login.context).await.unwrap();
        let sneaky = format!("select * from sec.move_appointment('{}', '{}', 1, 'complete', '{{}}')", practice.clinic.id, own.id);
        assert_eq!(scope.rows_once(&sneaky, &[]).await.err().unwrap().code.status, 403);
    });
}

#[test]
fn a_proxy_books_with_the_scope_for_it_only() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.always_open().await;
        let truth = world.truth().await;
        for (scope, allowed) in [("messages", false), ("appointments", true)] {
            let user = world.user().await;
            truth
                .execute(
                    "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
                     values ($1, gen_random_uuid(), $2, $3, 'OTHER', array[$4], 'ACTIVE', 'PATIENT', '2026-01-01')",
                    &[&practice.clinic.id, &practice.patient, &user, &scope],
                )
                .await
                .unwrap();
            let proxy = world.caller(Plane::Patient, practice.clinic.id, Some(user), Permission::ALL);
            assert_eq!(run(&proxy, "bookAppointment", None, practice.wish(ahead(9))).await.is_ok(), allowed, "{scope}");
        }
    });
}

#[test]
fn a_held_time_is_the_holders_until_it_ends() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.always_open().await;
        let (one, first) = practice.patient_login("One").await;
        let (two, second) = practice.patient_login("Two").await;
        let start = ahead(7);
        let hold = |patient: Uuid| {
            json!({"patient_id": patient, "provider_id": practice.dentist, "location_id": practice.place, "appointment_type_id": practice.kind,
                "start_at": start, "end_at": start + TimeDelta::hours(9), "held_until": start})
        };
        // At once: one holds it, the other hears that it is offered no more.
        let (a, b) = tokio::join!(create(&first, &SLOT_HOLD, hold(one)), create(&second, &SLOT_HOLD, hold(two)));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let ((held, holder, patient), (loser, other), refused) =
            if let Ok(held) = a { ((held, first, one), (second, two), b) } else { ((b.unwrap(), second, two), (first, one), a) };
        assert_eq!(why(refused), ("state.move_refused", "start_at".into(), "offered"));
        let until: chrono::DateTime<Utc> = held.text("held_until").unwrap().parse().unwrap();
        assert!(until <= Utc::now() + TimeDelta::minutes(11), "the clinic says how long");
        assert_eq!(
            held.text("end_at"),
            Some(enamel::kernel::table::value::instant_text(start + TimeDelta::minutes(30)).as_str()),
            "and the kind of visit how much"
        );

        assert_eq!(run(&loser, "releaseSlotHold", Some(held.id), json!({})).await.err().unwrap().code.status, 404);
        let stolen = run(&loser, "bookAppointment", None, json!({"hold_id": held.id, "patient_id": other})).await;
        assert_eq!(stolen.err().unwrap().code.status, 403);
        let range = json!({"type": practice.kind, "from": start, "to": start + TimeDelta::minutes(1)});
        assert!(find(&loser, range.clone()).await.is_empty());
        let booked = record(run(&holder, "bookAppointment", None, json!({"hold_id": held.id})).await.unwrap());
        assert_eq!(
            (booked.patient, booked.text("status"), booked.uuid("provider_id")),
            (Some(patient), Some("SCHEDULED"), Some(practice.dentist))
        );
        assert_eq!(read(&holder, &SLOT_HOLD, held.id).await.unwrap().text("status"), Some("USED"));
        assert_eq!(
            why(run(&holder, "bookAppointment", None, json!({"hold_id": held.id})).await),
            ("state.move_refused", "hold_id".into(), "held")
        );
        assert_eq!(
            practice.count("appointment_events where tenant_id = $1 and event_type = 'CREATED'").await,
            1,
            "nobody's hold is an event"
        );
    });
}

#[test]
fn a_hold_that_ran_out_gives_its_time_back() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.always_open().await;
        let (patient, login) = practice.patient_login("Slow").await;
        let start = ahead(7);
        let hold = json!({"patient_id": patient, "provider_id": practice.dentist, "location_id": practice.place, "appointment_type_id": practice.kind,
            "operatory_id": practice.chair, "start_at": start, "end_at": start + TimeDelta::minutes(30)});
        // Their own hours name no chair; staff hold one for them.
        let held = create(&practice.staff, &SLOT_HOLD, hold).await.unwrap();
        let mut wish = practice.wish(start);
        wish["operatory_id"] = json!(practice.chair);
        assert_eq!(why(practice.try_book(wish.clone()).await), ("conflict", "operatory_id".into(), "busy"));
        let truth = world.truth().await;
        truth
            .batch_execute(&format!(
                "set session_replication_role = replica; update enamel.slot_holds set held_until = now() - interval '1 second' where id = '{0}';
                 update enamel.appointments set held_until = now() - interval '1 second' where id = '{1}'",
                held.id,
                held.uuid("appointment_id").unwrap()
            ))
            .await
            .unwrap();
        assert_eq!(why(run(&login, "bookAppointment", None, json!({"hold_id": held.id})).await).2, "held");
        practice.try_book(wish).await.unwrap();
        assert_eq!(read(&practice.staff, &SLOT_HOLD, held.id).await.unwrap().text("status"), Some("EXPIRED"));
        let ghost = read(&practice.staff, &APPOINTMENT, held.uuid("appointment_id").unwrap()).await.unwrap();
        assert_eq!((ghost.text("status"), ghost.text("cancelled_by_party")), (Some("CANCELLED"), Some("SYSTEM")));
        assert_eq!(practice.act("releaseSlotHold", held.id, json!({})).await.err().unwrap().code.code, "state.move_refused");
    });
}

#[test]
fn patients_wait_without_saying_how_urgent_they_are() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let (patient, login) = practice.patient_login("Pushy").await;
        let entry = create(&login, &WAITLIST_ENTRY, json!({"patient_id": patient, "priority": 99})).await.unwrap();
        assert_eq!(entry.int("priority"), Some(0));
        let entry = patch(&practice.staff, &WAITLIST_ENTRY, entry.id, 1, json!({"priority": 5})).await.unwrap();
        let entry =
            patch(&login, &WAITLIST_ENTRY, entry.id, entry.version, json!({"priority": 99, "latest_date": "2030-01-01"})).await.unwrap();
        assert_eq!(entry.int("priority"), Some(5));
        let gone = record(run(&login, "removeWaitlistEntry", Some(entry.id), json!({})).await.unwrap());
        assert_eq!(gone.text("status"), Some("REMOVED"));
    });
}
