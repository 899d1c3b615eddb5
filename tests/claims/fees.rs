//! A fee schedule from a file.

use crate::referrals::count;
use crate::world;
use crate::world::files::csv as upload;
use crate::world::operations::{create, run};
use crate::world::tenants::Clinic;
use enamel::claims::fee_schedule::FEE_SCHEDULE;
use enamel::kernel::operation::Answer;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

async fn import(clinic: &Clinic, schedule: Uuid, file: Uuid) -> enamel::kernel::error::Result<Map<String, Json>> {
    match run(&clinic.staff(), "importFeeSchedule", Some(schedule), json!({"file_id": file})).await? {
        Answer::Object(report) => Ok(report),
        _ => panic!("no report"),
    }
}

#[test]
fn a_schedule_is_what_its_file_says() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let body = json!({"name": "Fees", "scope": "TENANT", "currency": "EUR", "effective_from": "2026-01-01"});
        let schedule = create(&clinic.staff(), &FEE_SCHEDULE, body).await.unwrap();
        let first = upload(&clinic, "code,fee,allowed\nT1000,85.50,80\nT2000,10,\nT3000,abc,\n").await;
        let report = import(&clinic, schedule.id, first).await.unwrap();
        assert_eq!(
            (&report["added"], &report["retired"], &report["refused"]),
            (&json!(2), &json!(0), &json!([{"line": 4, "rule": "fee"}]))
        );
        assert_eq!(
            count(&clinic, "fee_schedule_items", "code = 'T1000' and fee_minor = 8550 and allowed_minor = 8000 and currency = 'EUR'").await,
            1
        );
        let unread = upload(&clinic, "code,fee\nT1000,x\nT2000,10\n").await;
        let report = import(&clinic, schedule.id, unread).await.unwrap();
        assert_eq!((&report["changed"], &report["retired"]), (&json!(0), &json!(0)), "a line that cannot be read changes nothing");
        let second = upload(&clinic, "code,fee\nT1000,90\nT4000,1\n").await;
        let report = import(&clinic, schedule.id, second).await.unwrap();
        assert_eq!((&report["added"], &report["changed"], &report["retired"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(count(&clinic, "fee_schedule_items", "deleted_at is null").await, 2);
        assert_eq!(count(&clinic, "fee_schedule_items", "code = 'T2000' and deleted_at is not null").await, 1);
        // A file without its columns, a picture, another clinic's file: nothing changes.
        let bad = upload(&clinic, "a,b\n1,2\n").await;
        assert_eq!(import(&clinic, schedule.id, bad).await.unwrap_err().faults[0].rule, "csv");
        let picture = crate::world::files::ready(&clinic).await;
        assert_eq!(import(&clinic, schedule.id, picture).await.unwrap_err().faults[0].rule, "csv");
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let theirs = upload(&other, "code,fee\nT1,1\n").await;
        assert_eq!(import(&clinic, schedule.id, theirs).await.unwrap_err().code.code, "reference.unknown");
        assert_eq!(import(&other, schedule.id, theirs).await.unwrap_err().code.status, 404);
        assert_eq!(count(&clinic, "fee_schedule_items", "deleted_at is null").await, 2);
    });
}
