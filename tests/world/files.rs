//! Rows of the file registry, with and without bytes behind them; and copies of records, which are files too.

use super::operations::{read, run};
use super::tenants::Clinic;
use enamel::integrations::export_job::EXPORT_JOB;
use enamel::kernel::Caller;
use enamel::kernel::error::Result;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A table, uploaded as the clinic's administrator does it.
pub async fn csv(clinic: &Clinic, text: &str) -> Uuid {
    uploaded(clinic, "text/csv", text).await
}

pub async fn uploaded(clinic: &Clinic, media_type: &str, text: &str) -> Uuid {
    let token = clinic.token("TENANT_ADMIN").await;
    let hash = enamel::kernel::hex::hex(&Sha256::digest(text));
    let body = json!({"kind": "DOCUMENT", "file_name": "table", "file_type": media_type, "file_size": text.len(), "sha256": hash});
    let (status, ticket) = clinic.world.post(Some(&token), "/files", body).await;
    assert_eq!(status, 201, "{ticket}");
    let mut put = clinic.world.http.put(ticket["url"].as_str().unwrap()).body(text.to_owned());
    for (name, value) in ticket["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert!(put.send().await.unwrap().status().is_success());
    let id: Uuid = ticket["file"]["id"].as_str().unwrap().parse().unwrap();
    let (status, done) = clinic.world.post(Some(&token), &format!("/files/{id}/complete-upload"), json!({})).await;
    assert_eq!((status, done["status"].as_str()), (200, Some("READY")), "{done}");
    id
}

/// A file that is ready, of nobody.
pub async fn ready(clinic: &Clinic) -> Uuid {
    let id = Uuid::now_v7();
    clinic
        .world
        .truth()
        .await
        .execute(
            "insert into enamel.files (tenant_id, id, kind, file_name, file_type, file_size, storage_key, storage_region, status)
             values ($1, $2, 'PHOTO', 'film.png', 'image/png', 3, $1::uuid::text || '/none/none/' || $2::uuid::text, 'eu', 'READY')",
            &[&clinic.id, &id],
        )
        .await
        .unwrap();
    id
}

/// The bytes behind a file's link.
pub async fn fetched(caller: &Caller, file: Uuid) -> Result<String> {
    let Answer::Object(link) = run(caller, "createFileDownloadLink", Some(file), json!({})).await? else { panic!("no link") };
    Ok(reqwest::get(link["url"].as_str().unwrap()).await.unwrap().text().await.unwrap())
}

/// An export as it is when it is whole.
pub async fn until_copied(officer: &Caller, job: Uuid) -> Record {
    let job = until_ended(officer, job).await;
    assert_eq!(job.text("status"), Some("COMPLETED"), "the copy failed: {:?}", job.text("error_details"));
    job
}

/// The worker makes it, or we do: its end.
pub async fn until_ended(officer: &Caller, job: Uuid) -> Record {
    for _ in 0..600 {
        enamel::server::record_copy::job::carry_on(&officer.kernel).await.unwrap();
        let job = read(officer, &EXPORT_JOB, job).await.unwrap();
        match job.text("status").unwrap() {
            "COMPLETED" | "FAILED" => return job,
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    panic!("nobody made the copy");
}
