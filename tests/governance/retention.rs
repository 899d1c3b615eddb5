//! Retention: nothing goes before its time, with a consent in force or under a hold, and nothing by one person alone.

use super::{object, rule};
use crate::world;
use crate::world::dice::Dice;
use crate::world::operations::{create, read, record, run};
use crate::world::tenants::Clinic;
use enamel::governance::data_retention_policy::DATA_RETENTION_POLICY;
use enamel::governance::legal_hold::LEGAL_HOLD;
use enamel::governance::legal_hold_item::LEGAL_HOLD_ITEM;
use enamel::governance::retention::carry_on;
use enamel::governance::retention_run::RETENTION_RUN;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::table::Record;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// C09, told once more: delete only after the time to keep, without consent in force, without a hold.
#[test]
fn the_rule_never_deletes_what_is_kept() {
    world::with(async |world| {
        let truth = world.truth().await;
        let mut dice = Dice::new(9);
        for _ in 0..300 {
            let today = 20_000 + i32::try_from(dice.below(4_000)).unwrap();
            let until = [None, Some(20_000 + i32::try_from(dice.below(4_000)).unwrap())][dice.below(2)];
            let consent = ["ACTIVE", "LAPSED", "NONE"][dice.below(3)];
            let held = dice.below(2) == 0;
            let strategy = ["NONE", "COLD_STORAGE", "ANONYMISE", "DELETE"][dice.below(4)];
            let decision: String = truth
                .query_one(
                    "select kernel.retention_decision(date '1970-01-01' + $1::int, date '1970-01-01' + $2::int, $3, $4, $5)",
                    &[&today, &until, &consent, &held, &strategy],
                )
                .await
                .unwrap()
                .get(0);
            let over = until.is_some_and(|until| today >= until);
            let expected = match (consent, over, strategy) {
                ("ACTIVE", ..) => "KEEP",
                ("LAPSED", false, _) => "RESTRICT",
                ("NONE", false, _) | (_, true, "NONE") => "KEEP",
                (_, true, "DELETE") => "DELETE",
                _ => "ARCHIVE",
            };
            let expected = if held && expected != "KEEP" { "HELD" } else { expected };
            assert_eq!(decision, expected, "{today} {until:?} {consent} {held} {strategy}");
        }
    });
}

async fn officer(clinic: &Clinic) -> Caller {
    let user = clinic.member("TENANT_ADMIN").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(user), Permission::ALL)
}

/// A patient whose record was made that many years ago.
async fn old(clinic: &Clinic, name: &str, years: i32) -> Uuid {
    let id = clinic.patient(name).await.unwrap().id;
    let truth = clinic.world.truth().await;
    truth.batch_execute("set session_replication_role = replica").await.unwrap();
    truth
        .execute("update enamel.patients set created_at = now() - make_interval(years => $2) where id = $1", &[&id, &years])
        .await
        .unwrap();
    id
}

/// The run when it has that status, whoever carries it on: servers leave each other what one of them holds.
async fn carried_on(officer: &Caller, run: Uuid, status: &str) -> Record {
    for _ in 0..600 {
        carry_on(&officer.kernel).await.unwrap();
        let run = read(officer, &RETENTION_RUN, run).await.unwrap();
        if run.text("status") == Some(status) {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run is never {status}");
}

#[test]
fn a_run_is_reviewed_by_two_and_leaves_what_changed_since() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (first, second) = (officer(&clinic).await, officer(&clinic).await);
        let policy = |min: i32| json!({"data_class": "PATIENT_RECORD", "min_years": min, "max_years": 12, "trigger_event": "CREATED", "archival_strategy": "DELETE"});
        let law = create(&first, &DATA_RETENTION_POLICY, policy(9)).await.unwrap_err();
        assert_eq!((law.code.status, law.faults[0].field.as_str()), (422, "min_years"), "ten years in Germany");
        let policy = create(&first, &DATA_RETENTION_POLICY, policy(10)).await.unwrap().id;
        let [gone, held_now, held_later, young] = [
            old(&clinic, "Gone", 13).await,
            old(&clinic, "HeldNow", 13).await,
            old(&clinic, "HeldLater", 13).await,
            old(&clinic, "Young", 11).await,
        ];
        let hold = create(&first, &LEGAL_HOLD, json!({"name": "Case", "reason": "a suit"})).await.unwrap().id;
        let under = |id: Uuid| json!({"hold_id": hold, "resource_type": "Patient", "resource_id": id});
        create(&first, &LEGAL_HOLD_ITEM, under(held_now)).await.unwrap();

        let counts = object(run(&first, "previewDataRetentionPolicy", Some(policy), json!({})).await.unwrap());
        assert_eq!((&counts["deleted"], &counts["held"]), (&json!(2), &json!(1)));
        let started = create(&first, &RETENTION_RUN, json!({"policy_id": policy, "mode": "EXECUTE"})).await.unwrap().id;
        let listed = carried_on(&first, started, "REVIEW").await;
        assert_eq!((listed.int("candidates"), listed.int("held")), (Some(3), Some(1)));
        assert_eq!(rule(&first, "approveRetentionRun", started, json!({})).await, (409, "second_person"));
        // Before it is approved: from then on any server may carry it out at once.
        create(&first, &LEGAL_HOLD_ITEM, under(held_later)).await.unwrap();
        let approved = record(run(&second, "approveRetentionRun", Some(started), json!({})).await.unwrap());
        assert_eq!(approved.uuid("approved_by"), second.context.actor);
        let done = carried_on(&first, started, "COMPLETED").await;
        assert_eq!(done.int("purged"), Some(1));
        let truth = world.truth().await;
        let rows =
            truth.query("select id from enamel.patients where tenant_id = $1 and deleted_at is not null", &[&clinic.id]).await.unwrap();
        let retired: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(retired, [gone], "{held_now} {held_later} {young} stay");
        for step in ["approveRetentionRun", "cancelRetentionRun"] {
            assert_eq!(rule(&second, step, started, json!({})).await, (409, "state"), "{step}");
        }
    });
}

#[test]
fn a_run_that_fails_is_over_and_keeps_no_other_from_its_turn() {
    world::with(async |world| {
        let (broken, whole) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let mut runs = Vec::new();
        for clinic in [&broken, &whole] {
            let officer = officer(clinic).await;
            let years = json!({"data_class": "PATIENT_RECORD", "min_years": 10, "max_years": 12, "trigger_event": "CREATED", "archival_strategy": "DELETE"});
            let refusal = create(&officer, &DATA_RETENTION_POLICY, json!({"data_class": "PATIENT_RECORD", "min_years": 2_000_000_000}));
            assert_eq!(refusal.await.unwrap_err().faults[0].field, "min_years");
            let policy = create(&officer, &DATA_RETENTION_POLICY, years).await.unwrap().id;
            old(clinic, "Patient", 13).await;
            // A day so far away that no years can be added to it.
            let truth = world.truth().await;
            truth.batch_execute("set session_replication_role = replica").await.unwrap();
            truth.execute("update enamel.patients set created_at = '294275-01-01' where tenant_id = $1", &[&broken.id]).await.unwrap();
            let body = json!({"policy_id": policy, "mode": "EXECUTE"});
            runs.push((create(&officer, &RETENTION_RUN, body).await.unwrap().id, officer));
        }
        let failed = carried_on(&runs[0].1, runs[0].0, "FAILED").await;
        assert!(!failed.get("completed_at").is_null());
        assert_eq!(carried_on(&runs[1].1, runs[1].0, "REVIEW").await.int("candidates"), Some(1));
    });
}

#[test]
fn a_preview_run_is_never_carried_out_and_a_list_can_be_let_be() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (first, second) = (officer(&clinic).await, officer(&clinic).await);
        let body = json!({"data_class": "PATIENT_RECORD", "min_years": 10, "max_years": 12, "trigger_event": "CREATED", "archival_strategy": "DELETE"});
        let policy = create(&first, &DATA_RETENTION_POLICY, body).await.unwrap().id;
        let looked = create(&first, &RETENTION_RUN, json!({"policy_id": policy, "mode": "PREVIEW"})).await.unwrap().id;
        carried_on(&first, looked, "REVIEW").await;
        assert_eq!(rule(&second, "approveRetentionRun", looked, json!({})).await, (409, "value"));
        assert_eq!(record(run(&second, "cancelRetentionRun", Some(looked), json!({})).await.unwrap()).text("status"), Some("CANCELLED"));
        let logs = json!({"data_class": "LOGS", "min_years": 6});
        let logs = create(&first, &DATA_RETENTION_POLICY, logs).await.unwrap().id;
        assert_eq!(rule(&first, "previewDataRetentionPolicy", logs, json!({})).await, (422, "covered"));
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(run(&weak, "previewDataRetentionPolicy", Some(policy), json!({})).await.err().unwrap().code.status, 403);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(rule(&stranger, "previewDataRetentionPolicy", policy, json!({})).await, (404, "not_found"));
    });
}
