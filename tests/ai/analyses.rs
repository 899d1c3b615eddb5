//! An analysis runs with feature, consent, limit and a version in force, and not otherwise, whichever way it is asked for.

use super::{model, platform, study, version};
use crate::world::operations::{create, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::ai::ai_inference_job::AI_INFERENCE_JOB;
use enamel::ai::ai_model_deployment::AI_MODEL_DEPLOYMENT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A released version on trial in that tenant.
pub async fn on_trial(world: &World, tenant: Uuid, with: Json) -> Uuid {
    let model = model(world).await;
    let id = version(world, model, "1.0.0", with).await;
    for name in ["validateAiModelVersion", "releaseAiModelVersion"] {
        run(&platform(world), name, Some(id), json!({})).await.unwrap();
    }
    let body = json!({"model_id": model, "model_version_id": id, "rollout_strategy": "TENANT_GROUP", "tenant_ids": [tenant]});
    create(&platform(world), &AI_MODEL_DEPLOYMENT, body).await.unwrap();
    id
}

pub async fn allow(clinic: &Clinic) {
    let truth = clinic.world.truth().await;
    let sql = "insert into enamel.tenant_features (tenant_id, id, feature_code) values ($1, gen_random_uuid(), 'AI_DIAGNOSTICS')";
    truth.execute(sql, &[&clinic.id]).await.unwrap();
}

pub async fn consent(clinic: &Clinic, patient: Uuid, kind: &str) -> Uuid {
    let id = Uuid::now_v7();
    let truth = clinic.world.truth().await;
    truth
        .execute(
            "insert into enamel.consents (tenant_id, id, subject_type, subject_id, patient_id, consent_type, text_snapshot, text_version,
                 text_locale, granted_at, source)
             values ($1, $2, 'PATIENT', $3, $3, $4, 'Yes.', 1, 'en', now(), 'IN_CLINIC')",
            &[&clinic.id, &id, &patient, &kind],
        )
        .await
        .unwrap();
    id
}

pub async fn reader(clinic: &Clinic) -> Caller {
    let member = clinic.member("DENTIST").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(member), Permission::ALL)
}

#[test]
fn an_analysis_needs_all_it_needs() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        let (id, _, patient) = study(&clinic, "INTRAORAL", "IO").await;
        let version = on_trial(world, clinic.id, json!({})).await;
        let ask = async |caller: &Caller, id: Uuid, version: Uuid| {
            run(caller, "analyzeImagingStudy", Some(id), json!({"model_version_id": version})).await
        };
        let refused = async |id, version| ask(&staff, id, version).await.err().unwrap().code.status;
        let by_hand = || json!({"model_version_id": version, "input_type": "IMAGING_STUDY", "input_ref_id": id, "patient_id": patient});
        assert_eq!(refused(id, version).await, 403, "the feature");
        assert_eq!(create(&staff, &AI_INFERENCE_JOB, by_hand()).await.unwrap_err().faults[0].field, "feature");
        allow(&clinic).await;
        assert_eq!(refused(id, version).await, 409, "the consent");
        assert_eq!(create(&staff, &AI_INFERENCE_JOB, by_hand()).await.unwrap_err().faults[0].field, "consent_id");
        let given = consent(&clinic, patient, "AI_ANALYSIS").await;
        assert_eq!(refused(Uuid::now_v7(), version).await, 404);
        assert_eq!(refused(id, Uuid::now_v7()).await, 422, "no such version");
        let elsewhere = on_trial(world, Uuid::now_v7(), json!({})).await;
        assert_eq!(refused(id, elsewhere).await, 409, "in force for others");
        let (wide, ..) = study(&clinic, "CBCT", "CT").await;
        assert_eq!(refused(wide, version).await, 422, "outside of the intended use");
        let adults = on_trial(world, clinic.id, json!({"intended_use": {"minimum_age": 18}})).await;
        assert_eq!(refused(id, adults).await, 422, "the age is not known");
        let weak = world.caller(Plane::Staff, clinic.id, staff.context.actor, &[Permission::ViewImaging]);
        assert_eq!(ask(&weak, id, version).await.err().unwrap().code.status, 403);
        let stranger = reader(&world.tenant("SOLO_PRACTICE", None).await).await;
        assert_eq!(ask(&stranger, id, version).await.err().unwrap().code.status, 404);

        let job = record(ask(&staff, id, version).await.unwrap());
        assert_eq!((job.text("status"), job.uuid("consent_id")), (Some("QUEUED"), Some(given)));
        assert_eq!((job.uuid("requested_by_user_id"), job.uuid("patient_id")), (staff.context.actor, Some(patient)));
        assert!(job.uuid("deployment_id").is_some() && job.text("input_hash").is_some_and(|hash| hash.len() == 64));
        assert_eq!(ask(&staff, id, version).await.err().unwrap().code.code, "conflict.duplicate", "the same images again");
        let truth = world.truth().await;
        truth.execute("update enamel.imaging_studies set status = 'CANCELLED' where id = $1", &[&id]).await.unwrap();
        assert_eq!(refused(id, version).await, 409, "a cancelled study");
    });
}

#[test]
fn the_months_limit_holds_in_a_race_and_what_is_cancelled_does_not_count() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        allow(&clinic).await;
        let version = on_trial(world, clinic.id, json!({})).await;
        let truth = world.truth().await;
        let quota = "insert into enamel.tenant_quotas (tenant_id, id, max_ai_inferences_per_month) values ($1, gen_random_uuid(), 2)";
        truth.execute(quota, &[&clinic.id]).await.unwrap();
        let mut studies = Vec::new();
        for _ in 0..4 {
            let (id, _, patient) = study(&clinic, "INTRAORAL", "IO").await;
            consent(&clinic, patient, "AI_ANALYSIS").await;
            studies.push(id);
        }
        let ask = |id: Uuid| run(&staff, "analyzeImagingStudy", Some(id), json!({"model_version_id": version}));
        let all = futures_util::future::join_all(studies.iter().map(|id| ask(*id))).await;
        let over: Vec<_> = all.iter().filter_map(|made| made.as_ref().err()).map(|refusal| refusal.code.code).collect();
        assert_eq!(over, ["quota.exceeded", "quota.exceeded"]);
        let place = all.iter().position(std::result::Result::is_err).unwrap();
        let job = record(all.into_iter().find_map(Result::ok).unwrap());
        let gone = record(run(&staff, "cancelAiInferenceJob", Some(job.id), json!({})).await.unwrap());
        assert_eq!(gone.text("status"), Some("CANCELLED"));
        ask(studies[place]).await.unwrap();
        assert_eq!(run(&staff, "cancelAiInferenceJob", Some(job.id), json!({})).await.err().unwrap().code.code, "state.move_refused");
    });
}

#[test]
fn a_failed_job_runs_again_until_it_has_run_enough() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        allow(&clinic).await;
        let version = on_trial(world, clinic.id, json!({})).await;
        let (id, _, patient) = study(&clinic, "INTRAORAL", "IO").await;
        consent(&clinic, patient, "AI_ANALYSIS").await;
        let job = record(run(&staff, "analyzeImagingStudy", Some(id), json!({"model_version_id": version})).await.unwrap()).id;
        let again = || run(&staff, "retryAiInferenceJob", Some(job), json!({}));
        assert_eq!(again().await.err().unwrap().code.code, "state.move_refused");
        let truth = world.truth().await;
        let fail = "update enamel.ai_inference_jobs set status = 'FAILED', attempts = $2, error_details = 'no memory' where id = $1";
        truth.execute(fail, &[&job, &4]).await.unwrap();
        let queued = record(again().await.unwrap());
        assert_eq!((queued.text("status"), queued.text("error_details")), (Some("QUEUED"), None));
        truth.execute(fail, &[&job, &5]).await.unwrap();
        assert_eq!(again().await.err().unwrap().code.code, "conflict");
    });
}
