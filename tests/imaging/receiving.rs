//! What another clinic shared: opened while it is shared, copied with its bytes checked, told in both logs.

use super::*;
use crate::referrals::{arrived, count as rows, draft};
use crate::world;
use crate::world::operations::{create, run};
use enamel::referrals::referral_file::REFERRAL_FILE;

struct Sent {
    here: Clinic,
    there: Clinic,
    referral: Uuid,
    arrived: Uuid,
    document: Uuid,
    file: Uuid,
}

/// A referral with a picture of the patient, at the clinic it was sent to.
async fn sent(world: &'static World) -> Sent {
    let (here, there) = (clinic(world).await, clinic(world).await);
    let patient = here.patient("Silva").await.unwrap().id;
    let file = uploaded(&here.staff(), world, Some(patient), "image/png", PNG).await;
    complete(&here.staff(), file).await.unwrap();
    let made = draft(&here, json!({"recipient_tenant_id": there.id, "patient_id": patient})).await;
    let attached = json!({"referral_id": made.id, "file_id": file, "file_name": "x.png", "file_type": "image/png", "file_size": PNG.len(),
                          "uploaded_at": "2026-11-01T00:00:00Z", "patient_id": patient});
    create(&here.staff(), &REFERRAL_FILE, attached).await.unwrap();
    let Answer::Record(done) = run(&here.staff(), "sendReferral", Some(made.id), json!({})).await.unwrap() else { panic!() };
    let arrived = arrived(&there, done.uuid("exchange_id").unwrap()).await;
    let sql = "select id from enamel.received_documents where tenant_id = $1 and referral_id = $2";
    let document = world.truth().await.query_one(sql, &[&there.id, &arrived]).await.unwrap().get(0);
    Sent { here, there, referral: made.id, arrived, document, file }
}

#[test]
fn attached_files_open_at_the_receiver_while_the_referral_stands() {
    world::with(async |world| {
        let sent = sent(world).await;
        let staff = sent.there.staff();
        let link = object(&staff, "createReceivedDocumentDownloadLink", Some(sent.document), json!({})).await.unwrap();
        assert_eq!(send(world, &link, Vec::new()).await.bytes().await.unwrap(), PNG);
        let minted = "select count(*) from enamel.audit_events where event_type = 'FILE_LINK_MINTED' and tenant_id = $1";
        assert_eq!((count(world, minted, sent.there.id).await, count(world, minted, sent.here.id).await), (1, 2), "one was the upload's");
        // The entry is no file of theirs yet, and the row is nobody else's.
        let entry = format!("select file_id from enamel.received_documents where id = '{}'", sent.document);
        let entry: Uuid = world.truth().await.query_one(&entry, &[]).await.unwrap().get(0);
        assert_eq!(refusal(object(&staff, "createFileDownloadLink", Some(entry), json!({})).await), "file.not_ready");
        let other = clinic(world).await;
        for operation in ["createReceivedDocumentDownloadLink", "keepReceivedDocument"] {
            assert_eq!(refusal(call(&other.staff(), operation, Some(sent.document), json!({})).await), "not_found", "{operation}");
        }
        let matched = sent.there.patient("Silva").await.unwrap().id;
        crate::world::operations::run(&staff, "acceptReferral", Some(sent.arrived), json!({})).await.unwrap();
        let by_hand = format!("update enamel.referrals set patient_id = '{matched}' where id = '{}'", sent.arrived);
        world.truth().await.batch_execute(&by_hand).await.unwrap();
        assert_eq!(rows(&sent.there, "received_documents", &format!("patient_id = '{matched}'")).await, 1);

        run(&sent.here.staff(), "cancelReferral", Some(sent.referral), json!({"reason": "changed their mind"})).await.unwrap();
        let ended = call(&staff, "createReceivedDocumentDownloadLink", Some(sent.document), json!({})).await.err().unwrap();
        assert_eq!((ended.code.code, ended.faults[0].field.as_str()), ("state.move_refused", "revoked_at"));
        assert_eq!(rows(&sent.here, "document_grants", "revoked_at is not null").await, 1);
    });
}

#[test]
fn a_copy_has_its_own_key_and_stays() {
    world::with(async |world| {
        let sent = sent(world).await;
        let staff = sent.there.staff();
        let kept = record(&staff, "keepReceivedDocument", sent.document, json!({})).await.unwrap();
        assert_eq!((kept.text("status"), kept.text("sha256"), kept.tenant), (Some("READY"), Some(sha256(PNG).as_str()), sent.there.id));
        let again = record(&staff, "keepReceivedDocument", sent.document, json!({})).await.unwrap();
        assert_eq!(again.version, kept.version);
        let key: String =
            world.truth().await.query_one("select storage_key from enamel.files where id = $1", &[&kept.id]).await.unwrap().get(0);
        assert!(key.starts_with(&sent.there.id.to_string()) && !key.contains("shared"), "{key}");
        let copied = "select count(*) from enamel.audit_events where event_type = 'FILE_COPIED' and tenant_id = $1";
        assert_eq!((count(world, copied, sent.there.id).await, count(world, copied, sent.here.id).await), (1, 1));
        run(&sent.here.staff(), "cancelReferral", Some(sent.referral), json!({"reason": "x"})).await.unwrap();
        let link = object(&staff, "createFileDownloadLink", Some(kept.id), json!({})).await.unwrap();
        assert_eq!(send(world, &link, Vec::new()).await.bytes().await.unwrap(), PNG);
    });
}

#[test]
fn a_copy_counts_when_it_is_kept_and_no_sooner() {
    world::with(async |world| {
        let sent = sent(world).await;
        let (staff, truth) = (sent.there.staff(), world.truth().await);
        let size = PNG.len() as i64;
        let quota = "insert into enamel.tenant_quotas (tenant_id, id, max_storage_bytes) values ($1, $2, $3)
                     on conflict (tenant_id) do update set max_storage_bytes = excluded.max_storage_bytes";
        let allow = async |bytes: i64| truth.execute(quota, &[&sent.there.id, &Uuid::now_v7(), &bytes]).await.unwrap();
        let used = async || count(world, "select sec.in_use('max_storage_bytes', $1)", sent.there.id).await;
        let lying = async || objects(world, sent.there.id).await;
        assert_eq!((used().await, lying().await), (0, 0), "what was shared lies with the one who shared it");

        allow(size - 1).await;
        let refused = call(&staff, "keepReceivedDocument", Some(sent.document), json!({})).await.err().unwrap();
        assert_eq!((refused.code.code, refused.faults[0].field.as_str()), ("quota.exceeded", "max_storage_bytes"));
        assert_eq!(
            (used().await, lying().await, rows(&sent.there, "files", "status = 'SCANNING'").await),
            (0, 0, 1),
            "nothing stays of it"
        );

        let each = async |most: Option<i64>| {
            let sql = "update enamel.tenant_quotas set max_file_bytes = $2 where tenant_id = $1";
            truth.execute(sql, &[&sent.there.id, &most]).await.unwrap()
        };
        allow(size).await;
        each(Some(size - 1)).await;
        let refused = call(&staff, "keepReceivedDocument", Some(sent.document), json!({})).await.err().unwrap();
        assert_eq!(
            (refused.code.code, refused.faults[0].field.as_str()),
            ("quota.exceeded", "file_size"),
            "larger than any file may be here"
        );
        each(None).await;
        let keep = async || record(&staff, "keepReceivedDocument", sent.document, json!({})).await.unwrap();
        let (one, other) = tokio::join!(keep(), keep());
        assert_eq!((one.text("status"), other.text("status"), one.version), (Some("READY"), Some("READY"), other.version));
        assert_eq!((used().await, lying().await), (size, 1), "two who keep it at once keep it once");
        let more = object(&staff, "createFile", None, announcement(None, "image/png", PNG)).await.err().unwrap();
        assert_eq!(more.code.code, "quota.exceeded");
    });
}

#[test]
fn what_is_quarantined_or_changed_is_not_copied() {
    world::with(async |world| {
        let sent = sent(world).await;
        let staff = sent.there.staff();
        let truth = world.truth().await;
        let set = async |column: &str| {
            let sql = format!("set session_replication_role = replica; update enamel.files set {column} where id = '{}'", sent.file);
            truth.batch_execute(&sql).await.unwrap();
        };
        set("status = 'QUARANTINED'").await;
        for operation in ["createReceivedDocumentDownloadLink", "keepReceivedDocument"] {
            assert_eq!(refusal(call(&staff, operation, Some(sent.document), json!({})).await), "file.not_ready", "{operation}");
        }
        set(&format!("status = 'READY', sha256 = '{}'", sha256(b"other bytes"))).await;
        assert_eq!(refusal(call(&staff, "keepReceivedDocument", Some(sent.document), json!({})).await), "file.mismatch");
        assert_eq!(rows(&sent.there, "files", "status = 'SCANNING'").await, 1);
    });
}

#[test]
fn a_record_read_by_itself_shows_its_files_link_and_a_list_none() {
    world::with(async |world| {
        let sent = sent(world).await;
        let token = sent.here.token("TENANT_ADMIN").await;
        let minted = "select count(*) from enamel.audit_events where event_type = 'FILE_LINK_MINTED' and metadata ->> 'method' = 'GET' and tenant_id = $1";
        let (_, file) = world.get(Some(&token), &format!("/files/{}", sent.file)).await;
        let bytes = world.http.get(file["file_url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
        assert_eq!((bytes.as_ref(), count(world, minted, sent.here.id).await), (PNG, 1));
        let (_, page) = world.get(Some(&token), "/files").await;
        assert!(page["items"][0]["id"].is_string() && page["items"][0]["file_url"].is_null(), "{page}");
        assert_eq!(count(world, minted, sent.here.id).await, 1, "a list mints nothing");

        let (_, attached) = world.get(Some(&token), &format!("/referral-files?referral_id={}", sent.referral)).await;
        let id = attached["items"][0]["id"].as_str().unwrap();
        let (_, spoken) = world.get(Some(&token), &format!("/projections/referral-network/referral-files/{id}")).await;
        assert!(spoken["fileUrl"].as_str().is_some_and(|url| url.contains("X-Amz-Expires=300")), "{spoken}");
        assert_eq!(count(world, minted, sent.here.id).await, 2);
        // Who may see the referral and not the images gets no link with it.
        let desk = sent.here.token("CLINIC_STAFF").await;
        let (status, plain) = world.get(Some(&desk), &format!("/referral-files/{id}")).await;
        let (images, _) = world.get(Some(&desk), &format!("/files/{}", sent.file)).await;
        assert_eq!((status, plain["file_url"].is_string()), (200, images == 200), "{plain}");
    });
}
