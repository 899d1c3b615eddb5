//! Documents become final and signed and stay so; studies and grants are called off.

use crate::world;
use crate::world::operations::{create, patch, read, record, retire, run};
use crate::world::tenants::Clinic;
use enamel::imaging::document::DOCUMENT;
use enamel::imaging::document_grant::DOCUMENT_GRANT;
use enamel::imaging::image_annotation::IMAGE_ANNOTATION;
use enamel::imaging::imaging_study::IMAGING_STUDY;
use enamel::imaging::received_document::RECEIVED_DOCUMENT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub async fn file(clinic: &Clinic, patient: Uuid, status: &str, hash: &str) -> Uuid {
    let id = Uuid::now_v7();
    clinic
        .world
        .truth()
        .await
        .execute(
            "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region, status, sha256)
             values ($1, $2, $3, 'DOCUMENT', 'a.pdf', 'application/pdf', 3, $1::uuid::text || '/none/none/' || $2::uuid::text, 'eu', $4, $5)",
            &[&clinic.id, &id, &patient, &status, &hash],
        )
        .await
        .unwrap();
    id
}

pub async fn document(clinic: &Clinic, patient: Uuid, file: Uuid) -> Record {
    let body = json!({"owner_type": "PATIENT", "owner_id": patient, "patient_id": patient, "document_type": "CONSENT_FORM",
        "title": "Form", "file_id": file});
    create(&clinic.staff(), &DOCUMENT, body).await.unwrap()
}

async fn dentist(clinic: &Clinic) -> Caller {
    let member = clinic.member("DENTIST").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(member), Permission::ALL)
}

async fn refused(caller: &Caller, name: &str, id: Uuid, body: Json) -> &'static str {
    run(caller, name, Some(id), body).await.err().unwrap_or_else(|| panic!("{name} was allowed")).code.code
}

#[test]
fn a_document_is_its_file_and_freezes_by_steps() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (patient, other) = (clinic.patient("Doe").await.unwrap().id, clinic.patient("Roe").await.unwrap().id);
        let staff = dentist(&clinic).await;
        let theirs = file(&clinic, other, "READY", "ff").await;
        let body = json!({"owner_type": "PATIENT", "owner_id": patient, "patient_id": patient, "document_type": "LETTER", "title": "x", "file_id": theirs});
        assert_eq!(create(&staff, &DOCUMENT, body).await.unwrap_err().code.code, "reference.unknown");

        let late = file(&clinic, patient, "SCANNING", "aa").await;
        let draft = document(&clinic, patient, late).await;
        assert_eq!((draft.text("hash"), draft.text("status")), (Some("aa"), Some("DRAFT")));
        assert_eq!(refused(&staff, "finaliseDocument", draft.id, json!({})).await, "file.not_ready");
        assert_eq!(refused(&staff, "signDocument", draft.id, json!({})).await, "file.not_ready");
        let truth = world.truth().await;
        truth.execute("update enamel.files set status = 'READY' where id = $1", &[&late]).await.unwrap();
        let last = record(run(&staff, "finaliseDocument", Some(draft.id), json!({})).await.unwrap());
        assert_eq!(last.text("status"), Some("FINAL"));
        assert_eq!(refused(&staff, "finaliseDocument", draft.id, json!({})).await, "state.move_refused");
        let changed = patch(&staff, &DOCUMENT, draft.id, last.version, json!({"title": "Another"})).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only");
        let hidden = patch(&staff, &DOCUMENT, draft.id, last.version, json!({"visibility": "STAFF"})).await.unwrap();

        let signed = record(run(&staff, "signDocument", Some(draft.id), json!({"signature_method": "PAPER"})).await.unwrap());
        assert_eq!((signed.text("status"), signed.text("signature_method")), (Some("SIGNED"), Some("PAPER")));
        assert_eq!((signed.uuid("signer_id"), signed.text("hash")), (staff.context.actor, Some("aa")));
        assert!(signed.text("signer_name").is_some() && signed.text("signed_at").is_some() && hidden.version < signed.version);
        for body in [json!({"visibility": "PATIENT"}), json!({"title": "Again"}), json!({"file_id": theirs})] {
            let changed = patch(&staff, &DOCUMENT, draft.id, signed.version, body.clone()).await;
            assert!([409, 422].contains(&changed.expect_err(&body.to_string()).code.status));
        }
        assert_eq!(retire(&staff, &DOCUMENT, draft.id, signed.version).await.unwrap_err().code.code, "record.append_only");
        assert_eq!(refused(&staff, "markDocumentInError", draft.id, json!({})).await, "field.invalid");
        let wrong = record(run(&staff, "markDocumentInError", Some(draft.id), json!({"reason": "wrong chart"})).await.unwrap());
        assert_eq!(wrong.text("status"), Some("ENTERED_IN_ERROR"));
        assert_eq!(refused(&staff, "signDocument", draft.id, json!({})).await, "state.move_refused");
        let stranger = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(refused(&dentist(&stranger).await, "signDocument", draft.id, json!({})).await, "not_found");
    });
}

#[test]
fn a_patient_signs_what_is_final_and_theirs() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (patient, other) = (clinic.patient("Doe").await.unwrap().id, clinic.patient("Roe").await.unwrap().id);
        let staff = dentist(&clinic).await;
        let paper = document(&clinic, patient, file(&clinic, patient, "READY", "aa").await).await;
        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let person = world.caller(Plane::Patient, clinic.id, Some(login), Permission::ALL);
        assert_eq!(refused(&person, "signDocument", paper.id, json!({})).await, "not_found", "drafts are not shown");
        run(&staff, "finaliseDocument", Some(paper.id), json!({})).await.unwrap();
        assert_eq!(refused(&person, "signDocument", paper.id, json!({"signature_method": "QUALIFIED"})).await, "field.invalid");
        let outsider = world.patient_login(&[(clinic.id, other)]).await;
        let outsider = world.caller(Plane::Patient, clinic.id, Some(outsider), Permission::ALL);
        assert_eq!(refused(&outsider, "signDocument", paper.id, json!({})).await, "not_found");
        let narrow = world.caller(Plane::Patient, clinic.id, Some(login), &[Permission::ViewClinical]);
        assert_eq!(refused(&narrow, "signDocument", paper.id, json!({})).await, "auth.forbidden");
        let signed = record(run(&person, "signDocument", Some(paper.id), json!({})).await.unwrap());
        assert_eq!((signed.uuid("signer_id"), signed.text("signature_method")), (Some(login), Some("ELECTRONIC")));
        assert_eq!(signed.text("signer_name"), Some("Test Person"));
        assert!(person.on(world::operations::operation("markDocumentInError").planes).is_err());
    });
}

#[test]
fn a_revoked_grant_is_revoked_on_both_sides() {
    world::with(async |world| {
        let (clinic, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (patient, other) = (clinic.patient("Doe").await.unwrap().id, clinic.patient("Roe").await.unwrap().id);
        let (mine, theirs) = (file(&clinic, patient, "READY", "aa").await, file(&clinic, other, "READY", "bb").await);
        let body = json!({"patient_id": patient, "file_id": theirs, "grantee_tenant_id": clinic.id, "granted_at": "2026-01-01T00:00:00Z"});
        assert_eq!(create(&clinic.staff(), &DOCUMENT_GRANT, body).await.unwrap_err().faults[0].field, "file_id", "another patient's file");
        let truth = world.truth().await;
        let grant = Uuid::now_v7();
        truth
            .execute(
                "insert into enamel.document_grants (tenant_id, id, patient_id, file_id, grantee_tenant_id, granted_at)
            values ($1, $2, $3, $4, $5, now())",
                &[&clinic.id, &grant, &patient, &mine, &there.id],
            )
            .await
            .unwrap();
        let copy = file(&there, there.patient("Doe").await.unwrap().id, "READY", "aa").await;
        let received = Uuid::now_v7();
        truth
            .execute(
                "insert into enamel.received_documents (tenant_id, id, source_tenant_id, grant_id, file_id, received_at)
            values ($1, $2, $3, $4, $5, now())",
                &[&there.id, &received, &clinic.id, &grant, &copy],
            )
            .await
            .unwrap();
        assert_eq!(refused(&there.staff(), "revokeDocumentGrant", grant, json!({})).await, "not_found");
        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let person = world.caller(Plane::Patient, clinic.id, Some(login), Permission::ALL);
        let done = record(run(&person, "revokeDocumentGrant", Some(grant), json!({})).await.unwrap());
        assert!(done.text("revoked_at").is_some());
        let there_now = read(&there.staff(), &RECEIVED_DOCUMENT, received).await.unwrap();
        assert_eq!(there_now.text("revoked_at"), done.text("revoked_at"));
        assert_eq!(refused(&clinic.staff(), "revokeDocumentGrant", grant, json!({})).await, "state.move_refused");
        let frozen = truth.execute("update enamel.document_grants set revoked_at = null where id = $1", &[&grant]).await;
        assert!(frozen.is_err());
    });
}

#[test]
fn a_study_is_called_off_with_a_reason_and_keeps_its_images() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Doe").await.unwrap().id;
        let uid = format!("1.2.{}", Uuid::now_v7().as_u128());
        let body = json!({"patient_id": patient, "study_uid": uid, "modality": "INTRAORAL", "modality_code": "IO"});
        let study = create(&clinic.staff(), &IMAGING_STUDY, body).await.unwrap();
        assert_eq!(refused(&clinic.staff(), "cancelImagingStudy", study.id, json!({})).await, "field.invalid");
        let done = record(run(&clinic.staff(), "cancelImagingStudy", Some(study.id), json!({"reason": "twice"})).await.unwrap());
        assert_eq!((done.text("status"), done.int("object_count")), (Some("CANCELLED"), Some(0)));
        assert_eq!(refused(&clinic.staff(), "cancelImagingStudy", study.id, json!({"reason": "x"})).await, "state.move_refused");
    });
}

#[test]
fn an_annotation_is_followed_by_its_next_version() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = dentist(&clinic).await;
        let (_, object, patient) = crate::ai::study(&clinic, "INTRAORAL", "IO").await;
        let body = |former: Option<Uuid>| {
            json!({"imaging_object_id": object, "patient_id": patient, "source_type": "USER",
            "author_user_id": staff.context.actor, "annotation_type": "POINTS", "geometry": {"points": [[1, 2]]}, "supersedes_id": former})
        };
        let first = create(&staff, &IMAGE_ANNOTATION, body(None)).await.unwrap();
        let second = create(&staff, &IMAGE_ANNOTATION, body(Some(first.id))).await.unwrap();
        assert_eq!((second.int("version_no"), second.flag("is_current")), (Some(2), true));
        assert!(!read(&staff, &IMAGE_ANNOTATION, first.id).await.unwrap().flag("is_current"));
        assert_eq!(create(&staff, &IMAGE_ANNOTATION, body(Some(first.id))).await.unwrap_err().code.status, 409, "one version follows");
        let elsewhere = Uuid::now_v7();
        assert_eq!(create(&staff, &IMAGE_ANNOTATION, body(Some(elsewhere))).await.unwrap_err().code.status, 422);
    });
}
