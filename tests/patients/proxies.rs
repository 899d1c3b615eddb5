//! What somebody may do who acts for a patient: what the scopes of the grant name, and nothing else of the chart.

use crate::world::tenants::Clinic;
use crate::world::{self, people::text};
use enamel::kernel::context::{Permission, Plane};
use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

const SCOPES: [&str; 8] = ["appointments", "messages", "billing", "plans", "clinical", "documents", "imaging", "manage_consents"];

impl Clinic {
    /// A login that acts for the patient with these scopes, and its token.
    pub async fn proxy(&self, patient: Uuid, scopes: &[&str]) -> (Uuid, String) {
        let login = self.world.user().await;
        self.world
            .truth()
            .await
            .execute(
                "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
                 values ($1, $2, $3, $4, 'PARENT', $5, 'ACTIVE', 'CLINIC', now())",
                &[&self.id, &Uuid::now_v7(), &patient, &login, &scopes],
            )
            .await
            .unwrap();
        (login, self.world.session(login, Some(self.id)).await)
    }
}

fn upload(patient: Uuid) -> Json {
    json!({"patient_id": patient, "kind": "PHOTO", "file_name": "a.png", "file_type": "image/png", "file_size": 10,
        "sha256": "0".repeat(64), "source": "PORTAL"})
}

/// The scope each change of a chart needs, and how it is asked for over HTTP.
fn changes(clinic: Uuid, patient: Uuid) -> Vec<(&'static str, Method, String, Json)> {
    let cover = json!({"patient_id": patient, "policy_number": Uuid::now_v7().to_string(), "currency": "EUR"});
    let request = json!({"patient_id": patient, "requester_name": "Jane Roe", "request_type": "ACCESS", "received_at": "2026-11-01T00:00:00Z", "due_on": "2026-12-01"});
    vec![
        ("messages", Method::PATCH, format!("/patients/{patient}"), json!({"phone_home": "+4930123456"})),
        ("messages", Method::POST, "/patient-addresses".into(), json!({"patient_id": patient, "line1": "1 Dorset Street"})),
        ("manage_consents", Method::POST, "/external-contacts".into(), json!({"patient_id": patient, "full_name": "Jane Roe"})),
        ("billing", Method::POST, "/patient-insurance-policies".into(), cover),
        ("documents", Method::POST, "/files".into(), upload(patient)),
        ("messages", Method::POST, "/conversations".into(), json!({"patient_id": patient, "kind": "PATIENT_MESSAGING"})),
        ("appointments", Method::POST, "/waitlist-entries".into(), json!({"patient_id": patient})),
        ("plans", Method::POST, "/quotes".into(), json!({"patient_id": patient, "clinic_tenant_id": clinic, "currency": "EUR"})),
        ("billing", Method::POST, "/payment-methods".into(), json!({"patient_id": patient, "gateway": "x", "gateway_method_token": "t"})),
        ("manage_consents", Method::POST, "/dsar-requests".into(), request),
    ]
}

#[test]
fn a_proxy_changes_what_its_scopes_name_and_the_patient_everything_theirs() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        for scope in SCOPES {
            let patient = clinic.patient("Chart").await.unwrap().id;
            let (_, proxy) = clinic.proxy(patient, &[scope]).await;
            assert_eq!(world.get(Some(&proxy), &format!("/patients/{patient}")).await.0, 200, "demographics come with {scope}");
            for (needed, method, path, body) in changes(clinic.id, patient) {
                let (status, told) = world.ask(&proxy, method.clone(), &format!("/api/v1{path}"), Some(&body)).await;
                assert_eq!(status < 300, needed == scope, "{method} {path} with {scope}: {status} {told}");
                assert!(status < 300 || [403, 404, 422].contains(&status), "{method} {path} with {scope}: {status} {told}");
            }
        }
        let patient = clinic.patient("Chart").await.unwrap().id;
        let own = world.session(world.patient_login(&[(clinic.id, patient)]).await, Some(clinic.id)).await;
        for (_, method, path, body) in changes(clinic.id, patient) {
            let (status, told) = world.ask(&own, method.clone(), &format!("/api/v1{path}"), Some(&body)).await;
            assert!(status < 300, "{method} {path}: {status} {told}");
        }
        // An upload that was begun is ended only by somebody who may still add to the chart.
        let (login, proxy) = clinic.proxy(patient, &["documents"]).await;
        let (_, begun) = world.ask(&proxy, Method::POST, "/api/v1/files", Some(&upload(patient))).await;
        let again = format!("/files/{}/upload-link", text(&begun["file"], "id"));
        assert_eq!(world.post(Some(&proxy), &again, json!({})).await.0, 200);
        world.truth().await.execute("update enamel.patient_proxies set scopes = '{imaging}' where user_id = $1", &[&login]).await.unwrap();
        assert_eq!(world.post(Some(&proxy), &again, json!({})).await.0, 404);
    });
}

#[test]
fn a_proxy_sees_insurance_with_billing_and_who_looked_with_consents() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Chart").await.unwrap().id;
        let own = world.session(world.patient_login(&[(clinic.id, patient)]).await, Some(clinic.id)).await;
        let cover = json!({"patient_id": patient, "policy_number": "X-1", "currency": "EUR"});
        assert_eq!(world.post(Some(&own), "/patient-insurance-policies", cover).await.0, 201);
        let seen = async |token: &str, path: &str| {
            let (status, page) = world.get(Some(token), path).await;
            assert_eq!(status, 200, "{path}: {page}");
            page["items"].as_array().unwrap().len()
        };
        let report = format!("/patients/{patient}/access-report");
        assert_eq!(seen(&own, "/patient-insurance-policies").await, 1);
        assert!(seen(&own, &report).await > 0);
        for scope in SCOPES {
            let (_, proxy) = clinic.proxy(patient, &[scope]).await;
            assert_eq!(seen(&proxy, "/patient-insurance-policies").await, usize::from(scope == "billing"), "{scope}");
            assert_eq!(seen(&proxy, &report).await > 0, scope == "manage_consents", "{scope}");
            let coverage = world.ask(&proxy, Method::GET, "/fhir/r4/Coverage?_summary=count", None).await.1;
            assert_eq!(coverage["total"], i32::from(scope == "billing"), "{scope}");
        }
    });
}

/// Below the contracts, on the patient's own database role: the policies alone.
#[test]
fn the_policies_ask_for_scope_and_permission() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Chart").await.unwrap().id;
        let own = world.patient_login(&[(clinic.id, patient)]).await;
        let see_and_edit = &[Permission::ViewPatient, Permission::EditPatient][..];
        let writes = [
            ("messages", "update patients set phone_home = '+4930123456' where id = $1"),
            (
                "messages",
                "insert into patient_addresses (tenant_id, id, patient_id, line1) select tenant_id, gen_random_uuid(), id, 'x' from patients where id = $1",
            ),
            (
                "manage_consents",
                "insert into external_contacts (tenant_id, id, patient_id, full_name) select tenant_id, gen_random_uuid(), id, 'x' from patients where id = $1",
            ),
            (
                "billing",
                "insert into patient_insurance_policies (tenant_id, id, patient_id, policy_number_enc, policy_number_bidx, currency) select tenant_id, gen_random_uuid(), id, 'x', 'x', 'EUR' from patients where id = $1",
            ),
        ];
        let attempt = async |login: Uuid, permissions: &[Permission], sql: &str| {
            let caller = world.caller(Plane::Patient, clinic.id, Some(login), permissions);
            let mut scope = world.kernel.door.open(&caller.context).await.unwrap();
            let done = scope.rows_once(&format!("{sql} returning id"), &[(&patient, tokio_postgres::types::Type::UUID)]).await;
            // Dropped: nothing of it is kept.
            done.map_or(0, |rows| rows.len())
        };
        for scope in SCOPES {
            let (login, _) = clinic.proxy(patient, &[scope]).await;
            for (needed, sql) in writes {
                assert_eq!(attempt(login, see_and_edit, sql).await, usize::from(needed == scope), "{scope}: {sql}");
            }
        }
        let (everything, _) = clinic.proxy(patient, &SCOPES).await;
        for (_, sql) in writes {
            assert_eq!(attempt(own, see_and_edit, sql).await, 1, "{sql}");
            for login in [own, everything] {
                assert_eq!(attempt(login, &[Permission::ViewPatient], sql).await, 0, "an application that may only read: {sql}");
            }
        }
        // A second chart of the same proxy, with other scopes, lends nothing.
        let other = clinic.patient("Other").await.unwrap().id;
        let (login, _) = clinic.proxy(patient, &["billing"]).await;
        world.truth().await.execute(
            "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
             values ($1, gen_random_uuid(), $2, $3, 'PARENT', '{messages}', 'ACTIVE', 'CLINIC', now())",
            &[&clinic.id, &other, &login],
        ).await.unwrap();
        for (needed, sql) in writes {
            assert_eq!(attempt(login, see_and_edit, sql).await, usize::from(needed == "billing"), "{sql}");
        }
    });
}
