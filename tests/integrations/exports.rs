//! Copies of all records: what is in them, who may have them, and that nothing of one is left that was called off or is over.

use crate::imaging::documents::file;
use crate::world;
use crate::world::files::{csv, fetched, ready, until_copied};
use crate::world::operations::{patch, read, record, run};
use crate::world::tenants::Clinic;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use enamel::imaging::file::FILE;
use enamel::integrations::export_job::EXPORT_JOB;
use enamel::integrations::export_work;
use enamel::kernel::Caller;
use enamel::kernel::context::{Context, PLATFORM_TENANT, Permission, Plane};
use enamel::kernel::error::Error;
use enamel::server::worker::sweep;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

async fn officer(clinic: &Clinic) -> Caller {
    let user = clinic.member("TENANT_ADMIN").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(user), Permission::ALL)
}

async fn refused(caller: &Caller, name: &str, id: Option<Uuid>, body: Json) -> Error {
    run(caller, name, id, body).await.err().unwrap_or_else(|| panic!("{name} was allowed"))
}

#[test]
fn a_copy_of_a_tenant_has_all_of_its_records_and_no_other() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let mut ids = Vec::new();
        for name in ["Ada", "Bob"] {
            ids.push(clinic.patient(name).await.unwrap().id.to_string());
        }
        let theirs = other.patient("Carl").await.unwrap().id;
        clinic.fhir().made(json!({"resourceType": "PractitionerRole", "code": [{"text": "a locum"}]})).await;
        let officer = officer(&clinic).await;
        let job = record(run(&officer, "createExportJob", None, json!({"export_type": "TENANT_FULL"})).await.unwrap());
        assert_eq!((job.text("export_type"), job.uuid("requested_by")), (Some("TENANT_FULL"), officer.context.actor));
        let done = until_copied(&officer, job.id).await;
        let files = done.get("params")["files"].as_array().unwrap().clone();
        let file: Uuid = files[0]["file_id"].as_str().unwrap().parse().unwrap();
        let bytes = fetched(&officer, file).await.unwrap();
        assert_eq!(files[0]["sha256"].as_str(), Some(enamel::kernel::hex::hex(&Sha256::digest(&bytes)).as_str()));
        let lines: Vec<Json> = bytes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (head, end) = (&lines[0], lines.last().unwrap());
        assert_eq!((head["type"].as_str(), head["record"]["tenant_id"].as_str()), (Some("TenantExport"), Some(&*clinic.id.to_string())));
        assert_eq!((end["type"].as_str(), &end["record"]["not_shown"]), (Some("TenantExportEnd"), &json!([])), "{end}");
        let before = &bytes[..bytes.trim_end().rfind('\n').unwrap() + 1];
        assert_eq!(end["record"]["sha256"].as_str(), Some(enamel::kernel::hex::hex(&Sha256::digest(before)).as_str()));
        assert_eq!(done.int("record_count"), Some(i64::try_from(lines.len()).unwrap() - 2));
        let mut copied: Vec<&str> =
            lines.iter().filter(|line| line["type"] == "Patient").map(|line| line["record"]["id"].as_str().unwrap()).collect();
        copied.sort_unstable();
        ids.sort();
        assert_eq!(copied, ids);
        let kept = lines.iter().find(|line| line["type"] == "KeptDirectoryEntry").unwrap();
        assert_eq!(kept["fhir"]["PractitionerRole"]["code"][0]["text"], "a locum");
        for kind in ["TenantSettings", "UserTenant", "Role"] {
            assert!(end["record"]["counts"][kind].is_u64(), "{kind}: {end}");
        }
        assert!(!bytes.contains(&theirs.to_string()) && !bytes.contains(&other.id.to_string()));
        // What it shows of itself: its files, and nobody opens them who does not manage governance.
        let (status, shown) = world.get(Some(&clinic.token("TENANT_ADMIN").await), &format!("/export-jobs/{}", job.id)).await;
        assert_eq!((status, shown["output_files"][0]["file_id"].as_str()), (200, Some(&*file.to_string())), "{shown}");
        let viewer = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewImaging, Permission::ViewPatient]);
        assert_eq!(fetched(&viewer, file).await.unwrap_err().code.status, 403);
    });
}

fn sha256(bytes: &[u8]) -> String {
    enamel::kernel::hex::hex(&Sha256::digest(bytes))
}

/// The bytes of a file as the lines of a copy have them, and what its last line says of it.
fn copied(lines: &[Json], file: Uuid) -> (Vec<u8>, Json) {
    let mut bytes = Vec::new();
    let of = |line: &&Json| line["record"]["file_id"].as_str() == Some(&*file.to_string());
    for line in lines.iter().filter(|line| line["type"] == "FileBytes").filter(of) {
        assert_eq!(line["record"]["offset"].as_u64(), Some(bytes.len() as u64));
        bytes.extend(BASE64_STANDARD.decode(line["record"]["base64"].as_str().unwrap()).unwrap());
    }
    let end = lines.iter().filter(|line| line["type"] == "FileBytesEnd").find(of).map(|line| line["record"].clone());
    (bytes, end.unwrap_or_default())
}

#[test]
fn an_ordered_copy_has_what_files_hold() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let officer = officer(&clinic).await;
        let text: String = (0..300_000).map(|line| format!("{line:06},x\n")).collect();
        let (long, empty_place, changed) = (csv(&clinic, &text).await, ready(&clinic).await, csv(&clinic, "a,b\n1,2\n").await);
        let truth = world.truth().await;
        truth.execute("update enamel.files set sha256 = repeat('0', 64) where id = $1", &[&changed]).await.unwrap();
        // A tenant that has no room left can have its copy.
        let quota = "insert into enamel.tenant_quotas (tenant_id, id, max_storage_bytes) values ($1, gen_random_uuid(), 1000)";
        truth.execute(quota, &[&clinic.id]).await.unwrap();
        let order = async || {
            let job = record(run(&officer, "createExportJob", None, json!({"export_type": "TENANT_FULL"})).await.unwrap());
            let done = until_copied(&officer, job.id).await;
            let file = done.uuid("file_id").unwrap();
            let text = fetched(&officer, file).await.unwrap();
            (file, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Json>>())
        };
        let (copy, lines) = order().await;
        let (bytes, end) = copied(&lines, long);
        assert!(bytes == text.as_bytes(), "{} bytes of {}", bytes.len(), text.len());
        assert_eq!((end["size"].as_u64(), end["sha256"].as_str()), (Some(text.len() as u64), Some(&*sha256(text.as_bytes()))));
        let files = &lines.last().unwrap()["record"]["files"];
        assert_eq!((&files["missing"], &files["damaged"]), (&json!([empty_place]), &json!([changed])), "{files}");
        assert_eq!((files["count"].as_u64(), files["bytes"].as_u64()), (Some(2), Some(text.len() as u64 + 8)));
        // No copy holds a copy.
        let (_, again) = order().await;
        assert!(again.iter().any(|line| line["type"] == "File" && line["record"]["id"] == json!(copy)));
        assert_eq!(copied(&again, copy), (Vec::new(), Json::Null));
    });
}

#[test]
fn nobody_makes_another_file_of_a_copy() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let patient = clinic.patient("Ada").await.unwrap().id;
        let officer = officer(&clinic).await;
        let body = json!({"export_type": "PATIENT_RECORD", "patient_id": patient});
        let job = record(run(&officer, "createExportJob", None, body).await.unwrap());
        let copy = until_copied(&officer, job.id).await.uuid("file_id").unwrap();
        let version = read(&officer, &FILE, copy).await.unwrap().version;
        for change in
            [json!({"source": null}), json!({"source": "scanner"}), json!({"is_patient_visible": true}), json!({"file_name": "x"})]
        {
            let refusal = patch(&officer, &FILE, copy, version, change.clone()).await.unwrap_err();
            assert_eq!(refusal.code.status, 409, "{change}");
        }
        let plain = file(&clinic, patient, "READY", "film").await;
        let granted = async |file: Uuid| {
            let mut server = world.kernel.door.open(&Context::system(Plane::Jobs, Some(clinic.id))).await.unwrap();
            let sql = format!(
                "insert into document_grants (tenant_id, id, patient_id, file_id, grantee_tenant_id, reason, granted_at)
                 values ('{}', gen_random_uuid(), '{patient}', '{file}', '{}', 'PATIENT_SHARED', now())",
                clinic.id, other.id
            );
            server.rows_once(&sql, &[]).await
        };
        granted(plain).await.unwrap();
        assert_eq!(granted(copy).await.unwrap_err().faults[0].field, "file_id");
    });
}

#[test]
fn a_copy_shows_what_who_ordered_it_may_read() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Ada").await.unwrap().id;
        let user = clinic.member("TENANT_ADMIN").await;
        let few = [Permission::ManageGovernance, Permission::ViewPatient, Permission::ViewImaging];
        let clerk = world.caller(Plane::Staff, clinic.id, Some(user), &few);
        let body = json!({"export_type": "PATIENT_RECORD", "patient_id": patient});
        let job = record(run(&clerk, "createExportJob", None, body).await.unwrap());
        let done = until_copied(&clerk, job.id).await;
        let bytes = fetched(&clerk, done.uuid("file_id").unwrap()).await.unwrap();
        let end: Json = serde_json::from_str(bytes.lines().last().unwrap()).unwrap();
        assert!(end["record"]["not_shown"].as_array().unwrap().contains(&json!("ClinicalNote")), "{end}");
        // Which patient nobody learns by ordering.
        let theirs = world.tenant("SOLO_PRACTICE", None).await.patient("Carl").await.unwrap().id;
        for (body, field, rule) in [
            (json!({"export_type": "PATIENT_RECORD"}), "patient_id", "required"),
            (json!({"export_type": "PATIENT_RECORD", "patient_id": theirs}), "patient_id", "reference"),
            (json!({"export_type": "PATIENT_RECORD", "patient_id": Uuid::now_v7()}), "patient_id", "reference"),
            (json!({"export_type": "TENANT_FULL", "patient_id": patient}), "patient_id", "value"),
            (json!({"export_type": "FHIR_BULK"}), "export_type", "value"),
        ] {
            let refusal = refused(&clerk, "createExportJob", None, body.clone()).await;
            assert_eq!((&*refusal.faults[0].field, refusal.faults[0].rule), (field, rule), "{body}");
        }
        let weak = world.caller(Plane::Staff, clinic.id, Some(user), &[Permission::ViewPatient]);
        assert_eq!(refused(&weak, "createExportJob", None, json!({"export_type": "TENANT_FULL"})).await.code.status, 403);
    });
}

/// An export that is under way and has written these.
async fn under_way(clinic: &Clinic, officer: &Caller, files: &[Uuid]) -> Uuid {
    let (id, truth) = (Uuid::now_v7(), clinic.world.truth().await);
    let named: Vec<Json> = files.iter().map(|file| json!({"file_id": file})).collect();
    truth
        .execute(
            "insert into enamel.export_jobs (tenant_id, id, export_type, params, status, file_id, requested_by)
             values ($1, $2, 'REPORT', jsonb_build_object('files', $3::jsonb), 'RUNNING', $4, $5)",
            &[&clinic.id, &id, &Json::Array(named), &files.last(), &officer.context.actor],
        )
        .await
        .unwrap();
    id
}

async fn states(caller: &Caller, files: &[Uuid]) -> Vec<String> {
    let mut states = Vec::new();
    for file in files {
        states.push(read(caller, &FILE, *file).await.unwrap().text("status").unwrap().to_owned());
    }
    states
}

#[test]
fn an_export_called_off_or_over_leaves_no_file() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let officer = officer(&clinic).await;
        let files = [ready(&clinic).await, ready(&clinic).await];
        let job = under_way(&clinic, &officer, &files).await;
        let gone = record(run(&officer, "cancelExportJob", Some(job), json!({})).await.unwrap());
        assert_eq!(gone.text("status"), Some("CANCELLED"));
        assert_eq!(states(&officer, &files).await, ["DELETED", "DELETED"]);
        assert_eq!(refused(&officer, "cancelExportJob", Some(job), json!({})).await.code.code, "state.move_refused");

        let truth = world.truth().await;
        let files = [ready(&clinic).await];
        let job = under_way(&clinic, &officer, &files).await;
        truth
            .execute("update enamel.export_jobs set status = 'COMPLETED', expires_at = now() + interval '1 day' where id = $1", &[&job])
            .await
            .unwrap();
        sweep(&world.kernel).await.unwrap();
        assert_eq!(states(&officer, &files).await, ["READY"], "it can be fetched for a day more");
        truth.execute("update enamel.export_jobs set expires_at = now() - interval '1 second' where id = $1", &[&job]).await.unwrap();
        sweep(&world.kernel).await.unwrap();
        assert_eq!(read(&officer, &EXPORT_JOB, job).await.unwrap().text("status"), Some("EXPIRED"));
        assert_eq!(states(&officer, &files).await, ["DELETED"]);
    });
}

#[test]
fn a_server_that_lost_an_export_leaves_nothing_and_the_next_begins_anew() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let officer = officer(&clinic).await;
        let server = Context::system(Plane::Jobs, Some(clinic.id));
        let files = [ready(&clinic).await, ready(&clinic).await];
        let job = under_way(&clinic, &officer, &[]).await;
        let old = async || {
            let text = "set session_replication_role = replica; update enamel.export_jobs set updated_at = now() - interval '3 minutes'";
            world.truth().await.batch_execute(&format!("{text} where id = '{job}'; set session_replication_role = origin")).await.unwrap();
        };
        assert!(export_work::take(&world.kernel, clinic.id, job).await.unwrap().is_none(), "somebody has it");
        old().await;
        let mut first = export_work::take(&world.kernel, clinic.id, job).await.unwrap().unwrap();
        let file = async |at: usize| read(&officer, &FILE, files[at]).await.unwrap();
        assert!(first.wrote(&world.kernel, &server, 10, &file(0).await, None).await.unwrap());
        assert_eq!(states(&officer, &files).await, ["READY", "READY"]);
        old().await;
        let mut second = export_work::take(&world.kernel, clinic.id, job).await.unwrap().unwrap();
        assert_eq!(states(&officer, &files).await, ["DELETED", "READY"], "what the first had written is begun anew");
        assert!(!first.wrote(&world.kernel, &server, 20, &file(1).await, None).await.unwrap(), "it is another server's");
        assert_eq!(states(&officer, &files).await, ["DELETED", "DELETED"]);
        let third = ready(&clinic).await;
        let third = read(&officer, &FILE, third).await.unwrap();
        assert!(second.wrote(&world.kernel, &server, 90, &third, Some(7)).await.unwrap());
        let mut scope = world.kernel.door.open(&server).await.unwrap();
        second.done(&mut scope, 7).await.unwrap();
        scope.commit().await.unwrap();
        let done = read(&officer, &EXPORT_JOB, job).await.unwrap();
        assert_eq!((done.text("status"), done.uuid("file_id"), done.int("record_count")), (Some("COMPLETED"), Some(third.id), Some(7)));
        assert_eq!(done.get("params")["files"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_tenant_is_closed_when_it_has_its_copy_or_wants_none() {
    world::with(async |world| {
        let (clinic, quiet) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let slug = async |id: Uuid| -> String {
            world.truth().await.query_one("select slug from enamel.tenants where id = $1", &[&id]).await.unwrap().get(0)
        };
        let officer = officer(&clinic).await;
        let confirm = json!({"confirm": slug(clinic.id).await});
        let refusal = refused(&officer, "closeTenant", Some(clinic.id), confirm.clone()).await;
        assert_eq!((refusal.code.status, refusal.faults[0].rule), (409, "copy"));
        let job = record(run(&officer, "createExportJob", None, json!({"export_type": "TENANT_FULL"})).await.unwrap());
        until_copied(&officer, job.id).await;
        let closed = record(run(&officer, "closeTenant", Some(clinic.id), confirm).await.unwrap());
        assert_eq!(closed.text("status"), Some("CLOSED"));
        let platform = world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL);
        let without = json!({"confirm": slug(quiet.id).await, "without_copy": "it never saw a patient"});
        let closed = record(run(&platform, "closeTenant", Some(quiet.id), without).await.unwrap());
        assert_eq!(closed.text("status"), Some("CLOSED"));
    });
}
