//! What has befallen other servers, tried over both contracts: a page of one tenant turned by another, a search by id that crosses,
//! ids that tell of rows elsewhere, a tenant named in a header, an include that leaves the patient's own chart.

use crate::world::people::text;
use crate::world::{self, World};
use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Two clinics that know nothing of each other.
struct Two {
    world: &'static World,
    north: String,
    south: String,
    /// North's patients, and their dentist.
    ada: String,
    bob: String,
    dentist: String,
    north_id: Uuid,
}

impl Two {
    async fn build(world: &'static World) -> Two {
        let (here, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (north, south) = (here.token("TENANT_ADMIN").await, there.token("TENANT_ADMIN").await);
        let made = async |token: &str, path: &str, body: Json| {
            let (status, made) = world.post(Some(token), path, body).await;
            assert_eq!(status, 201, "{path}: {made}");
            text(&made, "id")
        };
        let dentist = made(&north, "/providers", json!({"full_name": "Dr. Test", "specialty": "General"})).await;
        let person = |name: &str| json!({"first_name": name, "last_name": "Northerner", "primary_provider_id": dentist});
        let (ada, bob) = (made(&north, "/patients", person("Ada")).await, made(&north, "/patients", person("Bob")).await);
        for name in ["Cid", "Dan"] {
            made(&south, "/patients", json!({"first_name": name, "last_name": "Southerner"})).await;
        }
        Two { world, north, south, ada, bob, dentist, north_id: here.id }
    }
    /// What anybody learns of it: status and text.
    async fn get(&self, token: &str, path: &str) -> (u16, String) {
        let (status, body) = self.world.ask(token, Method::GET, path, None).await;
        (status, body.to_string())
    }
    fn names_north(&self, said: &str) -> bool {
        [&self.ada, &self.bob, &self.dentist, &self.north_id.to_string()].iter().any(|id| said.contains(*id)) || said.contains("Northerner")
    }
}

#[test]
fn a_page_is_turned_by_its_own_tenant_only() {
    world::with(async |world| {
        let two = Two::build(world).await;
        let (_, page) = world.ask(&two.north, Method::GET, "/api/v1/patients?limit=1", None).await;
        let next = format!("/api/v1/patients?limit=1&cursor={}", text(&page, "next"));
        let (_, bundle) = world.ask(&two.north, Method::GET, "/fhir/r4/Patient?_count=1", None).await;
        let link = bundle["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next").unwrap();
        let turned = format!("/fhir/r4{}", link["url"].as_str().unwrap().split_once("/fhir/r4").unwrap().1);
        for path in [next, turned] {
            let (status, own) = two.get(&two.north, &path).await;
            assert!(status == 200 && two.names_north(&own), "{path}: {status} {own}");
            let (status, foreign) = two.get(&two.south, &path).await;
            assert!(!two.names_north(&foreign), "{path}: {status} {foreign}");
        }
    });
}

#[test]
fn a_search_that_names_a_foreign_row_finds_what_one_for_nothing_finds() {
    world::with(async |world| {
        let two = Two::build(world).await;
        let random = Uuid::now_v7().to_string();
        for path in [
            "/fhir/r4/Patient?_id={}",
            "/fhir/r4/Patient?general-practitioner=Practitioner/{}",
            "/fhir/r4/Appointment?patient={}",
            "/fhir/r4/Appointment?patient=Patient/{}&_include=Appointment:patient",
            "/fhir/r4/Patient/{}/_history",
            "/fhir/r4/Patient/{}/$everything",
            "/api/v1/appointments?patient_id={}",
            "/api/v1/patients?primary_provider_id={}",
            "/api/v1/patients/{}/history",
        ] {
            for id in [&two.ada, &two.dentist] {
                let (foreign, nothing) =
                    (two.get(&two.south, &path.replace("{}", id)).await, two.get(&two.south, &path.replace("{}", &random)).await);
                assert_eq!(foreign.0, nothing.0, "{path}");
                assert!(!two.names_north(&foreign.1.replace(id.as_str(), "")), "{path}: {}", foreign.1);
            }
        }
    });
}

#[test]
fn an_id_taken_elsewhere_is_free_here() {
    world::with(async |world| {
        let two = Two::build(world).await;
        let body = json!({"id": two.ada, "first_name": "Eve", "last_name": "Southerner"});
        let (status, made) = world.post(Some(&two.south), "/patients", body.clone()).await;
        assert_eq!((status, &made["id"]), (201, &json!(two.ada)), "{made}");
        assert_eq!(world.post(Some(&two.south), "/patients", body).await.0, 409, "and taken is what is taken here");
        for (token, name) in [(&two.north, "Ada"), (&two.south, "Eve")] {
            let (_, seen) = world.get(Some(token), &format!("/patients/{}", two.ada)).await;
            assert_eq!(seen["first_name"], name);
        }
    });
}

#[test]
fn nobody_chooses_a_tenant_by_a_header_or_a_parameter() {
    world::with(async |world| {
        let two = Two::build(world).await;
        let platform = enamel::kernel::context::PLATFORM_TENANT;
        for tenant in [two.north_id, platform] {
            for name in ["x-tenant-id", "x-tenant", "tenant", "x-partition", "x-organization", "x-forwarded-tenant", "app.ctx"] {
                for path in [
                    "/api/v1/patients".to_owned(),
                    format!("/api/v1/patients/{}", two.ada),
                    "/fhir/r4/Patient".into(),
                    "/api/v1/audit-events".into(),
                ] {
                    let request =
                        world.http.get(format!("{}{path}", world.base_url)).bearer_auth(&two.south).header(name, tenant.to_string());
                    let said = request.send().await.unwrap().text().await.unwrap();
                    assert!(!said.contains("Northerner") && !said.contains(&two.north_id.to_string()), "{name} on {path}: {said}");
                    let nobody = world.http.get(format!("{}{path}", world.base_url)).header(name, tenant.to_string());
                    assert_eq!(nobody.send().await.unwrap().status(), 401, "{name} on {path} without a token");
                }
            }
            for path in
                ["/api/v1/patients?tenant_id={}", "/api/v1/audit-events?tenant_id={}", "/fhir/r4/{}/Patient", "/fhir/r4/Patient?_tenant={}"]
            {
                let (status, said) = two.get(&two.south, &path.replace("{}", &tenant.to_string())).await;
                assert!(!two.names_north(&said.replace(&tenant.to_string(), "")), "{path}: {status} {said}");
            }
        }
    });
}

#[test]
fn what_is_included_stays_in_the_patients_chart() {
    world::with(async |world| {
        let two = Two::build(world).await;
        let (_, ada) = world.patient_token(&[(two.north_id, two.ada.parse().unwrap())]).await;
        for path in [
            format!("/fhir/r4/Practitioner?_id={}&_revinclude=Patient:general-practitioner", two.dentist),
            format!(
                "/fhir/r4/Patient?_id={}&_include=Patient:general-practitioner&_revinclude:iterate=Patient:general-practitioner",
                two.ada
            ),
            format!("/fhir/r4/Patient?general-practitioner={}", two.dentist),
            format!("/fhir/r4/Patient/{}", two.bob),
            format!("/fhir/r4/Patient/{}/$everything", two.bob),
            format!("/fhir/r4/Practitioner/{}/$everything", two.dentist),
            format!("/api/v1/patients?primary_provider_id={}", two.dentist),
        ] {
            let (status, said) = two.get(&ada, &path).await;
            assert!(
                !said.replace(&format!("Patient/{}", two.bob), "").contains(&two.bob) && !said.contains("Bob"),
                "{path}: {status} {said}"
            );
        }
    });
}
