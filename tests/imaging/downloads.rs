//! A link is minted for those who may see the file, after the audit log knows of it, and is good for one thing.

use super::*;
use crate::world;

async fn links_in_audit(world: &World, file: Uuid) -> i64 {
    let sql = "select count(*) from enamel.audit_events where event_type = 'FILE_LINK_MINTED' and metadata ->> 'method' = 'GET' and resource_id = $1";
    count(world, sql, file).await
}

#[test]
fn a_link_is_pinned_short_and_in_the_audit_log() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let id = uploaded(&staff, world, None, "image/png", PNG).await;
        assert_eq!(refusal(object(&staff, "createFileDownloadLink", Some(id), json!({})).await), "file.not_ready");
        complete(&staff, id).await.unwrap();
        assert_eq!(links_in_audit(world, id).await, 0);
        let link = object(&staff, "createFileDownloadLink", Some(id), json!({})).await.unwrap();
        assert_eq!(links_in_audit(world, id).await, 1);
        let expires: chrono::DateTime<chrono::Utc> = link["expires_at"].as_str().unwrap().parse().unwrap();
        assert!(expires <= chrono::Utc::now() + chrono::TimeDelta::seconds(300));
        assert!(link["url"].as_str().unwrap().contains("X-Amz-Expires=300&"));

        let answer = send(world, &link, Vec::new()).await;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/png");
        assert_eq!(header("content-disposition"), "attachment; filename=\"R_ntgen 36.png\"; filename*=UTF-8''R%C3%B6ntgen%2036.png");
        assert_eq!(header("cache-control"), "private, no-store");
        assert_eq!(answer.bytes().await.unwrap(), PNG);
        for (from, to) in [("image%2Fpng", "text%2Fhtml"), ("attachment", "inline"), ("X-Amz-Expires=300", "X-Amz-Expires=301")] {
            let mut other = link.clone();
            let url = link["url"].as_str().unwrap();
            assert!(url.contains(from), "{from}");
            other["url"] = json!(url.replacen(from, to, 1));
            assert_eq!(send(world, &other, Vec::new()).await.status(), 403, "{from}");
        }
    });
}

#[test]
fn a_foreign_file_is_like_one_that_never_was() {
    world::with(async |world| {
        let (mine, other) = (clinic(world).await, clinic(world).await);
        let id = uploaded(&other.staff(), world, None, "image/png", PNG).await;
        complete(&other.staff(), id).await.unwrap();
        let staff = mine.staff();
        for operation in ["createFileDownloadLink", "createFileUploadLink", "completeFileUpload", "releaseFile"] {
            let body = if operation == "releaseFile" { json!({"reason": "x"}) } else { json!({}) };
            let foreign = call(&staff, operation, Some(id), body.clone()).await.err().unwrap();
            let random = call(&staff, operation, Some(Uuid::now_v7()), body).await.err().unwrap();
            assert_eq!((foreign.code.code, foreign.to_string()), ("not_found", random.to_string()), "{operation}");
        }
        assert_eq!(links_in_audit(world, id).await, 0);
        let token = mine.token("TENANT_ADMIN").await;
        for verb in ["download-link", "upload-link", "complete-upload"] {
            assert_eq!(world.post(Some(&token), &format!("/files/{id}/{verb}"), json!({})).await.0, 404, "{verb}");
        }
        let tried = "select count(*) from enamel.audit_events where tenant_id = $1 and outcome = 'FAILED' and resource_type = 'File'";
        assert_eq!(count(world, tried, mine.id).await, 3);
        let blind = world.caller(Plane::Staff, mine.id, None, &[Permission::ViewPatient]);
        assert_eq!(refusal(call(&blind, "createFileDownloadLink", Some(id), json!({})).await), "auth.forbidden");
    });
}

#[test]
fn a_patient_opens_what_is_theirs_ready_and_visible() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let me = clinic.patient("Baker").await.unwrap().id;
        let other = clinic.patient("Carter").await.unwrap().id;
        let caller = login(world, &clinic, me).await;
        let open = async |id| object(&caller, "createFileDownloadLink", Some(id), json!({})).await;

        let mine = uploaded(&staff, world, Some(me), "image/png", PNG).await;
        assert_eq!(refusal(open(mine).await), "not_found", "PENDING");
        complete(&staff, mine).await.unwrap();
        let link = open(mine).await.unwrap();
        assert_eq!(send(world, &link, Vec::new()).await.status(), 200);
        let seen: String = world.truth().await
            .query_one("select plane from enamel.audit_events where resource_id = $1 and event_type = 'FILE_LINK_MINTED' and metadata ->> 'method' = 'GET'", &[&mine])
            .await.unwrap().get(0);
        assert_eq!(seen, "PATIENT");

        let theirs = uploaded(&staff, world, Some(other), "image/png", PNG).await;
        complete(&staff, theirs).await.unwrap();
        assert_eq!(refusal(open(theirs).await), "not_found");
        let mut hidden = announcement(Some(me), "image/png", PNG);
        hidden["is_patient_visible"] = json!(false);
        let ticket = object(&staff, "createFile", None, hidden).await.unwrap();
        send(world, &ticket, PNG.to_vec()).await;
        complete(&staff, id_of(&ticket)).await.unwrap();
        assert_eq!(refusal(open(id_of(&ticket)).await), "not_found");
    });
}

#[test]
fn a_patient_uploads_to_their_own_chart_alone() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let me = clinic.patient("Baker").await.unwrap().id;
        let other = clinic.patient("Carter").await.unwrap().id;
        let caller = login(world, &clinic, me).await;
        let stranger = login(world, &clinic, other).await;
        let refused = object(&caller, "createFile", None, announcement(Some(other), "image/png", PNG)).await;
        assert_eq!(refusal(refused), "reference.unknown");
        assert_eq!(refusal(object(&caller, "createFile", None, announcement(None, "image/png", PNG)).await), "field.invalid");

        let id = uploaded(&caller, world, Some(me), "image/png", PNG).await;
        assert_eq!(refusal(complete(&stranger, id).await), "not_found");
        let by_staff = uploaded(&clinic.staff(), world, Some(me), "image/png", PNG).await;
        assert_eq!(refusal(complete(&caller, by_staff).await), "not_found", "another's upload");
        let file = complete(&caller, id).await.unwrap();
        assert_eq!((file.text("status"), file.text("uploaded_by_party")), (Some("READY"), Some("PATIENT")));
        assert_eq!(file.uuid("created_by"), caller.context.actor);
        let link = object(&caller, "createFileDownloadLink", Some(id), json!({})).await.unwrap();
        assert_eq!(send(world, &link, Vec::new()).await.bytes().await.unwrap(), PNG);
        assert_eq!(refusal(object(&stranger, "createFileDownloadLink", Some(id), json!({})).await), "not_found");
    });
}
