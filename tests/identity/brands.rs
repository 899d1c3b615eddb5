//! The list of clinics that applications read: those that wish to be in it, and of nobody else a word.

use crate::world::tenants::Clinic;
use crate::world::{self, World};
use poem::http::Method;
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

async fn fetch(world: &World, url: &str, known: Option<&str>) -> (u16, String, Json) {
    let mut request = world.http.get(url);
    if let Some(tag) = known {
        request = request.header("if-none-match", tag);
    }
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((header("access-control-allow-origin"), header("cache-control")), (Some("*".into()), Some("public, max-age=3600".into())));
    let (status, tag) = (answer.status().as_u16(), header("etag").unwrap());
    if status == 200 {
        assert_eq!(header("content-type").as_deref(), Some("application/fhir+json"));
    }
    (status, tag, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

/// The list once it says so, within five seconds.
async fn until(world: &World, url: &str, says: impl Fn(&Json) -> bool) -> (String, Json) {
    let begun = Instant::now();
    loop {
        let (_, tag, list) = fetch(world, url, None).await;
        if says(&list) {
            return (tag, list);
        }
        assert!(begun.elapsed() < Duration::from_secs(6), "{list}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn of<'l>(list: &'l Json, kind: &str, clinic: &Clinic) -> Option<&'l Json> {
    let resources = list["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]);
    let mut found = resources.filter(|resource| resource["resourceType"] == kind && resource["id"] == json!(clinic.id));
    found.next()
}

#[test]
fn a_clinic_is_in_the_list_by_its_own_wish_only() {
    world::with(async |world| {
        let (clinic, silent) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let truth = world.truth().await;
        for clinic in [&clinic, &silent] {
            let id = Uuid::now_v7();
            let add = "insert into enamel.tenant_branding (tenant_id, id, display_name) values ($1, $2, 'Oak Street <Dental>')";
            truth.execute(add, &[&clinic.id, &id]).await.unwrap();
            let add = "insert into enamel.locations (tenant_id, id, name, address_line1, city, postal_code, country, time_zone)
                       values ($1, $2, 'Main', 'Oak Street 1', 'Springfield', '12345', 'US', 'America/Chicago')";
            truth.execute(add, &[&clinic.id, &Uuid::now_v7()]).await.unwrap();
            let add = "insert into enamel.clinic_profiles (tenant_id, id, website, status) values ($1, $2, 'https://www.oak.example/us', 'PUBLISHED')";
            truth.execute(add, &[&clinic.id, &Uuid::now_v7()]).await.unwrap();
        }
        let smart = format!("{}/fhir/r4/.well-known/smart-configuration", world.base_url);
        let smart: Json = world.http.get(smart).send().await.unwrap().json().await.unwrap();
        let url = smart["user_access_brand_bundle"].as_str().unwrap();
        let (_, before, list) = fetch(world, url, None).await;
        assert!(of(&list, "Organization", &clinic).is_none(), "nobody is in it who has not said so");
        let own = list["entry"].as_array().unwrap().iter().filter(|entry| {
            let known = entry["resource"]["identifier"].as_array().into_iter().flatten();
            known.into_iter().any(|identifier| *identifier == smart["user_access_brand_identifier"])
        });
        assert_eq!(own.count(), 1, "the server's own brand is told by its name: {list}");

        let row = async |token: &str| {
            let (_, listed) = world.get(Some(token), "/tenant-branding").await;
            (listed["items"][0]["id"].as_str().unwrap().to_owned(), listed["items"][0]["version"].as_i64().unwrap())
        };
        let changes = async |body: Json| {
            let admin = clinic.token("TENANT_ADMIN").await;
            let (id, version) = row(&admin).await;
            world.patch(&admin, &format!("/tenant-branding/{id}"), version, body).await
        };
        let wrong = changes(json!({"logo_url": "http://oak.example/logo.png"})).await;
        assert_eq!((wrong.0, &wrong.1["errors"][0]["field"]), (422, &json!("logo_url")), "{}", wrong.1);
        let staff = clinic.token("CLINICIAN").await;
        let (id, version) = row(&staff).await;
        assert_eq!(world.patch(&staff, &format!("/tenant-branding/{id}"), version, json!({"is_listed": true})).await.0, 403);
        let listed = json!({"is_listed": true, "aliases": ["Oak Dental"], "logo_url": "https://oak.example/logo.png"});
        assert_eq!(changes(listed).await.0, 200);
        let (tag, list) = until(world, url, |list| of(list, "Organization", &clinic).is_some()).await;
        assert_ne!(tag, before);
        let brand = of(&list, "Organization", &clinic).unwrap();
        assert_eq!((&brand["name"], &brand["alias"]), (&json!("Oak Street <Dental>"), &json!(["Oak Dental"])));
        assert_eq!(brand["identifier"], json!([{"system": "urn:ietf:rfc:3986", "value": "https://oak.example"}]));
        let address =
            json!([{"type": "physical", "line": ["Oak Street 1"], "city": "Springfield", "postalCode": "12345", "country": "US"}]);
        assert_eq!(brand["address"], address);
        let text = brand.to_string();
        assert!(
            text.contains("https://oak.example/logo.png") && text.contains(&format!("/signin?tenant=t-{}", clinic.id.simple())),
            "{text}"
        );
        let endpoint = of(&list, "Endpoint", &clinic).unwrap();
        assert_eq!(endpoint["address"], json!(format!("{}/fhir/r4", world.base_url)));
        assert_eq!(brand["endpoint"][0]["reference"], json!(format!("Endpoint/{}", clinic.id)));
        assert!(!list.to_string().contains(&silent.id.to_string()), "{list}");
        // It is FHIR as this server itself knows it.
        let fhir = world.fhir(clinic.staff());
        let body = list.to_string().into_bytes();
        let checked = fhir.send(Method::POST, "/Bundle/$validate", &[("content-type", "application/fhir+json")], body).await;
        let errors = |body: &Json| body["issue"].as_array().unwrap().iter().filter(|issue| issue["severity"] == "error").count();
        assert_eq!(errors(&checked.body), 0, "{}", checked.body);

        let (status, same, nothing) = fetch(world, url, Some(&tag)).await;
        assert_eq!((status, same, nothing), (304, tag, Json::Null));
        assert_eq!(fetch(world, url, Some("\"another\"")).await.0, 200);

        // Where a clinic is, is told after booking only, when it says so; and its wish ends.
        let hides = "insert into enamel.tenant_settings (tenant_id, id, contact_visibility) values ($1, $2, 'AFTER_BOOKING')";
        truth.execute(hides, &[&clinic.id, &Uuid::now_v7()]).await.unwrap();
        until(world, url, |list| of(list, "Organization", &clinic).is_some_and(|brand| brand["address"].is_null())).await;
        assert_eq!(changes(json!({"is_listed": false})).await.0, 200);
        let (_, list) = until(world, url, |list| of(list, "Organization", &clinic).is_none()).await;
        assert!(!list.to_string().contains(&clinic.id.to_string()));
    });
}
