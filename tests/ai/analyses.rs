//! A job for an analysis is made with feature, consent, limit and a released version, and not otherwise.

use super::{model, platform, study, version};
use crate::world::operations::{create, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::ai::ai_inference_job::AI_INFERENCE_JOB;
use enamel::ai::ai_model_deployment::AI_MODEL_DEPLOYMENT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::table::Record;
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

/// What the runner will find: nothing that is offered makes one yet.
pub async fn job(caller: &Caller, study: Uuid, version: Uuid) -> Result<Record> {
    let body = json!({"model_version_id": version, "input_type": "IMAGING_STUDY", "input_ref_id": study});
    create(caller, &AI_INFERENCE_JOB, body).await
}

#[test]
fn a_job_needs_all_it_needs() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = reader(&clinic).await;
        let (id, _, patient) = study(&clinic, "INTRAORAL", "IO").await;
        let version = on_trial(world, clinic.id, json!({})).await;
        let lacks = async |study, version| job(&staff, study, version).await.unwrap_err().faults[0].field.clone();
        assert_eq!(lacks(id, version).await, "feature");
        allow(&clinic).await;
        assert_eq!(lacks(id, version).await, "consent_id");
        let given = consent(&clinic, patient, "AI_ANALYSIS").await;
        assert_eq!(lacks(Uuid::now_v7(), version).await, "input_ref_id");
        assert_eq!(lacks(id, Uuid::now_v7()).await, "model_version_id");
        let weak = world.caller(Plane::Staff, clinic.id, staff.context.actor, &[Permission::ViewImaging]);
        assert_eq!(job(&weak, id, version).await.unwrap_err().code.status, 403);
        let other = world.tenant("SOLO_PRACTICE", None).await;
        allow(&other).await;
        assert_eq!(job(&reader(&other).await, id, version).await.unwrap_err().faults[0].field, "input_ref_id");

        let made = job(&staff, id, version).await.unwrap();
        assert_eq!((made.text("status"), made.uuid("consent_id")), (Some("QUEUED"), Some(given)));
        assert_eq!((made.uuid("requested_by_user_id"), made.uuid("patient_id")), (staff.context.actor, Some(patient)));
        assert!(made.text("input_hash").is_some_and(|hash| hash.len() == 64));
        assert_eq!(job(&staff, id, version).await.unwrap_err().code.code, "conflict.duplicate", "the same images again");
        let truth = world.truth().await;
        truth.execute("update enamel.imaging_studies set status = 'CANCELLED' where id = $1", &[&id]).await.unwrap();
        assert_eq!(lacks(id, version).await, "input_ref_id", "a cancelled study");
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
        let all = futures_util::future::join_all(studies.iter().map(|id| job(&staff, *id, version))).await;
        let over: Vec<_> = all.iter().filter_map(|made| made.as_ref().err()).map(|refusal| refusal.code.code).collect();
        assert_eq!(over, ["quota.exceeded", "quota.exceeded"]);
        let place = all.iter().position(std::result::Result::is_err).unwrap();
        let one = all.into_iter().find_map(std::result::Result::ok).unwrap();
        let gone = record(run(&staff, "cancelAiInferenceJob", Some(one.id), json!({})).await.unwrap());
        assert_eq!(gone.text("status"), Some("CANCELLED"));
        job(&staff, studies[place], version).await.unwrap();
        assert_eq!(run(&staff, "cancelAiInferenceJob", Some(one.id), json!({})).await.err().unwrap().code.code, "state.move_refused");
    });
}
