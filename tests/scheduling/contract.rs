//! Over HTTP: other words for the states, the history, the feed, and midnight at the end of the day.

use super::{Practice, ahead};
use crate::world;
use crate::world::operations::read;
use enamel::kernel::table::value::instant_text;
use enamel::scheduling::availability_block::AVAILABILITY_BLOCK;
use serde_json::json;

#[test]
fn other_spellings_of_a_state_are_understood() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let token = practice.clinic.token("TENANT_ADMIN").await;
        let made = practice.book(ahead(3)).await;
        practice.act("cancelAppointment", made.id, json!({"reason": "x"})).await.unwrap();
        practice.book(ahead(3)).await;
        for (word, found) in
            [("Canceled", 1), ("cancelled", 1), ("Cancelled", 1), ("CANCELLED", 1), ("scheduled", 1), ("NoShow", 0), ("Pending", 0)]
        {
            let (status, page) = world.get(Some(&token), &format!("/appointments?status={word}")).await;
            assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(found)), "{word}: {page}");
        }
        assert_eq!(world.get(Some(&token), "/appointments?status=Gone").await.0, 400);
    });
}

#[test]
fn a_day_may_end_at_24() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let block = practice.hours(json!({"kind": "WEEKLY", "day_of_week": 1, "start_time": "18:00", "end_time": "24:00"})).await;
        assert_eq!(read(&practice.staff, &AVAILABILITY_BLOCK, block.id).await.unwrap().text("end_time"), Some("24:00:00"));
        let token = practice.clinic.token("TENANT_ADMIN").await;
        let body = json!({"provider_id": practice.dentist, "kind": "WEEKLY", "day_of_week": 1, "start_time": "18:00", "end_time": "24:30"});
        assert_eq!(world.post(Some(&token), "/availability-blocks", body).await.0, 422);
        for wrong in [
            json!({"kind": "WEEKLY", "day_of_week": 1, "exception_date": "2028-01-01", "start_time": "08:00", "end_time": "09:00"}),
            json!({"kind": "WEEKLY", "start_time": "08:00", "end_time": "09:00"}),
            json!({"kind": "EXTRA", "exception_date": "2028-01-01"}),
            json!({"kind": "WEEKLY", "day_of_week": 8, "start_time": "08:00", "end_time": "09:00"}),
            json!({"kind": "WEEKLY", "day_of_week": 1, "start_time": "09:00", "end_time": "08:00"}),
        ] {
            let mut body = wrong.clone();
            body["provider_id"] = json!(practice.dentist);
            assert_eq!(world.post(Some(&token), "/availability-blocks", body).await.0, 422, "{wrong}");
        }
    });
}

#[test]
fn the_history_tells_events_to_those_who_may_see_the_appointment() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let made = practice.book(ahead(3)).await;
        practice.act("confirmAppointment", made.id, json!({})).await.unwrap();
        practice.act("cancelAppointment", made.id, json!({"reason": "ill"})).await.unwrap();
        let token = practice.clinic.token("TENANT_ADMIN").await;
        let path = format!("/appointments/{}/history", made.id);
        let (status, page) = world.get(Some(&token), &path).await;
        assert_eq!(status, 200, "{page}");
        let kinds: Vec<&str> = page["items"].as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["CREATED", "CONFIRMED", "CANCELLED"]);
        let (_, own) = world.patient_token(&[(practice.clinic.id, practice.patient)]).await;
        assert_eq!(world.get(Some(&own), &path).await.1["items"].as_array().map(Vec::len), Some(3));
        let other = practice.clinic.patient("Other").await.unwrap().id;
        let (_, other) = world.patient_token(&[(practice.clinic.id, other)]).await;
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        for token in [other, stranger] {
            assert_eq!(world.get(Some(&token), &path).await.0, 404);
        }
        let first = world.get(Some(&token), &format!("{path}?limit=1")).await.1;
        let next = first["next"].as_str().unwrap_or_else(|| panic!("{first}"));
        let second = world.get(Some(&token), &format!("{path}?limit=1&cursor={next}")).await.1;
        assert_eq!(second["items"][0]["event_type"], "CONFIRMED");
    });
}

#[test]
fn the_feed_names_no_patient() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        practice.book(ahead(3)).await;
        let off = practice.book(ahead(4)).await;
        practice.act("cancelAppointment", off.id, json!({"reason": "ill"})).await.unwrap();
        let token = practice.clinic.token("TENANT_ADMIN").await;
        let feed = async |token: &str| {
            let answer =
                world.http.get(format!("{}/api/v1/appointments/calendar-feed", world.base_url)).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/calendar"));
            answer.text().await.unwrap()
        };
        let text = feed(&token).await;
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 2);
        assert!(text.contains("SUMMARY:Check-up\r\n") && text.contains("STATUS:CANCELLED\r\n") && text.contains("LOCATION:Site\r\n"));
        for secret in ["Waiting", "ill", &practice.patient.to_string()] {
            assert!(!text.contains(secret), "{secret}");
        }
        let other = practice.clinic.patient("Other").await.unwrap().id;
        let (_, other) = world.patient_token(&[(practice.clinic.id, other)]).await;
        assert_eq!(feed(&other).await.matches("BEGIN:VEVENT").count(), 0);
        let to = instant_text(ahead(800));
        let url = format!("/appointments/calendar-feed?to={to}");
        assert_eq!(world.get(Some(&token), &url).await.0, 400);
    });
}
