//! Free times: local hours and clock changes, what takes them away, and who is shown which.

use super::{Practice, at, why};
use crate::world;
use crate::world::operations::{create, run};
use chrono::{DateTime, TimeDelta, Utc};
use enamel::kernel::Caller;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::value::instant_text;
use enamel::scheduling::appointment_type::APPOINTMENT_TYPE;
use enamel::scheduling::schedule_closure::SCHEDULE_CLOSURE;
use enamel::scheduling::slot_hold::SLOT_HOLD;
use serde_json::{Value as Json, json};

pub async fn find(caller: &Caller, body: Json) -> Vec<Json> {
    match run(caller, "findSlots", None, body).await.unwrap() {
        Answer::Object(answer) => answer["slots"].as_array().unwrap().clone(),
        _ => panic!("no object"),
    }
}

async fn starts(practice: &Practice, from: &str, to: &str) -> Vec<String> {
    let body = json!({"type": practice.kind, "from": from, "to": to, "provider": practice.dentist});
    find(&practice.staff, body).await.iter().map(|slot| slot["start_at"].as_str().unwrap()[..16].to_owned()).collect()
}

#[test]
fn weekly_hours_are_wall_time_and_survive_the_change_of_the_clocks() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Budapest").await;
        practice.decide("appointment_granularity_minutes = 15").await;
        practice.hours(json!({"kind": "WEEKLY", "day_of_week": 7, "start_time": "01:30", "end_time": "04:00"})).await;
        practice.hours(json!({"kind": "WEEKLY", "day_of_week": 1, "start_time": "09:00", "end_time": "10:00"})).await;
        // 2028-03-26, 02:00 to 03:00 does not exist: an hour and a half is left of two and a half.
        assert_eq!(
            starts(&practice, "2028-03-26T00:00:00Z", "2028-03-27T00:00:00Z").await,
            ["2028-03-26T00:30", "2028-03-26T00:45", "2028-03-26T01:00", "2028-03-26T01:15", "2028-03-26T01:30"]
        );
        // 2028-10-29, 02:00 to 03:00 comes twice: three hours and a half.
        let long = starts(&practice, "2028-10-28T22:00:00Z", "2028-10-29T12:00:00Z").await;
        assert_eq!(
            (long.len(), long.first().unwrap().as_str(), long.last().unwrap().as_str()),
            (13, "2028-10-28T23:30", "2028-10-29T02:30")
        );
        // Nine o'clock is nine o'clock in winter and in summer.
        assert_eq!(starts(&practice, "2028-03-20T00:00:00Z", "2028-03-21T00:00:00Z").await[0], "2028-03-20T08:00");
        assert_eq!(starts(&practice, "2028-03-27T00:00:00Z", "2028-03-28T00:00:00Z").await[0], "2028-03-27T07:00");
    });
}

#[test]
fn wall_times_that_do_not_exist_move_on_and_those_that_come_twice_are_their_first() {
    world::with(async |world| {
        let truth = world.truth().await;
        for (zone, wall, utc) in [
            ("Europe/Budapest", "2026-03-29 02:30", "2026-03-29T01:30:00Z"),
            ("Europe/Budapest", "2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("Europe/Budapest", "2026-10-25 03:00", "2026-10-25T02:00:00Z"),
            ("America/New_York", "2026-11-01 01:15", "2026-11-01T05:15:00Z"),
            ("America/New_York", "2026-03-08 02:45", "2026-03-08T07:45:00Z"),
            ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00Z"),
            ("Asia/Kathmandu", "2026-06-01 12:00", "2026-06-01T06:15:00Z"),
        ] {
            let found: DateTime<Utc> =
                truth.query_one("select kernel.at_local($1::text::timestamp, $2)", &[&wall, &zone]).await.unwrap().get(0);
            assert_eq!(found, at(utc), "{wall} {zone}");
        }
        // Whatever the hour of whatever day: what exists reads back as itself, and never later than a second reading.
        let odd: i64 = truth
            .query_one(
                "select count(*) from generate_series('2026-01-01'::timestamp, '2026-12-31', '15 minutes') wall,
                        unnest(array['Europe/Budapest', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca']) zone,
                        lateral (select kernel.at_local(wall, zone) as at) x
                  where at at time zone zone <> wall and (at at time zone zone - wall) not in ('1 hour', '30 minutes')
                     or at > wall at time zone zone
                     or (at - interval '1 hour') at time zone zone = wall or (at - interval '30 minutes') at time zone zone = wall",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(odd, 0);
    });
}

#[test]
fn blocked_closed_booked_and_held_times_are_gone_and_extra_ones_are_there() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.decide("appointment_granularity_minutes = 15").await;
        let day = |clock: &str| format!("2028-05-01T{clock}:00Z");
        practice
            .hours(json!({"kind": "WEEKLY", "day_of_week": 1, "start_time": "08:00", "end_time": "12:00", "valid_until": "2028-05-01"}))
            .await;
        practice.hours(json!({"kind": "EXTRA", "exception_date": "2028-05-01", "start_time": "23:00", "end_time": "24:00"})).await;
        let block =
            practice.hours(json!({"kind": "BLOCKED", "exception_date": "2028-05-01", "start_time": "09:00", "end_time": "09:30"})).await;
        assert_eq!(block.text("end_time"), Some("09:30:00"));
        let closed = json!({"location_id": practice.place, "starts_at": day("10:00"), "ends_at": day("10:30"), "reason": "Drill"});
        create(&practice.staff, &SCHEDULE_CLOSURE, closed).await.unwrap();
        practice.book(at(&day("08:30"))).await;
        let hold = json!({"provider_id": practice.dentist, "location_id": practice.place, "appointment_type_id": practice.kind,
            "start_at": day("11:00"), "end_at": day("11:30")});
        let hold = create(&practice.staff, &SLOT_HOLD, hold).await.unwrap();
        let whole = async || starts(&practice, &day("00:00"), "2028-05-02T00:00:00Z").await;
        let hours = |list: &[&str]| list.iter().map(|clock| day(clock)[..16].to_owned()).collect::<Vec<_>>();
        assert_eq!(whole().await, hours(&["08:00", "09:30", "10:30", "11:30", "23:00", "23:15", "23:30"]));
        // Off again: the hold's time, and the week after the last valid day is empty.
        run(&practice.staff, "releaseSlotHold", Some(hold.id), json!({})).await.unwrap();
        assert_eq!(whole().await, hours(&["08:00", "09:30", "10:30", "10:45", "11:00", "11:15", "11:30", "23:00", "23:15", "23:30"]));
        assert!(starts(&practice, "2028-05-08T00:00:00Z", "2028-05-09T00:00:00Z").await.is_empty());
        practice.hours(json!({"kind": "BLOCKED", "exception_date": "2028-05-01"})).await;
        assert!(whole().await.is_empty(), "a whole day");
    });
}

#[test]
fn buffers_lengths_and_granularity_cut_the_pieces() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.decide("appointment_granularity_minutes = 10").await;
        practice.hours(json!({"kind": "EXTRA", "exception_date": "2028-05-01", "start_time": "08:05", "end_time": "09:30"})).await;
        let kind = json!({"code": "B", "name": "B", "duration_minutes": 40, "buffer_before_minutes": 10, "buffer_after_minutes": 5});
        let kind = create(&practice.staff, &APPOINTMENT_TYPE, kind).await.unwrap().id;
        let range = json!({"from": "2028-05-01T00:00:00Z", "to": "2028-05-02T00:00:00Z", "provider": practice.dentist});
        let with = |extra: Json| {
            let mut body = range.clone();
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            body
        };
        let clocks = |slots: Vec<Json>| slots.iter().map(|slot| slot["start_at"].as_str().unwrap()[11..16].to_owned()).collect::<Vec<_>>();
        assert_eq!(clocks(find(&practice.staff, with(json!({"type": kind}))).await), ["08:20", "08:30", "08:40"]);
        assert_eq!(clocks(find(&practice.staff, with(json!({"duration_minutes": 80}))).await), ["08:10"]);
        assert_eq!(clocks(find(&practice.staff, with(json!({"type": kind, "duration_minutes": 60}))).await), ["08:20"]);
    });
}

#[test]
fn a_range_has_sixty_days_and_a_question_says_what_for() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let ask = async |from: &str, to: &str, kind: Option<uuid::Uuid>| {
            run(&practice.staff, "findSlots", None, json!({"from": from, "to": to, "type": kind})).await
        };
        let kind = Some(practice.kind);
        assert_eq!(why(ask("2028-01-01T00:00:00Z", "2028-03-02T00:00:00Z", kind).await), ("field.invalid", "to".into(), "range"));
        assert_eq!(why(ask("2028-01-01T00:00:00Z", "2028-01-01T00:00:00Z", kind).await), ("field.invalid", "to".into(), "range"));
        assert_eq!(why(ask("2028-01-01T00:00:00Z", "2028-01-02T00:00:00Z", None).await), ("field.invalid", "type".into(), "required"));
        ask("2028-01-01T00:00:00Z", "2028-03-01T00:00:00Z", kind).await.unwrap();
    });
}

#[test]
fn strangers_see_what_may_be_booked_online_and_nothing_else() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.always_open().await;
        practice.decide("booking_min_notice_minutes = 1440, booking_max_horizon_days = 3").await;
        let (from, to) = (Utc::now(), Utc::now() + TimeDelta::days(10));
        let path = "/availability-blocks/find-slots";
        let ask = json!({"type": practice.kind, "from": from, "to": to, "tenant": practice.clinic.id});
        let (status, body) = world.post(None, path, ask.clone()).await;
        assert_eq!(status, 200, "{body}");
        let slots = body["slots"].as_array().unwrap();
        let first: DateTime<Utc> = slots.first().unwrap()["start_at"].as_str().unwrap().parse().unwrap();
        let last: DateTime<Utc> = slots.last().unwrap()["start_at"].as_str().unwrap().parse().unwrap();
        assert!(first >= from + TimeDelta::days(1) && last <= from + TimeDelta::days(3) + TimeDelta::minutes(1), "{first} {last}");

        let (_, patient) = practice.patient_login("Looking").await;
        assert_eq!(find(&patient, json!({"type": practice.kind, "from": from, "to": to})).await.len(), slots.len());
        // One that the clinic books itself is no patient's; nor is a provider who takes none online.
        let inner = create(&practice.staff, &APPOINTMENT_TYPE, json!({"code": "IN", "name": "Inner"})).await.unwrap().id;
        assert!(find(&patient, json!({"type": inner, "from": from, "to": to})).await.is_empty());
        assert!(!find(&practice.staff, json!({"type": inner, "from": from, "to": to})).await.is_empty());
        world
            .truth()
            .await
            .execute("update enamel.providers set accepts_online_booking = false where id = $1", &[&practice.dentist])
            .await
            .unwrap();
        assert!(world.post(None, path, ask).await.1["slots"].as_array().unwrap().is_empty());

        let elsewhere = world.tenant("SOLO_PRACTICE", None).await;
        let foreign = json!({"type": practice.kind, "from": from, "to": to, "tenant": elsewhere.id});
        assert_eq!(run(&patient, "findSlots", None, foreign).await.err().unwrap().code.status, 422);
        let (status, _) = world.post(None, path, json!({"type": practice.kind, "from": from, "to": to, "tenant": "nobody-here"})).await;
        assert_eq!(status, 422);
        // Without a login nobody keeps the database busy.
        let word = format!("nobody-{}", elsewhere.id);
        let (mut asked, mut last) = (0, 0);
        while last != 429 && asked < 300 {
            last = world.post(None, path, json!({"type": practice.kind, "from": from, "to": to, "tenant": word})).await.0;
            asked += 1;
        }
        assert!(last == 429 && asked > 60, "{last} after {asked}");
    });
}

#[test]
fn one_providers_free_times_are_asked_by_their_id() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.always_open().await;
        let token = practice.clinic.token("TENANT_ADMIN").await;
        let (from, to) = (instant_text(super::ahead(2)), instant_text(super::ahead(2) + TimeDelta::hours(2)));
        let path = |provider| format!("/providers/{provider}/free-slots?type={}&from={from}&to={to}", practice.kind);
        let (status, body) = world.get(Some(&token), &path(practice.dentist)).await;
        assert_eq!((status, body["slots"].as_array().map(Vec::len)), (200, Some(8)), "{body}");
        assert_eq!(world.get(Some(&token), &path(uuid::Uuid::now_v7())).await.0, 404);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        assert_eq!(world.get(Some(&stranger), &path(practice.dentist)).await.0, 404);
    });
}
