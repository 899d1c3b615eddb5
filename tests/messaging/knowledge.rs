//! Knowledge is written, reviewed by another, published and assigned once.

use super::{colleague, portal, refused};
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use enamel::kernel::Caller;
use enamel::messaging::educational_material::EDUCATIONAL_MATERIAL;
use enamel::messaging::knowledge_document::KNOWLEDGE_DOCUMENT;
use enamel::messaging::knowledge_localization::KNOWLEDGE_LOCALIZATION;
use enamel::messaging::knowledge_version::KNOWLEDGE_VERSION;
use enamel::messaging::patient_material_assignment::PATIENT_MATERIAL_ASSIGNMENT;
use serde_json::json;
use uuid::Uuid;

/// A draft with one version, its ids.
async fn draft(author: &Caller, kind: &str) -> (Uuid, Uuid) {
    let document = create(author, &KNOWLEDGE_DOCUMENT, json!({"kind": kind, "title": "After an extraction"})).await.unwrap().id;
    let version = create(author, &KNOWLEDGE_VERSION, json!({"document_id": document, "body": "Do not rinse."})).await.unwrap();
    assert_eq!((version.int("version_no"), version.uuid("author_id")), (Some(1), author.context.actor));
    (document, version.id)
}

#[test]
fn a_document_is_published_by_another_than_its_author() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (author, reviewer) = (colleague(&clinic, "CLINICIAN").await, colleague(&clinic, "TENANT_ADMIN").await);
        let empty = create(&author, &KNOWLEDGE_DOCUMENT, json!({"kind": "PROTOCOL", "title": "Empty"})).await.unwrap().id;
        let nothing = refused(&author, "submitKnowledgeDocumentReview", Some(empty), json!({})).await;
        assert_eq!((nothing.code.status, nothing.faults[0].rule), (409, "content_present"));
        let (document, version) = draft(&author, "PATIENT_EDUCATION").await;
        let words = create(&author, &KNOWLEDGE_LOCALIZATION, json!({"version_id": version, "locale": "de", "title": "Nach dem Ziehen"}))
            .await
            .unwrap()
            .id;
        assert_eq!(refused(&reviewer, "approveKnowledgeDocument", Some(document), json!({})).await.code.status, 409);
        let waiting = record(run(&author, "submitKnowledgeDocumentReview", Some(document), json!({})).await.unwrap());
        let changed = patch(&author, &KNOWLEDGE_DOCUMENT, document, waiting.version, json!({"title": "Other"})).await.unwrap_err();
        assert_eq!(changed.code.code, "record.append_only");
        assert_eq!(
            create(&author, &KNOWLEDGE_VERSION, json!({"document_id": document, "body": "Rinse."})).await.unwrap_err().code.status,
            409
        );
        assert_eq!(refused(&author, "approveKnowledgeDocument", Some(document), json!({})).await.code.status, 409);
        run(&reviewer, "rejectKnowledgeDocument", Some(document), json!({"reason": "say when"})).await.unwrap();
        run(&author, "submitKnowledgeDocumentReview", Some(document), json!({})).await.unwrap();

        let patient = clinic.patient("Learner").await.unwrap().id;
        let me = portal(&clinic, patient).await;
        assert_eq!(read(&me, &KNOWLEDGE_VERSION, version).await.unwrap_err().code.status, 404);
        assert_eq!(read(&me, &EDUCATIONAL_MATERIAL, document).await.unwrap_err().code.status, 404);
        let published = record(run(&reviewer, "approveKnowledgeDocument", Some(document), json!({})).await.unwrap());
        assert_eq!((published.text("status"), published.text("publish_date").is_some()), (Some("PUBLISHED"), true));
        let shown = read(&me, &KNOWLEDGE_VERSION, version).await.unwrap();
        assert_eq!((shown.text("body"), shown.uuid("approved_by")), (Some("Do not rinse."), reviewer.context.actor));
        assert!(read(&me, &KNOWLEDGE_LOCALIZATION, words).await.is_ok() && read(&me, &EDUCATIONAL_MATERIAL, document).await.is_ok());

        // The next version is written while patients still read the one before.
        let revised = record(run(&author, "reviseKnowledgeDocument", Some(document), json!({})).await.unwrap());
        assert_eq!((revised.text("status"), revised.int("current_version_no")), (Some("DRAFT"), Some(2)));
        assert!(read(&me, &KNOWLEDGE_VERSION, version).await.is_ok());
        run(&author, "submitKnowledgeDocumentReview", Some(document), json!({})).await.unwrap();
        run(&reviewer, "approveKnowledgeDocument", Some(document), json!({})).await.unwrap();
        assert_eq!(read(&me, &KNOWLEDGE_VERSION, version).await.unwrap_err().code.status, 404, "the one before is no longer shown");
        assert_eq!(read(&me, &KNOWLEDGE_LOCALIZATION, words).await.unwrap_err().code.status, 404);
        assert_eq!(
            record(run(&reviewer, "retireKnowledgeDocument", Some(document), json!({})).await.unwrap()).text("status"),
            Some("RETIRED")
        );
    });
}

#[test]
fn a_protocol_is_never_shown_to_patients() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (author, reviewer) = (colleague(&clinic, "CLINICIAN").await, colleague(&clinic, "TENANT_ADMIN").await);
        let (document, version) = draft(&author, "PROTOCOL").await;
        run(&author, "submitKnowledgeDocumentReview", Some(document), json!({})).await.unwrap();
        run(&reviewer, "approveKnowledgeDocument", Some(document), json!({})).await.unwrap();
        let me = portal(&clinic, clinic.patient("Reader").await.unwrap().id).await;
        assert_eq!(read(&me, &KNOWLEDGE_VERSION, version).await.unwrap_err().code.status, 404);
        assert_eq!(read(&me, &KNOWLEDGE_DOCUMENT, document).await.unwrap_err().code.status, 404);
    });
}

#[test]
fn a_material_is_assigned_once_and_the_patient_says_what_they_saw() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (author, reviewer) = (colleague(&clinic, "CLINICIAN").await, colleague(&clinic, "TENANT_ADMIN").await);
        let (patient, other) = (clinic.patient("Learner").await.unwrap().id, clinic.patient("Other").await.unwrap().id);
        let (me, them) = (portal(&clinic, patient).await, portal(&clinic, other).await);
        let (document, _) = draft(&author, "PATIENT_EDUCATION").await;
        let body = json!({"patient_id": patient, "material_id": document, "specialist_comments": "twice a day"});
        let early = create(&author, &PATIENT_MATERIAL_ASSIGNMENT, body.clone()).await.unwrap_err();
        assert_eq!((early.code.status, early.faults[0].field.as_str()), (422, "material_id"));
        run(&author, "submitKnowledgeDocumentReview", Some(document), json!({})).await.unwrap();
        run(&reviewer, "approveKnowledgeDocument", Some(document), json!({})).await.unwrap();
        let (one, two) = tokio::join!(
            create(&author, &PATIENT_MATERIAL_ASSIGNMENT, body.clone()),
            create(&reviewer, &PATIENT_MATERIAL_ASSIGNMENT, body.clone())
        );
        let (given, refusal) = match (one, two) {
            (Ok(given), Err(refusal)) | (Err(refusal), Ok(given)) => (given, refusal),
            _ => panic!("one of two"),
        };
        assert_eq!(refusal.code.code, "conflict.duplicate");
        assert!(given.uuid("assigned_by").is_some() && given.text("assignment_date").is_some());
        let seen = record(run(&me, "markMaterialViewed", Some(given.id), json!({})).await.unwrap());
        assert!(seen.text("viewed_at").is_some() && seen.text("completed_at").is_none());
        let done = record(run(&me, "markMaterialCompleted", Some(given.id), json!({})).await.unwrap());
        assert_eq!((done.text("viewed_at"), done.text("completed_at").is_some()), (seen.text("viewed_at"), true));
        assert_eq!(refused(&them, "markMaterialViewed", Some(given.id), json!({})).await.code.status, 404);
        assert_eq!(refused(&author, "markMaterialViewed", Some(given.id), json!({})).await.code.status, 403);
    });
}
