//! SMART App Launch as the SMART team's own client (npm `fhirclient`) understands it: a whole standalone launch.

use super::clients::{REDIRECT, story};
use crate::world::people::text;
use crate::world::{self, packages};
use serde_json::json;
use uuid::Uuid;

#[test]
fn fhirclient_walks_a_standalone_launch() {
    world::with(async |world| {
        let dir = packages::npm("identity/fhirclient", &["package.json", "story.mjs"]).await;
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, provider) = (clinic.employee("CLINICIAN").await, Uuid::now_v7());
        let add = "insert into enamel.providers (tenant_id, id, user_id, full_name, specialty) values ($1, $2, $3, 'Dr Test', 'GENERAL')";
        world.truth().await.execute(add, &[&clinic.id, &provider, &person.id]).await.unwrap();
        let (patient, other) = (clinic.patient("Weber").await.unwrap().id, clinic.patient("Other").await.unwrap().id);
        for patient in [patient, other] {
            clinic.fhir().made(super::smart::condition(patient, "80967001", "problem-list-item")).await;
        }
        let scopes = ["openid", "fhirUser", "offline_access", "launch/patient", "patient/*.rs", "user/Practitioner.rs"];
        let app = json!({"name": "Chart <app>", "client_type": "PUBLIC", "scopes": scopes, "redirect_uris": [REDIRECT]});
        let (status, app) = world.post(Some(&clinic.token("TENANT_ADMIN").await), "/api-clients", app).await;
        assert_eq!(status, 201, "{app}");
        let known = [("APP", text(&app, "client_id")), ("OTHER", other.to_string())];
        let told = story(world, &dir, &["node", "story.mjs"], &known, &person, patient).await;
        assert_eq!(
            told,
            json!({"patient": patient, "banner": true, "name": "Weber", "conditions": 1, "other": 404, "write": 403,
                "user": format!("Practitioner/{provider}"), "person": "Practitioner", "renewed": true, "again": true}),
        );
    });
}
