//! `GET …/{id}/history`: every version with who, when and what, in pages; nobody else's.

use crate::world::people::text;
use crate::world::{self};
use serde_json::json;
use uuid::Uuid;

#[test]
fn every_version_says_who_when_and_what() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let (_, made) = world.post(Some(&token), "/patients", json!({"last_name": "Quill", "dob": "1990-02-03"})).await;
        let path = format!("/patients/{}", text(&made, "id"));
        let (code, _) = world.patch(&token, &path, 1, json!({"last_name": "Quillon"})).await;
        assert_eq!(code, 200);
        assert_eq!(world.delete(&token, &format!("{path}?reason=moved%20away"), 2).await, 204);

        let (code, page) = world.get(Some(&token), &format!("{path}/history")).await;
        assert_eq!(code, 200, "{page}");
        let told: Vec<_> = page["items"].as_array().unwrap().iter().map(|entry| (&entry["version"], &entry["action"])).collect();
        assert_eq!(told, [(&json!(3), &json!("UPDATE")), (&json!(2), &json!("UPDATE")), (&json!(1), &json!("INSERT"))]);
        assert_eq!(page["items"][1]["changed_fields"], json!(["full_name", "last_name"]));
        assert_eq!(
            (&page["items"][1]["values"]["last_name"], &page["items"][2]["values"]["last_name"]),
            (&json!("Quillon"), &json!("Quill"))
        );
        assert_eq!(page["items"][0]["values"]["delete_reason"], "moved away");
        assert_eq!((&page["items"][0]["user_id"], &page["next"]), (&made["created_by"], &json!(null)));
        assert_eq!(page["items"][2]["values"]["dob"], made["dob"]);

        let (_, first) = world.get(Some(&token), &format!("{path}/history?limit=2")).await;
        let (_, rest) = world.get(Some(&token), &format!("{path}/history?limit=2&cursor={}", text(&first, "next"))).await;
        assert_eq!((first["items"].as_array().unwrap().len(), &rest["items"][0]["version"]), (2, &json!(1)));
        for wrong in ["limit=0", "limit=x", "cursor=x", "page=2"] {
            assert_eq!(world.get(Some(&token), &format!("{path}/history?{wrong}")).await.0, 400, "{wrong}");
        }
    });
}

#[test]
fn sealed_values_are_opened_and_strangers_learn_nothing() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (token, stranger) = (clinic.token("TENANT_ADMIN").await, other.token("TENANT_ADMIN").await);
        let patient = clinic.patient("Sealed").await.unwrap().id;
        let body = json!({"patient_id": patient, "system": "NATIONAL_ID", "value": "77-1234"});
        let (code, made) = world.post(Some(&token), "/patient-identifiers", body).await;
        assert_eq!(code, 201, "{made}");
        let path = format!("/patient-identifiers/{}/history", text(&made, "id"));
        let (_, page) = world.get(Some(&token), &path).await;
        assert_eq!(page["items"][0]["values"]["value"], "77-1234");
        let kept: String = world
            .truth()
            .await
            .query_one("select new_values::text from enamel.change_log where record_id = $1::text::uuid", &[&text(&made, "id")])
            .await
            .unwrap()
            .get(0);
        assert!(!kept.contains("77-1234"), "the log keeps the sealed form");

        let random = format!("/patient-identifiers/{}/history", Uuid::now_v7());
        let (foreign, unknown) = (world.get(Some(&stranger), &path).await, world.get(Some(&stranger), &random).await);
        assert_eq!((foreign.0, &foreign.1["code"]), (404, &unknown.1["code"]));
        assert_eq!(
            world.get(Some(&clinic.token("DATA_SCIENTIST").await), &path).await.0,
            403,
            "who may not read the record reads no history"
        );
    });
}

#[test]
fn a_group_reads_one_clinics_history_to_its_end_where_another_has_the_same_id() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let clinics = [world.tenant("SOLO_PRACTICE", Some(dso.id)).await, world.tenant("SOLO_PRACTICE", Some(dso.id)).await];
        let director = dso.token("TENANT_ADMIN").await;
        // Whichever of the two is shown, once it has few versions and once it has many.
        for versions in [[3, 7], [7, 3]] {
            let path = format!("/patients/{}", Uuid::now_v7());
            for (clinic, last) in clinics.iter().zip(versions) {
                let token = clinic.token("TENANT_ADMIN").await;
                let body = json!({"id": path.trim_start_matches("/patients/"), "last_name": "Version 1"});
                assert_eq!(world.post(Some(&token), "/patients", body).await.0, 201);
                for version in 1..last {
                    let name = json!({"last_name": format!("Version {}", version + 1)});
                    assert_eq!(world.patch(&token, &path, version, name).await.0, 200);
                }
            }
            let (_, shown) = world.get(Some(&director), &path).await;
            let (mut told, mut cursor) = (Vec::new(), String::new());
            loop {
                let (code, page) = world.get(Some(&director), &format!("{path}/history?limit=2{cursor}")).await;
                assert_eq!(code, 200, "{page}");
                told.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["version"].as_i64().unwrap()));
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(told, (1..=shown["version"].as_i64().unwrap()).rev().collect::<Vec<_>>());
        }
    });
}
