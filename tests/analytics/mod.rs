//! Reports count what is there, in the clinic's own time, and nobody else's.

use crate::world::operations::run;
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn report(clinic: &Clinic, name: &str, member: &str) -> Vec<Json> {
    match run(&clinic.staff(), name, None, json!({"from": "2026-03-01", "to": "2026-04-01"})).await.unwrap() {
        Answer::Object(members) => members[member].as_array().unwrap().clone(),
        _ => panic!("no object"),
    }
}

async fn sql(world: &World, text: &str) {
    world.truth().await.batch_execute(text).await.unwrap();
}

#[test]
fn referrals_are_counted_by_the_clinics_month() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        // The last of them is sent in March by UTC and in April in Berlin.
        let lines = [
            ("OUTGOING", "SENT", "2026-03-10 12:00Z"),
            ("OUTGOING", "DRAFT", "2026-03-10 12:00Z"),
            ("INCOMING", "SENT", "2026-03-31 21:30Z"),
            ("INCOMING", "SENT", "2026-03-31 22:30Z"),
        ];
        for (kind, status, at) in lines {
            sql(
                world,
                &format!(
                    "set session_replication_role = replica;
                insert into enamel.referrals (tenant_id, id, referral_type, contact_id, patient_name, patient_dob, reason, status, sent_at)
                values ('{}', gen_random_uuid(), '{kind}', gen_random_uuid(), 'A', '2000-01-01', 'pain', '{status}', '{at}')",
                    clinic.id
                ),
            )
            .await;
        }
        let months = report(&clinic, "getReferralsPerMonth", "months").await;
        assert_eq!(
            months,
            [
                json!({"month": "2026-03", "referral_type": "INCOMING", "count": 1, "completed": 0}),
                json!({"month": "2026-03", "referral_type": "OUTGOING", "count": 1, "completed": 0}),
            ]
        );
        assert!(report(&world.tenant("SOLO_PRACTICE", None).await, "getReferralsPerMonth", "months").await.is_empty());
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewAnalytics]);
        let span = json!({"from": "2026-03-01", "to": "2026-04-01"});
        assert_eq!(run(&weak, "getReferralsPerMonth", None, span).await.err().unwrap().code.status, 403);
        for (from, to) in [("2026-03-01", "2026-03-01"), ("2020-01-01", "2026-01-01")] {
            let span = json!({"from": from, "to": to});
            assert_eq!(run(&clinic.staff(), "getReferralsPerMonth", None, span).await.err().unwrap().code.status, 400);
        }
    });
}

#[test]
fn chairs_are_used_in_open_hours() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (t, place, provider) = (clinic.id, Uuid::now_v7(), Uuid::now_v7());
        sql(world, &format!("insert into enamel.locations (tenant_id, id, name, country, time_zone) values ('{t}', '{place}', 'Main', 'DE', 'Europe/Berlin');
            set session_replication_role = replica;
            insert into enamel.availability_blocks (tenant_id, id, provider_id, location_id, kind, day_of_week, start_time, end_time)
            values ('{t}', gen_random_uuid(), '{provider}', '{place}', 'WEEKLY', 1, '08:00', '12:00');
            insert into enamel.availability_blocks (tenant_id, id, provider_id, location_id, kind, exception_date, start_time, end_time)
            values ('{t}', gen_random_uuid(), '{provider}', '{place}', 'EXTRA', '2026-03-03', '08:00', '10:00');
            insert into enamel.availability_blocks (tenant_id, id, provider_id, kind, exception_date)
            values ('{t}', gen_random_uuid(), '{provider}', 'BLOCKED', '2026-03-09');
            insert into enamel.schedule_closures (tenant_id, id, starts_at, ends_at, reason)
            values ('{t}', gen_random_uuid(), '2026-03-16 06:00+01', '2026-03-16 10:00+01', 'paint');
            insert into enamel.appointments (tenant_id, id, patient_id, location_id, start_at, end_at, duration_minutes, local_start, time_zone, status)
            values ('{t}', gen_random_uuid(), gen_random_uuid(), '{place}', '2026-03-02 08:00+01', '2026-03-02 09:30+01', 90, '', 'Europe/Berlin', 'COMPLETED'),
                   ('{t}', gen_random_uuid(), gen_random_uuid(), '{place}', '2026-03-02 10:00+01', '2026-03-02 11:00+01', 60, '', 'Europe/Berlin', 'CANCELLED');")).await;
        let lines = report(&clinic, "getChairUtilisation", "locations").await;
        // Five Mondays of four hours and the extra two; one Monday blocked, two hours of another closed.
        assert_eq!(
            lines,
            [json!({"location_id": place, "name": "Main", "appointments": 1, "booked_minutes": 90,
            "open_minutes": (5 * 4 + 2 - 4 - 2) * 60, "utilisation": 90.0 / 960.0})]
        );
        assert!(report(&world.tenant("SOLO_PRACTICE", None).await, "getChairUtilisation", "locations").await.is_empty());
    });
}

#[test]
fn plans_are_accepted_in_whole_and_in_part() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (t, patient, part) = (clinic.id, clinic.patient("Planned").await.unwrap().id, Uuid::now_v7());
        sql(world, &format!("set session_replication_role = replica;
            insert into enamel.treatment_plans (tenant_id, id, patient_id, created_by_party, currency, status, total_estimated_cost_minor, presented_at, accepted_at)
            values ('{t}', gen_random_uuid(), '{patient}', 'CLINIC', 'EUR', 'ACCEPTED', 1000, '2026-03-05', '2026-03-06'),
                   ('{t}', gen_random_uuid(), '{patient}', 'CLINIC', 'EUR', 'DECLINED', 500, '2026-03-05', null),
                   ('{t}', gen_random_uuid(), '{patient}', 'CLINIC', 'EUR', 'ACCEPTED', 70, '2026-04-05', '2026-04-06'),
                   ('{t}', '{part}', '{patient}', 'CLINIC', 'EUR', 'PARTIALLY_ACCEPTED', 900, '2026-03-07', '2026-03-08');
            insert into enamel.treatment_plan_items (tenant_id, id, plan_id, patient_id, code_system, description, currency, estimated_fee_minor, quantity, status, sequence_order)
            values ('{t}', gen_random_uuid(), '{part}', '{patient}', 'LOCAL', 'T1234', 'EUR', 100, 2, 'ACCEPTED', 1),
                   ('{t}', gen_random_uuid(), '{part}', '{patient}', 'LOCAL', 'T1235', 'EUR', 700, 1, 'DECLINED', 2);")).await;
        assert_eq!(
            report(&clinic, "getPlanAcceptance", "currencies").await,
            [json!({"currency": "EUR", "presented": 3, "presented_minor": 2400,
            "accepted": 2, "accepted_minor": 1200, "acceptance": 2.0 / 3.0})]
        );
    });
}
