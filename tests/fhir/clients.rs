//! FHIR clients nobody here wrote, against the running server.

use crate::sdk::{clinic, said};
use crate::world::{self, World, packages};
use serde_json::{Value as Json, json};
use std::path::Path;
use tokio::process::Command;

/// What the program tells at its end.
async fn told(world: &'static World, dir: &Path, program: &str, script: &str) -> Json {
    let (_, token) = clinic(world).await;
    let mut story = Command::new(program);
    let said = said(story.arg(script).current_dir(dir).env("ENAMEL_URL", &world.base_url).env("ENAMEL_TOKEN", token)).await;
    serde_json::from_str(said.trim()).unwrap_or_else(|_| panic!("{said}"))
}

/// Observations of the patient that are still there.
async fn left(world: &'static World, patient: &Json) -> i64 {
    let sql =
        "select count(*) from enamel.kept_resources where resource_type = 'Observation' and patient_id::text = $1 and deleted_at is null";
    world.truth().await.query_one(sql, &[&patient.as_str().unwrap()]).await.unwrap().get(0)
}

#[test]
fn fhirpy_and_the_models_of_smart_understand_every_answer() {
    world::with(async |world| {
        let dir = packages::pip("fhir/fhirpy", &["story.py"]).await;
        let told = told(world, &dir, "venv/bin/python", "story.py").await;
        assert_eq!((&told["left"], &told["versions"], left(world, &told["patient"]).await), (&json!(11), &json!(2), 11), "{told}");
        assert!(told["gone"].as_str().unwrap().contains("deleted"), "{told}");
        assert!(told["wrong"].as_str().unwrap().contains("Patient.gender"), "{told}");
    });
}

#[test]
fn fhir_kit_client_tells_a_visit() {
    world::with(async |world| {
        let dir = packages::npm("fhir/fhir-kit-client", &["package.json", "story.mjs"]).await;
        let told = told(world, &dir, "node", "story.mjs").await;
        assert_eq!(
            told,
            json!({"patient": told["patient"], "left": left(world, &told["patient"]).await,
                "stale": {"status": 412, "code": "conflict"},
                "gone": {"status": 410, "code": "deleted"},
                "unknown": {"status": 400, "code": "not-supported"}})
        );
    });
}
