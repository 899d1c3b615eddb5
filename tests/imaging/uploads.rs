//! An upload takes what was announced and nothing else.

use super::*;
use crate::world;

#[test]
fn what_was_announced_is_taken_and_verified() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let patient = clinic.patient("Baker").await.unwrap().id;
        let ticket = object(&staff, "createFile", None, announcement(Some(patient), "image/png", PNG)).await.unwrap();
        let id = id_of(&ticket);
        assert_eq!((ticket["file"]["status"].as_str(), ticket["file"]["uploaded_by_party"].as_str()), (Some("PENDING"), Some("STAFF")));
        assert!(ticket["file"].get("storage_key").is_none());
        let expires: chrono::DateTime<chrono::Utc> = ticket["expires_at"].as_str().unwrap().parse().unwrap();
        assert!(expires <= chrono::Utc::now() + chrono::TimeDelta::minutes(15));
        assert_eq!(object_key(world, id).await, format!("{}/{patient}/none/{id}", clinic.id));

        assert_eq!(refusal(complete(&staff, id).await), "file.missing");
        for (name, value) in [("content-type", "text/html"), ("x-amz-checksum-sha256", "AAAA"), ("content-length", "3")] {
            let mut other = ticket.clone();
            other["headers"][name] = json!(value);
            let body = if name == "content-length" { PNG[..3].to_vec() } else { PNG.to_vec() };
            assert_eq!(send(world, &other, body).await.status(), 403, "{name}");
        }
        let mut swapped = PNG.to_vec();
        swapped[20] ^= 1;
        assert_eq!(send(world, &ticket, swapped).await.status(), 400, "other bytes of the same length");
        assert_eq!(refusal(complete(&staff, id).await), "file.missing", "nothing bad was kept");

        assert_eq!(send(world, &ticket, PNG.to_vec()).await.status(), 200);
        assert_eq!(send(world, &ticket, PNG.to_vec()).await.status(), 412, "one upload for one link");
        let file = complete(&staff, id).await.unwrap();
        assert_eq!((file.text("status"), file.text("scan_result")), (Some("READY"), Some("VERIFIED")));
        let again = complete(&staff, id).await.unwrap();
        assert_eq!((again.version, again.json), (file.version, file.json));
        assert_eq!(refusal(object(&staff, "createFileUploadLink", Some(id), json!({})).await), "state.move_refused");
    });
}

#[test]
fn two_who_complete_at_once_get_one_answer() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let (one, two) = (clinic.staff(), clinic.staff());
        let id = uploaded(&one, world, None, "image/png", PNG).await;
        let (first, second) = tokio::join!(complete(&one, id), complete(&two, id));
        for answer in [first, second] {
            match answer {
                Ok(file) => assert_eq!((file.text("status"), file.version), (Some("READY"), 3)),
                Err(late) => assert_eq!(late.code.code, "conflict"),
            }
        }
        assert_eq!(complete(&one, id).await.unwrap().version, 3);
    });
}

#[test]
fn a_store_that_checks_nothing_is_not_believed() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let ticket = object(&staff, "createFile", None, announcement(None, "image/png", PNG)).await.unwrap();
        let id = id_of(&ticket);
        for wrong in [&b"\x89PNG\r\n\x1a\n short"[..], &[0u8; 41]] {
            let key = object_key(world, id).await;
            world.kernel.storage.put(&key, "image/png", bytes::Bytes::copy_from_slice(wrong)).await.unwrap();
            assert_eq!(refusal(complete(&staff, id).await), "file.mismatch");
            assert_eq!(refusal(world.kernel.storage.head(&key).await), "file.missing", "the wrong object is removed");
            assert_ne!(object_key(world, id).await, key, "a late removal cannot meet the next upload");
        }
        let ticket = object(&staff, "createFileUploadLink", Some(id), json!({})).await.unwrap();
        assert_eq!(send(world, &ticket, PNG.to_vec()).await.status(), 200);
        assert_eq!(complete(&staff, id).await.unwrap().text("status"), Some("READY"));
    });
}

#[test]
fn a_file_that_is_not_its_type_waits_for_a_person() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let id = uploaded(&staff, world, None, "image/jpeg", b"<html><script>alert(1)</script>").await;
        for _ in 0..2 {
            let file = complete(&staff, id).await.unwrap();
            assert_eq!((file.text("status"), file.text("scan_result")), (Some("QUARANTINED"), Some("TYPE_MISMATCH")));
        }
        assert_eq!(refusal(object(&staff, "createFileDownloadLink", Some(id), json!({})).await), "file.not_ready");
        let mut editor = clinic.staff();
        editor.context.caps = enamel::kernel::context::Caps::of(&[Permission::ViewImaging, Permission::EditImaging]);
        assert_eq!(refusal(record(&editor, "releaseFile", id, json!({"reason": "known"})).await), "auth.forbidden");
        let mut governor = clinic.staff();
        governor.context.caps = enamel::kernel::context::Caps::of(&[Permission::ViewImaging, Permission::ManageGovernance]);
        assert_eq!(refusal(record(&governor, "releaseFile", id, json!({})).await), "field.invalid");
        let file = record(&governor, "releaseFile", id, json!({"reason": "a letter of the lab"})).await.unwrap();
        assert_eq!((file.text("status"), file.text("scan_result")), (Some("READY"), Some("RELEASED: a letter of the lab")));
        assert_eq!(refusal(record(&governor, "releaseFile", id, json!({"reason": "again"})).await), "state.move_refused");
    });
}

#[test]
fn an_announcement_names_every_fault() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let foreign = super::clinic(world).await.patient("Other").await.unwrap().id;
        let good = announcement(None, "image/png", PNG);
        let cases: &[(&str, Json, &str)] = &[
            ("file_type", json!("text/html"), "value"),
            ("file_size", json!(0), "range"),
            ("file_size", json!(6_000_000_000_i64), "range"),
            ("sha256", json!("zz"), "format"),
            ("sha256", json!("+".repeat(64)), "format"),
            ("file_name", json!("  "), "length"),
            ("storage_key", json!("x"), "unknown"),
            ("patient_id", json!(foreign), "reference"),
            ("patient_id", json!(Uuid::now_v7()), "reference"),
        ];
        for (field, value, rule) in cases {
            let mut body = good.clone();
            body[*field] = value.clone();
            let refused = object(&staff, "createFile", None, body).await.unwrap_err();
            let fault = refused.faults.first().map(|fault| (fault.field.clone(), fault.rule));
            assert_eq!(fault, Some(((*field).to_owned(), *rule)), "{refused}");
        }
        let dicom = object(&staff, "createFile", None, announcement(None, "application/dicom", PNG)).await.unwrap_err();
        assert_eq!(dicom.faults[0].field, "patient_id");
        assert_eq!(count(world, "select count(*) from enamel.files where tenant_id = $1", clinic.id).await, 0);
    });
}

#[test]
fn limits_of_the_tenant_hold() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let (staff, truth) = (clinic.staff(), world.truth().await);
        let size = PNG.len() as i64;
        truth
            .execute(
                "insert into enamel.tenant_quotas (tenant_id, id, max_file_bytes, max_storage_bytes) values ($1, $2, $3, $4)",
                &[&clinic.id, &Uuid::now_v7(), &size, &(size * 2)],
            )
            .await
            .unwrap();
        let announce = async |bytes: &[u8]| object(&clinic.staff(), "createFile", None, announcement(None, "image/png", bytes)).await;
        assert_eq!(refusal(announce(&[PNG, b"!"].concat()).await), "quota.exceeded");
        assert!(announce(PNG).await.is_ok() && announce(PNG).await.is_ok());
        assert_eq!(refusal(announce(PNG).await), "quota.exceeded");
        truth.execute("update enamel.tenant_quotas set hard_limit = false where tenant_id = $1", &[&clinic.id]).await.unwrap();
        assert!(object(&staff, "createFile", None, announcement(None, "image/png", PNG)).await.is_ok());
    });
}

#[test]
fn storage_is_never_more_than_the_plan_allows() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let truth = world.truth().await;
        let size = PNG.len() as i64;
        truth
            .execute(
                "insert into enamel.tenant_quotas (tenant_id, id, max_storage_bytes) values ($1, $2, $3)",
                &[&clinic.id, &Uuid::now_v7(), &(size * 5 + size - 1)],
            )
            .await
            .unwrap();
        let announce = async || object(&clinic.staff(), "createFile", None, announcement(None, "image/png", PNG)).await;
        let all = futures_util::future::join_all((0..20).map(|_| announce())).await;
        assert_eq!(all.iter().filter(|made| made.is_ok()).count(), 5);
        let refusals: Vec<_> = all.iter().filter_map(|made| made.as_ref().err()).collect();
        assert!(refusals.iter().all(|refusal| refusal.code.code == "quota.exceeded" && refusal.faults[0].field == "max_storage_bytes"));
        // What was swept away takes no room.
        enamel::imaging::sweep::abandoned_uploads(&world.kernel, clinic.id, chrono::Utc::now()).await.unwrap();
        announce().await.unwrap();
    });
}

#[test]
fn abandoned_uploads_are_swept() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let left = uploaded(&staff, world, None, "image/png", PNG).await;
        let done = uploaded(&staff, world, None, "image/png", PNG).await;
        complete(&staff, done).await.unwrap();
        let sweep = async |before| enamel::imaging::sweep::abandoned_uploads(&world.kernel, clinic.id, before).await.unwrap();
        let now = chrono::Utc::now();
        assert_eq!(sweep(now - chrono::TimeDelta::days(1)).await, Default::default());
        let key = object_key(world, left).await;
        let swept = sweep(now + chrono::TimeDelta::minutes(1)).await;
        assert_eq!((swept.closed, swept.removed), (1, 1));
        assert_eq!(refusal(world.kernel.storage.head(&key).await), "file.missing");
        assert_eq!(refusal(complete(&staff, left).await), "not_found");
        assert_eq!(complete(&staff, done).await.unwrap().text("status"), Some("READY"));
        assert_eq!(sweep(now + chrono::TimeDelta::minutes(1)).await, Default::default());
    });
}

#[test]
fn the_document_has_one_way_to_make_a_file() {
    let document: Json = enamel::server::rest::document();
    let files = document["paths"]["/api/v1/files"].as_object().unwrap();
    assert_eq!(files.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), ["get", "post"].into());
    assert_eq!((files["post"]["operationId"].as_str(), files["get"]["operationId"].as_str()), (Some("createFile"), Some("listFiles")));
    for path in [
        "/files/{id}/upload-link",
        "/files/{id}/complete-upload",
        "/files/{id}/download-link",
        "/files/{id}/release",
        "/imaging-studies/{id}/accept-match",
    ] {
        assert!(document["paths"][format!("/api/v1{path}")]["post"].is_object(), "{path}");
    }
    assert!(document["components"]["schemas"].get("FileCreate").is_none());
    let input = &document["components"]["schemas"]["CreateFileInput"];
    let types = &document["components"]["schemas"]["CreateFileFileType"]["enum"];
    assert!(types.as_array().is_some_and(|types| types.contains(&json!("application/dicom"))), "{input}");
}
