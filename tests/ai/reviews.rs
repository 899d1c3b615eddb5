//! A verdict is written once, moves the prediction, and teaches only with leave; accuracy hides the few.

use super::analyses::{allow, consent, job, on_trial, reader};
use super::study;
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use crate::world::tenants::Clinic;
use enamel::ai::ai_prediction::AI_PREDICTION;
use enamel::ai::research_dataset::RESEARCH_DATASET;
use enamel::imaging::image_annotation::IMAGE_ANNOTATION;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use serde_json::{Value as Json, json};
use uuid::Uuid;

struct Case {
    job: Uuid,
    object: Uuid,
    patient: Uuid,
    version: Uuid,
}

async fn case(clinic: &Clinic) -> Case {
    allow(clinic).await;
    let version = on_trial(clinic.world, clinic.id, json!({})).await;
    let (id, object, patient) = study(clinic, "INTRAORAL", "IO").await;
    consent(clinic, patient, "AI_ANALYSIS").await;
    let staff = reader(clinic).await;
    let job = job(&staff, id, version).await.unwrap().id;
    Case { job, object, patient, version }
}

async fn prediction(clinic: &Clinic, case: &Case, region: Option<Uuid>) -> Uuid {
    let id = Uuid::now_v7();
    let truth = clinic.world.truth().await;
    truth
        .execute(
            "insert into enamel.ai_predictions (tenant_id, id, job_id, patient_id, imaging_object_id, prediction_type, confidence, roi_ref)
             values ($1, $2, $3, $4, $5, 'CARIES', 0.8, $6)",
            &[&clinic.id, &id, &case.job, &case.patient, &case.object, &region],
        )
        .await
        .unwrap();
    id
}

#[test]
fn a_verdict_moves_its_prediction() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        let case = case(&clinic).await;
        let region = Uuid::now_v7();
        let truth = world.truth().await;
        truth.execute("insert into enamel.image_annotations (tenant_id, id, imaging_object_id, patient_id, source_type, annotation_type, geometry)
            values ($1, $2, $3, $4, 'AI', 'BOUNDING_BOX', '{\"x\": 1, \"y\": 1, \"width\": 4, \"height\": 4}')", &[&clinic.id, &region, &case.object, &case.patient]).await.unwrap();
        let (id, plain) = (prediction(&clinic, &case, Some(region)).await, prediction(&clinic, &case, None).await);
        let review = async |id, body: Json| run(&staff, "reviewAiPrediction", Some(id), body).await;
        let status = async |id| read(&staff, &AI_PREDICTION, id).await.unwrap().text("review_status").unwrap().to_owned();
        assert_eq!(status(id).await, "UNREVIEWED");
        let event = record(review(id, json!({"review_action": "CONFIRMED", "comment": "seen"})).await.unwrap());
        assert_eq!((event.uuid("reviewer_id"), event.uuid("patient_id")), (staff.context.actor, Some(case.patient)));
        assert_eq!(status(id).await, "CONFIRMED");
        for body in [json!({}), json!({"review_action": "EDITED"}), json!({"review_action": "REJECTED", "annotation": {}})] {
            assert_eq!(review(id, body).await.err().unwrap().code.status, 422);
        }
        let edit = json!({"review_action": "EDITED", "annotation": {"annotation_type": "BOUNDING_BOX", "geometry": {"x": 2, "y": 1, "width": 4, "height": 4}}});
        let event = record(review(id, edit).await.unwrap());
        assert_eq!(status(id).await, "EDITED");
        let drawn = read(&staff, &IMAGE_ANNOTATION, event.uuid("edited_annotation_id").unwrap()).await.unwrap();
        assert_eq!((drawn.uuid("supersedes_id"), drawn.int("version_no")), (Some(region), Some(2)));
        assert_eq!((drawn.text("source_type"), drawn.uuid("author_user_id")), (Some("USER"), staff.context.actor));
        assert!(!read(&staff, &IMAGE_ANNOTATION, region).await.unwrap().flag("is_current"), "the model's own is kept");
        review(plain, json!({"review_action": "REJECTED", "reason_code": "ARTEFACT"})).await.unwrap();
        assert_eq!(status(plain).await, "REJECTED");
        let told = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'AI_OVERRIDE'";
        assert_eq!(truth.query_one(told, &[&clinic.id]).await.unwrap().get::<_, i64>(0), 2);

        let weak = world.caller(Plane::Staff, clinic.id, staff.context.actor, &[Permission::ViewImaging]);
        let body = json!({"review_action": "CONFIRMED"});
        assert_eq!(run(&weak, "reviewAiPrediction", Some(id), body.clone()).await.err().unwrap().code.status, 403);
        let stranger = reader(&world.tenant("SOLO_PRACTICE", None).await).await;
        assert_eq!(run(&stranger, "reviewAiPrediction", Some(id), body).await.err().unwrap().code.status, 404);
    });
}

#[test]
fn teaching_needs_the_tenants_word_and_the_patients() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        let case = case(&clinic).await;
        let id = prediction(&clinic, &case, None).await;
        let teach =
            async || run(&staff, "reviewAiPrediction", Some(id), json!({"review_action": "CONFIRMED", "use_for_training": true})).await;
        assert_eq!(teach().await.err().unwrap().faults[0].field, "use_for_training");
        let truth = world.truth().await;
        let settings = "insert into enamel.tenant_settings (tenant_id, id, allow_training_use) values ($1, gen_random_uuid(), true)";
        truth.execute(settings, &[&clinic.id]).await.unwrap();
        assert_eq!(teach().await.err().unwrap().faults[0].field, "use_for_training", "the patient has not said so");
        consent(&clinic, case.patient, "RESEARCH").await;
        assert!(record(teach().await.unwrap()).flag("use_for_training"));
    });
}

#[test]
fn accuracy_tells_the_many_and_hides_the_few() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        let case = case(&clinic).await;
        let truth = world.truth().await;
        let link = async |agreement: &str| {
            let id = prediction(&clinic, &case, None).await;
            let encounter: Option<Uuid> = None;
            // The one of both that every link has is a row of its own; the rule about it is tested by the schema's check.
            truth.execute("set session_replication_role = replica", &[]).await.unwrap();
            truth.execute("insert into enamel.ai_outcome_links (tenant_id, id, prediction_id, patient_id, encounter_id, procedure_id, ground_truth_code,
                    ground_truth_source, agreement, evaluation_timestamp)
                values ($1, gen_random_uuid(), $2, $3, $4, gen_random_uuid(), 'T1234', 'CLINICAL_NOTE', $5, now())",
                &[&clinic.id, &id, &case.patient, &encounter, &agreement]).await.unwrap();
            truth.execute("set session_replication_role = origin", &[]).await.unwrap();
        };
        for place in 0..10 {
            link(if place < 8 { "TRUE_POSITIVE" } else { "FALSE_POSITIVE" }).await;
        }
        let groups = async |caller| match run(&caller, "getAiModelVersionAccuracy", Some(case.version), json!({})).await.unwrap() {
            Answer::Object(members) => members["groups"].as_array().unwrap().clone(),
            _ => panic!("no object"),
        };
        assert!(groups(staff.clone()).await.iter().all(|group| group["hidden"] == true), "ten are few");
        link("TRUE_POSITIVE").await;
        let told = groups(staff.clone()).await;
        let all = told.iter().find(|group| group["kind"] == "all").unwrap();
        assert_eq!((all["true_positive"].as_i64(), all["false_positive"].as_i64(), all["missed"].as_i64()), (Some(9), Some(2), Some(0)));
        assert!(told.iter().any(|group| group["kind"] == "modality" && group["value"] == "INTRAORAL" && group["hidden"] == false));
        let stranger = reader(&world.tenant("SOLO_PRACTICE", None).await).await;
        assert!(groups(stranger).await.iter().all(|group| group["hidden"] == true), "others' findings are others'");
        let neither = truth.execute("insert into enamel.ai_outcome_links (tenant_id, id, prediction_id, patient_id, ground_truth_code, ground_truth_source,
            evaluation_timestamp) select tenant_id, gen_random_uuid(), id, patient_id, 'T1', 'CLINICAL_NOTE', now() from enamel.ai_predictions where tenant_id = $1 limit 1",
            &[&clinic.id]).await;
        assert_eq!(neither.unwrap_err().code().map(tokio_postgres::error::SqlState::code), Some("23514"));
    });
}

#[test]
fn a_withdrawn_data_set_ends_for_all_in_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let patient = clinic.patient("Subject").await.unwrap().id;
        let body = json!({"name": "Molars", "purpose": "to learn", "deidentification_method": "SAFE_HARBOR"});
        let set = create(&staff, &RESEARCH_DATASET, body).await.unwrap();
        let withdraw = async || run(&staff, "withdrawResearchDataset", Some(set.id), json!({"reason": "a mistake"})).await;
        assert_eq!(withdraw().await.err().unwrap().code.code, "state.move_refused");
        let truth = world.truth().await;
        truth
            .execute(
                "insert into enamel.research_dataset_members (tenant_id, id, dataset_id, pseudonym, patient_id, included_at)
            values ($1, gen_random_uuid(), $2, 'P1', $3, now())",
                &[&clinic.id, &set.id, &patient],
            )
            .await
            .unwrap();
        for status in ["BUILDING", "PUBLISHED"] {
            truth.execute("update enamel.research_datasets set status = $2 where id = $1", &[&set.id, &status]).await.unwrap();
        }
        let now = read(&staff, &RESEARCH_DATASET, set.id).await.unwrap();
        let changed = patch(&staff, &RESEARCH_DATASET, set.id, now.version, json!({"purpose": "to sell"})).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only");
        assert_eq!(record(withdraw().await.unwrap()).text("status"), Some("WITHDRAWN"));
        let ended = "select valid_until <= now() from enamel.research_dataset_members where dataset_id = $1";
        assert!(truth.query_one(ended, &[&set.id]).await.unwrap().get::<_, bool>(0));
    });
}
