//! Models released and rolled out, studies analysed, predictions reviewed, data sets withdrawn.
mod analyses;
mod releases;
mod research;
mod reviews;

use crate::imaging::documents::file;
use crate::world::World;
use crate::world::operations::create;
use crate::world::tenants::Clinic;
use enamel::ai::ai_model::AI_MODEL;
use enamel::ai::ai_model_version::AI_MODEL_VERSION;
use enamel::kernel::Caller;
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub fn platform(world: &World) -> Caller {
    world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL)
}

pub async fn model(world: &World) -> Uuid {
    let body = json!({"name": Uuid::now_v7(), "domain": "CARIES", "vendor": "INTERNAL", "regulatory_class": "EXPERIMENTAL"});
    create(&platform(world), &AI_MODEL, body).await.unwrap().id
}

/// A draft with all that its release needs, changed by `with`.
pub async fn version(world: &World, model: Uuid, tag: &str, with: Json) -> Uuid {
    let mut body = json!({"model_id": model, "version_tag": tag, "artifact_uri": "s3://models/x", "artifact_hash": "ab".repeat(32),
        "artifact_signature": "c2lnbmVk", "input_types": ["INTRAORAL"], "output_types": ["CARIES"],
        "performance_metrics": {"sensitivity": 0.9}, "validation_summary_uri": "https://models.example/summary",
        "sbom_uri": "https://models.example/sbom"});
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    create(&platform(world), &AI_MODEL_VERSION, body).await.unwrap().id
}

/// An AVAILABLE study with one image: study, object, patient.
pub async fn study(clinic: &Clinic, modality: &str, code: &str) -> (Uuid, Uuid, Uuid) {
    let patient = clinic.patient("Imaged").await.unwrap().id;
    let (study, object) = (Uuid::now_v7(), Uuid::now_v7());
    let picture = file(clinic, patient, "READY", &study.simple().to_string()).await;
    let truth = clinic.world.truth().await;
    truth
        .execute(
            "insert into enamel.imaging_studies (tenant_id, id, patient_id, study_uid, modality, modality_code, status, object_count)
             values ($1, $2, $3, $4, $5, $6, 'AVAILABLE', 1)",
            &[&clinic.id, &study, &patient, &format!("1.2.{}", study.as_u128()), &modality, &code],
        )
        .await
        .unwrap();
    truth
        .execute(
            "insert into enamel.imaging_objects (tenant_id, id, study_id, patient_id, file_id, object_type, hash, byte_size)
             values ($1, $2, $3, $4, $5, 'PNG', '', 3)",
            &[&clinic.id, &object, &study, &patient, &picture],
        )
        .await
        .unwrap();
    (study, object, patient)
}
