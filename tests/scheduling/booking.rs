//! Booking: what the clinic adds, who cannot be in two places, and what is refused.

use super::{Practice, ahead, why};
use crate::world;
use crate::world::operations::{create, patch, read, run};
use chrono::TimeDelta;
use enamel::kernel::context::{Permission, Plane};
use enamel::scheduling::appointment::APPOINTMENT;
use enamel::scheduling::appointment_provider::APPOINTMENT_PROVIDER;
use enamel::scheduling::appointment_type::APPOINTMENT_TYPE;
use enamel::tenancy::location::LOCATION;
use serde_json::json;
use uuid::Uuid;

const BUSY: &str = "conflict";

#[test]
fn a_booked_time_says_where_when_and_who() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let buffered =
            json!({"code": "LONG", "name": "Long", "duration_minutes": 45, "buffer_before_minutes": 10, "buffer_after_minutes": 5});
        let buffered = create(&practice.staff, &APPOINTMENT_TYPE, buffered).await.unwrap().id;
        let mut wish = practice.wish(super::at("2027-07-01T08:00:00Z"));
        wish["appointment_type_id"] = json!(buffered);
        let made = practice.try_book(wish).await.unwrap();
        assert_eq!((made.text("status"), made.int("duration_minutes"), made.version), (Some("PENDING"), Some(45), 1));
        assert_eq!((made.text("local_start"), made.text("time_zone")), (Some("2027-07-01T10:00:00"), Some("Europe/Berlin")));
        assert_eq!(read(&practice.staff, &APPOINTMENT, made.id).await.unwrap().version, 1, "the team came with it");
        assert_eq!(practice.book(super::at("2027-07-02T08:00:00Z")).await.text("status"), Some("SCHEDULED"));

        let truth = world.truth().await;
        let lead = truth
            .query_one("select role, provider_id, busy_start_at::text, busy_end_at::text from enamel.appointment_providers where appointment_id = $1", &[&made.id])
            .await
            .unwrap();
        assert_eq!((lead.get::<_, String>(0), lead.get::<_, Uuid>(1)), ("LEAD".to_owned(), practice.dentist));
        assert!(lead.get::<_, String>(2).contains("07:50:00") && lead.get::<_, String>(3).contains("08:50:00"), "with its buffers");
        assert_eq!(practice.count("appointment_events where tenant_id = $1 and event_type = 'CREATED' and actor_party = 'STAFF'").await, 2);
    });
}

#[test]
fn input_may_give_start_and_duration_and_a_moved_start_keeps_the_length() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let start = ahead(30);
        let base = |extra: serde_json::Value| {
            let mut body = practice.wish(start);
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            body
        };
        let by_duration = create(&practice.staff, &APPOINTMENT, base(json!({"duration_minutes": 50}))).await.unwrap();
        assert_eq!(by_duration.get("end_at"), &json!(enamel::kernel::table::value::instant_text(start + TimeDelta::minutes(50))));
        let end = start + TimeDelta::minutes(20);
        let moved =
            patch(&practice.staff, &APPOINTMENT, by_duration.id, 1, json!({"start_at": start + TimeDelta::hours(3)})).await.unwrap();
        assert_eq!((moved.int("duration_minutes"), moved.version), (Some(50), 2));
        let by_end = create(&practice.staff, &APPOINTMENT, base(json!({"end_at": end}))).await.unwrap();
        assert_eq!(by_end.int("duration_minutes"), Some(20));
        let shorter = patch(&practice.staff, &APPOINTMENT, by_end.id, 1, json!({"duration_minutes": 10})).await.unwrap();
        assert_eq!(shorter.get("end_at"), &json!(enamel::kernel::table::value::instant_text(start + TimeDelta::minutes(10))));
        let neither = json!({"patient_id": practice.patient, "location_id": practice.place, "start_at": start});
        assert_eq!(why(create(&practice.staff, &APPOINTMENT, neither).await), ("field.invalid", "end_at".into(), "required"));
        let backwards = create(&practice.staff, &APPOINTMENT, base(json!({"end_at": start}))).await;
        assert_eq!(why(backwards), ("field.invalid", "end_at".into(), "range"));
    });
}

#[test]
fn of_two_who_want_the_same_chair_or_the_same_dentist_at_once_one_gets_it() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let other = practice.clinic.patient("Other").await.unwrap().id;
        let wish = |patient: Uuid, hour: i64, chair: bool| {
            let mut wish = practice.wish(ahead(20) + TimeDelta::hours(hour));
            wish["patient_id"] = json!(patient);
            if chair {
                wish["operatory_id"] = json!(practice.chair);
            }
            wish
        };
        let (one, two) = tokio::join!(practice.try_book(wish(practice.patient, 0, true)), practice.try_book(wish(other, 0, true)));
        assert!(one.is_ok() != two.is_ok());
        assert_eq!(why(if one.is_ok() { two } else { one }), (BUSY, "operatory_id".into(), "busy"));

        // A provider overlaps by policy; forbidden, the second hears it whichever came first.
        practice.try_book(wish(practice.patient, 2, false)).await.unwrap();
        practice.try_book(wish(other, 2, false)).await.unwrap();
        practice.decide("provider_overlap_policy = 'FORBID'").await;
        let (one, two) = tokio::join!(practice.try_book(wish(practice.patient, 4, false)), practice.try_book(wish(other, 4, false)));
        assert!(one.is_ok() != two.is_ok());
        assert_eq!(why(if one.is_ok() { two } else { one }), (BUSY, "provider_id".into(), "busy"));
        let again = practice.try_book(wish(practice.patient, 2, false)).await;
        assert_eq!(why(again), (BUSY, "patient_id".into(), "busy"));
        // Half-open: the next begins when the last one ends.
        let mut next = wish(practice.patient, 4, true);
        next["start_at"] = json!(ahead(20) + TimeDelta::hours(4) + TimeDelta::minutes(30));
        practice.try_book(next).await.unwrap();
    });
}

#[test]
fn overbooking_takes_a_permission_and_a_reason() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        practice.decide("provider_overlap_policy = 'FORBID'").await;
        let mut wish = practice.wish(ahead(10));
        wish["operatory_id"] = json!(practice.chair);
        practice.try_book(wish.clone()).await.unwrap();
        wish["patient_id"] = json!(practice.clinic.patient("Squeezed").await.unwrap().id);
        wish["is_overbook"] = json!(true);
        assert_eq!(practice.try_book(wish.clone()).await.err().unwrap().code.code, "field.invalid", "a reason is needed");
        wish["overbook_reason"] = json!("Pain");
        let desk = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewSchedule, Permission::EditSchedule]);
        assert_eq!(run(&desk, "bookAppointment", None, wish.clone()).await.err().unwrap().code.status, 403);
        let made = practice.try_book(wish).await.unwrap();
        assert!(made.flag("is_overbook"));
        let third = practice.clinic.patient("Third").await.unwrap().id;
        let mut wish = practice.wish(ahead(10) + TimeDelta::days(1));
        wish["patient_id"] = json!(third);
        let plain = practice.try_book(wish).await.unwrap();
        let sneaky = patch(&desk, &APPOINTMENT, plain.id, plain.version, json!({"is_overbook": true, "overbook_reason": "x"})).await;
        assert_eq!(sneaky.err().unwrap().code.status, 403);
    });
}

#[test]
fn what_does_not_fit_is_refused_by_its_field() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let staff = &practice.staff;
        let elsewhere =
            create(staff, &LOCATION, json!({"name": "Elsewhere", "country": "DE", "time_zone": "Europe/Berlin"})).await.unwrap().id;
        let hygiene = json!({"code": "HYG", "name": "Hygiene", "allowed_provider_types": ["HYGIENIST"]});
        let hygiene = create(staff, &APPOINTMENT_TYPE, hygiene).await.unwrap().id;
        let gone = create(staff, &APPOINTMENT_TYPE, json!({"code": "OLD", "name": "Old", "is_active": false})).await.unwrap().id;
        let stranger = world.tenant("SOLO_PRACTICE", None).await.patient("Foreign").await.unwrap().id;
        for (name, value, code, rule) in [
            ("location_id", elsewhere, "field.invalid", "place"),
            ("appointment_type_id", hygiene, "field.invalid", "provider_type"),
            ("appointment_type_id", gone, "field.invalid", "state"),
            ("patient_id", stranger, "reference.unknown", "reference"),
            ("provider_id", Uuid::now_v7(), "reference.unknown", "reference"),
            ("location_id", Uuid::now_v7(), "reference.unknown", "reference"),
        ] {
            let mut wish = practice.wish(ahead(5));
            wish["operatory_id"] = json!(practice.chair);
            wish[name] = json!(value);
            let (said, _, broken) = why(practice.try_book(wish).await);
            assert_eq!((said, broken), (code, rule), "{name}");
        }
        let missing = run(staff, "bookAppointment", None, json!({})).await.err().unwrap();
        let named: Vec<&str> = missing.faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(named, ["provider_id", "location_id", "start_at", "appointment_type_id", "patient_id"]);
        run(staff, "markPatientDeceased", Some(practice.patient), json!({"deceased_at": "2026-01-01T00:00:00Z"})).await.unwrap();
        assert_eq!(why(practice.try_book(practice.wish(ahead(5))).await), ("field.invalid", "patient_id".into(), "state"));
        let weak = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewSchedule]);
        assert_eq!(run(&weak, "bookAppointment", None, practice.wish(ahead(5))).await.err().unwrap().code.status, 403);
    });
}

#[test]
fn a_moved_appointment_takes_its_team_along_and_is_confirmed_anew() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let made = practice.book(ahead(10)).await;
        let start = ahead(10);
        let hygienist = json!({"full_name": "Hy Gienist", "specialty": "Hygiene", "provider_type": "HYGIENIST"});
        let hygienist = create(&practice.staff, &enamel::directory::provider::PROVIDER, hygienist).await.unwrap().id;
        let helper = json!({"appointment_id": made.id, "patient_id": practice.patient, "provider_id": hygienist, "role": "HYGIENIST",
            "busy_start_at": start, "busy_end_at": start + TimeDelta::minutes(10)});
        create(&practice.staff, &APPOINTMENT_PROVIDER, helper).await.unwrap();
        assert_eq!(read(&practice.staff, &APPOINTMENT, made.id).await.unwrap().version, 2, "a part raises the whole's version");
        let confirmed = practice.act("confirmAppointment", made.id, json!({"via": "PHONE"})).await.unwrap();
        assert_eq!((confirmed.text("status"), confirmed.text("confirmed_via")), (Some("CONFIRMED"), Some("PHONE")));

        let later = start + TimeDelta::hours(1);
        let moved = practice.act("rescheduleAppointment", made.id, json!({"start_at": later, "duration_minutes": 60})).await.unwrap();
        assert_eq!((moved.text("status"), moved.int("duration_minutes")), (Some("SCHEDULED"), Some(60)));
        assert!(moved.get("confirmed_at").is_null() && moved.get("confirmed_via").is_null());
        let truth = world.truth().await;
        let team: Vec<(String, bool)> = truth
            .query(
                "select role, case role when 'LEAD' then busy_start_at = $2 and busy_end_at = $2 + interval '1 hour'
                         else busy_start_at = $2 and busy_end_at = $2 + interval '40 minutes' end
                   from enamel.appointment_providers where appointment_id = $1 order by role",
                &[&made.id, &later],
            )
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        assert_eq!(team, [("HYGIENIST".to_owned(), true), ("LEAD".to_owned(), true)]);
        let event = truth
            .query_one(
                "select old_start_at = $2 and new_start_at = $3 from enamel.appointment_events where appointment_id = $1 and event_type = 'RESCHEDULED'",
                &[&made.id, &start, &later],
            )
            .await
            .unwrap();
        assert!(event.get::<_, bool>(0));
    });
}
