//! Clients made from the OpenAPI document by the generators that integrators use. Each tells one patient's whole story
//! against the running server: patient, appointment, visit, chart, plan, procedure, claim.

use crate::scheduling::noon_zone;
use crate::world::{self, World, packages, tenants::Clinic};
use enamel::kernel::context::PLATFORM_TENANT;
use serde_json::Value as Json;
use std::path::Path;
use tokio::process::Command;
use uuid::Uuid;

const DOCUMENT: &str = "enamel-v1.json";

/// Runs to its good end; what it said.
pub async fn said(command: &mut Command) -> String {
    let done = command.output().await.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{command:?}: {said}");
    said
}

/// A generator, from the document as the server has it: without a warning.
async fn generate(dir: &Path, program: &str, arguments: &[&str]) {
    std::fs::write(dir.join(DOCUMENT), enamel::server::rest::document().to_string()).unwrap();
    let said = said(Command::new(dir.join(program)).args(arguments).current_dir(dir)).await.to_lowercase();
    assert!(!said.contains("warn") && !said.contains("error"), "{said}");
}

/// A clinic and a dentist who also runs it.
pub async fn clinic(world: &'static World) -> (Clinic, String) {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let user = clinic.member("TENANT_ADMIN").await;
    let clinician = "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id)
                     select $1, $2, $3, tenant_id, id from enamel.roles where code = 'CLINICIAN' and tenant_id = $4";
    world.truth().await.execute(clinician, &[&clinic.id, &Uuid::now_v7(), &user, &PLATFORM_TENANT]).await.unwrap();
    let token = world.session(user, Some(clinic.id)).await;
    (clinic, token)
}

/// Lets the program tell its story, and looks at what came of it.
async fn tells(world: &'static World, dir: &Path, program: &str, script: &str) {
    let (clinic, token) = clinic(world).await;
    let mut story = Command::new(program);
    story.arg(script).current_dir(dir).env("ENAMEL_URL", &world.base_url).env("ENAMEL_TOKEN", token).env("ENAMEL_ZONE", noon_zone());
    let said = said(&mut story).await;
    let told: Json = serde_json::from_str(said.trim()).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(
        (told["status"].as_str(), told["billed"].as_i64(), &told["listed"]),
        (Some("SUBMITTED"), Some(9_000), &told["claim"]),
        "{said}"
    );
    let sql = "select concat_ws(' ', c.status, p.status, a.status, e.status, t.status, i.status, f.fdi_tooth)
                 from enamel.claims c join enamel.claim_lines l on (l.tenant_id, l.claim_id) = (c.tenant_id, c.id)
                 join enamel.procedures p on (p.tenant_id, p.id) = (c.tenant_id, l.procedure_id)
                 join enamel.encounters e on (e.tenant_id, e.id) = (c.tenant_id, p.encounter_id)
                 join enamel.appointments a on (a.tenant_id, a.id) = (c.tenant_id, e.appointment_id)
                 join enamel.chart_entries f on (f.tenant_id, f.encounter_id) = (c.tenant_id, e.id) and f.axis = 'FINDING'
                 join enamel.treatment_plans t on (t.tenant_id, t.patient_id) = (c.tenant_id, c.patient_id)
                 join enamel.treatment_plan_items i on (i.tenant_id, i.plan_id) = (c.tenant_id, t.id)
                where c.tenant_id = $1";
    let rows = world.truth().await.query(sql, &[&clinic.id]).await.unwrap();
    let stored: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored, ["SUBMITTED COMPLETED IN_PROGRESS IN_PROGRESS COMPLETED COMPLETED 16"]);
}

#[test]
fn a_typescript_client_tells_the_whole_story() {
    world::with(async |world| {
        let dir = packages::npm("sdk/typescript", &["package.json", "tsconfig.json", "story.ts"]).await;
        generate(&dir, "node_modules/.bin/openapi-typescript", &[DOCUMENT, "--output", "api.d.ts"]).await;
        said(Command::new("node_modules/.bin/tsc").current_dir(&dir)).await;
        tells(world, &dir, "node", "built/story.js").await;
    });
}

#[test]
fn a_python_client_tells_the_whole_story() {
    world::with(async |world| {
        let dir = packages::pip("sdk/python", &["generator.yaml", "story.py"]).await;
        let how = ["generate", "--path", DOCUMENT, "--output-path", "enamel_api", "--overwrite", "--meta", "none", "--config"];
        generate(&dir, "venv/bin/openapi-python-client", &[&how[..], &["generator.yaml", "--fail-on-warning"]].concat()).await;
        tells(world, &dir, "venv/bin/python", "story.py").await;
    });
}
