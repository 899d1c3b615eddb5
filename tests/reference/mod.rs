//! A tenant's own codes from its own files.

use crate::referrals::count;
use crate::world::files::{csv, uploaded};
use crate::world::operations::{create, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::integrations::sync_job::SYNC_JOB;
use enamel::kernel::error::Result;
use enamel::kernel::table::Record;
use enamel::reference::code_licence::CODE_LICENCE;
use enamel::reference::code_system::CODE_SYSTEM;
use enamel::reference::load::carry_on;
use serde_json::{Value as Json, json};
use std::time::Duration;
use uuid::Uuid;

async fn system(clinic: &Clinic, requires_licence: bool) -> Uuid {
    let body = json!({"code": "HOUSE", "name": "House codes", "uri": "urn:house", "system_version": "1", "code_pattern": "T[0-9]{4}",
        "requires_licence": requires_licence});
    create(&clinic.staff(), &CODE_SYSTEM, body).await.unwrap().id
}

/// The job when it has ended, whoever carried it out.
async fn ended(clinic: &Clinic, job: Uuid) -> Record {
    for _ in 0..600 {
        carry_on(&clinic.world.kernel).await.unwrap();
        let job = read(&clinic.staff(), &SYNC_JOB, job).await.unwrap();
        if !matches!(job.text("status"), Some("QUEUED" | "RUNNING")) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the import does not end");
}

async fn import(clinic: &Clinic, system: Uuid, version: &str, file: Uuid) -> Result<Record> {
    let body = json!({"file_id": file, "version": version});
    let job = record(run(&clinic.staff(), "importCodeSystem", Some(system), body).await?);
    Ok(ended(clinic, job.id).await)
}

fn counts(job: &Record) -> (Option<&str>, i64, i64, i64) {
    let count = |name| job.int(name).unwrap();
    (job.text("status"), count("created_count"), count("updated_count"), count("failed_count"))
}

#[test]
fn a_file_is_loaded_whole_or_not_at_all_and_its_bad_lines_are_named() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let system = system(&clinic, false).await;
        let first = csv(&clinic, "code;display;parent_code\nT0001;One;\nT0002;Two;T0001\nT0003;Three;T0001\n").await;
        assert_eq!(counts(&import(&clinic, system, "1", first).await.unwrap()), (Some("SUCCEEDED"), 3, 0, 0));

        // Seven lines, six of them wrong: the good one is not loaded either.
        let bad = "code,display,effective_from\nT0004,Four,\nX1,No,\nT0002,Two,yesterday\nT0004,Again,\n,Nameless,\nT0005,,\nT0006\n";
        let bad = csv(&clinic, bad).await;
        let job = import(&clinic, system, "1", bad).await.unwrap();
        assert_eq!(counts(&job), (Some("FAILED"), 0, 0, 6));
        assert_eq!(job.text("error_details"), Some("6 of 7 codes break rules; nothing was loaded."));
        assert_eq!(count(&clinic, "code_values", "is_active").await, 3);
        let told = world.truth().await;
        let told = told
            .query(
                "select record_ref, split_part(error_message, ':', 1) from enamel.sync_job_logs where job_id = $1 order by 1",
                &[&job.id],
            )
            .await
            .unwrap();
        let told: Vec<(String, String)> = told.iter().map(|row| (row.get(0), row.get(1))).collect();
        let told: Vec<_> = told.iter().map(|(line, rule)| (line.as_str(), rule.as_str())).collect();
        assert_eq!(
            told,
            [
                ("line 3", "code (pattern)"),
                ("line 4", "effective_from (format)"),
                ("line 5", "code (duplicate)"),
                ("line 6", "code (required)"),
                ("line 7", "display (required)"),
                ("line 8", "line (cells)"),
            ]
        );

        // The same version again: what changed is changed, what is missing is retired and stays.
        let second = csv(&clinic, "code,display,parent_code\nT0001,One,\nT0002,Second,T0001\nT0007,Seven,\n").await;
        assert_eq!(counts(&import(&clinic, system, "1", second).await.unwrap()), (Some("SUCCEEDED"), 1, 2, 0));
        assert_eq!(count(&clinic, "code_values", "code = 'T0003' and not is_active").await, 1);
        assert_eq!(counts(&import(&clinic, system, "1", second).await.unwrap()), (Some("SUCCEEDED"), 0, 0, 0));
    });
}

#[test]
fn a_new_version_leaves_the_old_one_and_needs_its_licence() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let system = system(&clinic, true).await;
        let text = r#"{"resourceType": "CodeSystem", "version": "2", "concept": [
            {"code": "T0001", "display": "One", "concept": [{"code": "T0002", "display": "Two", "definition": "the second"}]}]}"#;
        let file = uploaded(&clinic, "application/json", text).await;
        let refused = import(&clinic, system, "2", file).await.unwrap_err();
        assert_eq!((refused.code.status, refused.faults[0].rule), (409, "licence"));
        let actor = clinic.member("TENANT_ADMIN").await;
        let licence = json!({"code_system_code": "HOUSE", "edition": "2", "attested_by": actor, "attested_at": "2026-01-01T00:00:00Z"});
        create(&clinic.staff(), &CODE_LICENCE, licence).await.unwrap();
        assert_eq!(counts(&import(&clinic, system, "2", file).await.unwrap()), (Some("SUCCEEDED"), 2, 0, 0));
        assert_eq!(count(&clinic, "code_systems", "code = 'HOUSE'").await, 2, "each version has its row");
        assert_eq!(count(&clinic, "code_values", "parent_code = 'T0001' and definition = 'the second'").await, 1);

        // Nobody else sees them, and nobody else's file is loaded.
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let theirs = csv(&other, "code,display\nT0001,Theirs\n").await;
        assert_eq!(import(&clinic, system, "2", theirs).await.unwrap_err().code.code, "reference.unknown");
        assert_eq!(import(&other, system, "2", theirs).await.unwrap_err().code.status, 404);
        assert_eq!(seen(world, &other).await, Vec::<String>::new());
        assert_eq!(seen(world, &clinic).await, ["T0001", "T0002"]);
    });
}

/// Over HTTP, by its front desk.
async fn seen(world: &World, clinic: &Clinic) -> Vec<String> {
    let token = clinic.token("CLINIC_STAFF").await;
    let (status, page) = world.get(Some(&token), "/code-values?sort=code").await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_catalogue_takes_an_edition_and_retires_the_former_when_told() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let system = system(&clinic, false).await;
        for (edition, others, text, active) in [
            (
                "2026",
                false,
                "code,description,tooth_rule,default_fee_minor,currency\nT0001,Filling,TOOTH,8500,USD\nT0002,Crown,TOOTH,90000,USD\n",
                2,
            ),
            ("2027", false, "code,description\nT0001,Filling\n", 3),
            ("2027", true, "code,description\nT0001,Filling\n", 1),
        ] {
            let file = csv(&clinic, text).await;
            let body = json!({"file_id": file, "edition": edition, "retire_others": others});
            let job = record(run(&clinic.staff(), "importProcedureCatalog", Some(system), body).await.unwrap());
            assert_eq!(ended(&clinic, job.id).await.text("status"), Some("SUCCEEDED"));
            assert_eq!(count(&clinic, "procedure_catalog", "is_active").await, active);
        }
        assert_eq!(count(&clinic, "procedure_catalog", "code_version = '2026' and code_system = 'HOUSE' and deleted_at is null").await, 2);
        let wrong = csv(&clinic, "code,tenant_id\nT0001,x\n").await;
        let body = json!({"file_id": wrong, "edition": "2027"});
        let job = record(run(&clinic.staff(), "importProcedureCatalog", Some(system), body).await.unwrap());
        let job = ended(&clinic, job.id).await;
        assert_eq!(job.text("error_details"), Some("Its first line names a column that does not exist."));
    });
}

#[test]
fn an_import_can_be_cancelled_and_taken_up_again_and_only_the_operation_orders_one() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let system = system(&clinic, false).await;
        let staff = clinic.staff();
        // Ordered by hand: a job like any other, that nobody carries out.
        let params = json!({"target": "code_values", "code_system_id": system, "version": "1", "form": "csv"});
        let by_hand = json!({"job_type": "FILE_IMPORT", "direction": "INBOUND", "params": params});
        assert_eq!(create(&staff, &SYNC_JOB, by_hand).await.unwrap_err().faults[0].field, "params");

        let bad = csv(&clinic, "code,display\nX1,No\n").await;
        let failed = import(&clinic, system, "1", bad).await.unwrap();
        assert_eq!(failed.text("status"), Some("FAILED"));
        let system_row = read(&staff, &CODE_SYSTEM, system).await.unwrap();
        let wider: Json = json!({"code_pattern": "[TX][0-9]+"});
        crate::world::operations::patch(&staff, &CODE_SYSTEM, system, system_row.version, wider).await.unwrap();
        let again = record(run(&staff, "resumeSyncJob", Some(failed.id), json!({})).await.unwrap());
        assert_eq!(counts(&ended(&clinic, again.id).await), (Some("SUCCEEDED"), 1, 0, 0));

        // Stopped while it waits for a row somebody else holds: nothing of it stays.
        let many: String = (0..3_000).map(|nth| format!("T{nth:04},Code {nth}\n")).collect();
        let long = csv(&clinic, &format!("code,display\n{many}")).await;
        let mut truth = world.truth().await;
        let held = truth.transaction().await.unwrap();
        held.execute("select from enamel.code_systems where id = $1 for update", &[&system]).await.unwrap();
        let job = record(run(&staff, "importCodeSystem", Some(system), json!({"file_id": long, "version": "1"})).await.unwrap());
        while read(&staff, &SYNC_JOB, job.id).await.unwrap().text("cursor") != Some("checked 3000") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let stopped = record(run(&staff, "cancelSyncJob", Some(job.id), json!({})).await.unwrap());
        held.commit().await.unwrap();
        assert_eq!(stopped.text("status"), Some("CANCELLED"));
        assert_eq!(ended(&clinic, job.id).await.text("status"), Some("CANCELLED"));
        assert_eq!(count(&clinic, "code_values", "code like 'T%'").await, 0);
        let whole = import(&clinic, system, "1", long).await.unwrap();
        assert_eq!(counts(&whole), (Some("SUCCEEDED"), 3_000, 1, 0), "{:?}", whole.text("error_details"));
    });
}
