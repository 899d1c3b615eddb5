//! The waiting list, recalls and series.

use super::{Practice, ahead, at, why};
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use chrono::TimeDelta;
use enamel::scheduling::appointment::APPOINTMENT;
use enamel::scheduling::appointment_series::APPOINTMENT_SERIES;
use enamel::scheduling::recall::RECALL;
use enamel::scheduling::recall_type::RECALL_TYPE;
use enamel::scheduling::schedule_closure::SCHEDULE_CLOSURE;
use enamel::scheduling::waitlist_entry::WAITLIST_ENTRY;
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_free_time_is_offered_held_and_booked_and_the_later_visit_given_back() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let (patient, login) = practice.patient_login("Early").await;
        let mut later = practice.wish(ahead(40));
        later["patient_id"] = json!(patient);
        let later = practice.try_book(later).await.unwrap();
        let taken = practice.book(ahead(3)).await;
        let entry =
            json!({"patient_id": patient, "appointment_id": later.id, "appointment_type_id": practice.kind, "location_id": practice.place});
        let entry = create(&practice.staff, &WAITLIST_ENTRY, entry).await.unwrap();
        let offer = |start| json!({"start_at": start, "provider_id": practice.dentist});
        assert_eq!(why(practice.act("offerWaitlistEntry", entry.id, offer(ahead(3))).await), ("conflict", "start_at".into(), "busy"));
        assert_eq!(
            why(practice.act("offerWaitlistEntry", entry.id, offer(ahead(-3))).await),
            ("field.invalid", "start_at".into(), "range")
        );
        assert_eq!(why(practice.act("offerWaitlistEntry", entry.id, json!({"start_at": ahead(3)})).await).1, "provider_id");
        assert_eq!(read(&practice.staff, &WAITLIST_ENTRY, entry.id).await.unwrap().text("status"), Some("WAITING"));

        practice.act("cancelAppointment", taken.id, json!({"reason": "ill"})).await.unwrap();
        assert_eq!(
            practice.count("notifications where tenant_id = $1 and resource_type = 'WaitlistEntry'").await,
            1,
            "somebody waits for it"
        );
        let offered = practice.act("offerWaitlistEntry", entry.id, offer(ahead(3))).await.unwrap();
        assert!(offered.text("status") == Some("OFFERED") && offered.text("offered_at").is_some());
        assert_eq!(why(practice.act("offerWaitlistEntry", entry.id, offer(ahead(4))).await).0, "state.move_refused");
        let no = record(run(&login, "declineWaitlistEntry", Some(entry.id), json!({})).await.unwrap());
        assert!(no.text("status") == Some("WAITING") && no.get("offered_at").is_null());
        assert_eq!(practice.count("slot_holds where tenant_id = $1 and status = 'RELEASED'").await, 1);

        practice.act("offerWaitlistEntry", entry.id, offer(ahead(3))).await.unwrap();
        let truth = world.truth().await;
        let hold: Uuid = truth
            .query_one("select id from enamel.slot_holds where patient_id = $1 and status = 'HELD'", &[&patient])
            .await
            .unwrap()
            .get(0);
        let booked = record(run(&login, "bookAppointment", None, json!({"hold_id": hold})).await.unwrap());
        assert_eq!(booked.text("source"), Some("WAITLIST"));
        assert_eq!(read(&practice.staff, &WAITLIST_ENTRY, entry.id).await.unwrap().text("status"), Some("BOOKED"));
        let given_back = read(&practice.staff, &APPOINTMENT, later.id).await.unwrap();
        assert_eq!((given_back.text("status"), given_back.text("cancel_reason")), (Some("CANCELLED"), Some("Brought forward.")));
        assert_eq!(why(practice.act("removeWaitlistEntry", entry.id, json!({})).await).0, "state.move_refused");
    });
}

#[test]
fn recalls_rest_with_a_reason_and_one_of_a_group_is_open() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let mut types = Vec::new();
        for (name, months) in [("Prophylaxis", 6), ("Perio", 3)] {
            let kind = json!({"name": name, "interval_months": months, "exclusive_group": "cleaning"});
            types.push(create(&practice.staff, &RECALL_TYPE, kind).await.unwrap().id);
        }
        let recall = |kind: Uuid| json!({"patient_id": practice.patient, "recall_type_id": kind, "due_on": "2027-01-01"});
        let first = create(&practice.staff, &RECALL, recall(types[0])).await.unwrap();
        assert_eq!(
            why(create(&practice.staff, &RECALL, recall(types[1])).await),
            ("state.move_refused", "recall_type_id".into(), "exclusive")
        );
        assert_eq!(practice.act("disableRecall", first.id, json!({})).await.err().unwrap().faults[0].rule, "required");
        let off = practice.act("disableRecall", first.id, json!({"reason": "moved away"})).await.unwrap();
        assert_eq!((off.text("status"), off.text("disable_reason")), (Some("DISABLED"), Some("moved away")));
        let second = create(&practice.staff, &RECALL, recall(types[1])).await.unwrap();
        assert_eq!(why(practice.act("enableRecall", first.id, json!({})).await).2, "exclusive");
        practice.act("disableRecall", second.id, json!({"reason": "healed"})).await.unwrap();
        let on = practice.act("enableRecall", first.id, json!({})).await.unwrap();
        assert!(on.text("status") == Some("DUE") && on.get("disable_reason").is_null());
        assert_eq!(why(practice.act("enableRecall", first.id, json!({})).await).0, "state.move_refused");
    });
}

#[test]
fn a_recall_follows_its_appointment_back() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let kind = create(&practice.staff, &RECALL_TYPE, json!({"name": "Check", "interval_months": 12})).await.unwrap().id;
        let due = create(&practice.staff, &RECALL, json!({"patient_id": practice.patient, "recall_type_id": kind, "due_on": "2027-01-01"}))
            .await
            .unwrap()
            .id;
        let mut wish = practice.wish(ahead(5));
        wish["recall_id"] = json!(due);
        let made = practice.try_book(wish.clone()).await.unwrap();
        let status = async || read(&practice.staff, &RECALL, due).await.unwrap().text("status").unwrap().to_owned();
        assert_eq!(status().await, "SCHEDULED");
        practice.act("cancelAppointment", made.id, json!({"reason": "x"})).await.unwrap();
        assert_eq!(status().await, "DUE");
        wish["patient_id"] = json!(practice.clinic.patient("Else").await.unwrap().id);
        assert_eq!(why(practice.try_book(wish).await), ("field.invalid", "recall_id".into(), "reference"));
    });
}

#[test]
fn a_series_is_its_appointments_at_one_wall_time_without_closed_days() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let closed = json!({"starts_at": "2028-03-21T00:00:00Z", "ends_at": "2028-03-21T23:00:00Z", "reason": "Holiday"});
        create(&practice.staff, &SCHEDULE_CLOSURE, closed).await.unwrap();
        let series = |rule: &str, from: &str, to: &str| {
            json!({"patient_id": practice.patient, "appointment_type_id": practice.kind, "provider_id": practice.dentist, "location_id": practice.place,
                "recurrence_rule": rule, "starts_on": from, "ends_on": to, "local_start_time": "08:30"})
        };
        let made =
            create(&practice.staff, &APPOINTMENT_SERIES, series("FREQ=WEEKLY;BYDAY=TU;COUNT=4", "2028-03-14", "2028-12-31")).await.unwrap();
        let truth = world.truth().await;
        let starts: Vec<chrono::DateTime<chrono::Utc>> = truth
            .query("select start_at from enamel.appointments where series_id = $1 order by start_at", &[&made.id])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(starts, [at("2028-03-14T07:30:00Z"), at("2028-03-28T06:30:00Z"), at("2028-04-04T06:30:00Z")]);
        let ended = practice.act("endAppointmentSeries", made.id, json!({"reason": "braces off"})).await.unwrap();
        assert_eq!(ended.text("status"), Some("ENDED"));
        assert_eq!(practice.count("appointments where tenant_id = $1 and status = 'CANCELLED' and cancel_reason = 'braces off'").await, 3);
        assert_eq!(why(practice.act("endAppointmentSeries", made.id, json!({})).await).0, "state.move_refused");
        let changed = patch(&practice.staff, &APPOINTMENT_SERIES, made.id, ended.version, json!({"local_start_time": "10:00"})).await;
        assert_eq!(why(changed).0, "record.append_only");
        for (rule, from, to, field) in [
            ("FREQ=YEARLY", "2028-01-01", "2028-12-31", "recurrence_rule"),
            ("FREQ=DAILY;BYDAY=MO", "2028-01-01", "2028-12-31", "recurrence_rule"),
            ("FREQ=WEEKLY", "2028-01-01", "2030-01-02", ""),
            ("FREQ=WEEKLY;UNTIL=20270101", "2028-01-01", "2028-12-31", "recurrence_rule"),
        ] {
            let (code, named, _) = why(create(&practice.staff, &APPOINTMENT_SERIES, series(rule, from, to)).await);
            assert!(code == "field.invalid" && named.starts_with(field), "{rule}: {code} {named}");
        }
        // One that meets another visit of the patient is not made in part.
        practice.book(at("2028-05-02T06:30:00Z")).await;
        let clash = create(&practice.staff, &APPOINTMENT_SERIES, series("FREQ=WEEKLY", "2028-04-25", "2028-05-09")).await;
        assert_eq!(why(clash), ("conflict", "patient_id".into(), "busy"));
        assert_eq!(practice.count("appointment_series where tenant_id = $1").await, 1);
    });
}

#[test]
fn what_was_done_restarts_its_interval_and_replaces_its_group() {
    world::with(async |world| {
        let practice = Practice::open(world, &super::noon_zone()).await;
        let kind =
            |name: &str, codes: &[&str]| json!({"name": name, "interval_months": 3, "trigger_codes": codes, "exclusive_group": "cleaning"});
        let prophylaxis = create(&practice.staff, &RECALL_TYPE, kind("Prophylaxis", &["T1110"])).await.unwrap().id;
        create(&practice.staff, &RECALL_TYPE, kind("Perio", &["T4910"])).await.unwrap();
        let open = json!({"patient_id": practice.patient, "recall_type_id": prophylaxis, "due_on": "2027-01-01"});
        let open = create(&practice.staff, &RECALL, open).await.unwrap().id;
        let made = practice.book(chrono::Utc::now() + TimeDelta::minutes(10)).await;
        for verb in ["checkInAppointment", "startAppointment"] {
            practice.act(verb, made.id, json!({})).await.unwrap();
        }
        let truth = world.truth().await;
        truth
            .execute(
                "insert into enamel.procedures (tenant_id, id, patient_id, encounter_id, provider_id, code_system, cdt_code, description, status, currency, start_at)
                 select tenant_id, gen_random_uuid(), patient_id, id, provider_id, 'LOCAL', 'T4910', 'Maintenance', 'COMPLETED', 'EUR', now()
                   from enamel.encounters where appointment_id = $1",
                &[&made.id],
            )
            .await
            .unwrap();
        practice.act("completeAppointment", made.id, json!({})).await.unwrap();
        assert_eq!(read(&practice.staff, &RECALL, open).await.unwrap().text("status"), Some("DISABLED"), "replaced by its group");
        assert_eq!(practice.count("recalls where tenant_id = $1 and status = 'DUE' and due_on > now() + interval '80 days'").await, 1);
    });
}

#[test]
fn everybody_is_recalled_until_they_leave_and_the_dead_are_expected_no_more() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        for name in ["Prophylaxis", "Perio"] {
            let kind = json!({"name": name, "interval_months": 6, "is_default": true, "exclusive_group": "cleaning"});
            create(&practice.staff, &RECALL_TYPE, kind).await.unwrap();
        }
        let (patient, _) = practice.patient_login("New").await;
        assert_eq!(
            practice.count("recalls where tenant_id = $1 and status = 'DUE' and due_on > current_date + 150").await,
            1,
            "one of the group"
        );
        run(&practice.staff, "deactivatePatient", Some(patient), json!({})).await.unwrap();
        assert_eq!(practice.count("recalls where tenant_id = $1 and status = 'DISABLED'").await, 1);
        let ahead = practice.book(ahead(3)).await.id;
        create(&practice.staff, &WAITLIST_ENTRY, json!({"patient_id": practice.patient})).await.unwrap();
        run(&practice.staff, "markPatientDeceased", Some(practice.patient), json!({"deceased_at": "2026-01-01T00:00:00Z"})).await.unwrap();
        let off = read(&practice.staff, &APPOINTMENT, ahead).await.unwrap();
        assert_eq!((off.text("status"), off.text("cancel_reason")), (Some("CANCELLED"), Some("The patient has died.")));
        assert_eq!(practice.count("waitlist_entries where tenant_id = $1 and status = 'REMOVED'").await, 1);
    });
}
