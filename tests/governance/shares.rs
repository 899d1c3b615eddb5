//! Shares of a record by link: made, opened, used, ended.

use crate::world::{self, World};
use serde_json::{Value as Json, json};
use uuid::Uuid;

struct Stage {
    world: &'static World,
    admin: String,
    tenant: Uuid,
    patient: Uuid,
    share: String,
}

impl Stage {
    async fn build(world: &'static World) -> Stage {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let body = json!({"first_name": "Test", "last_name": "Shared", "dob": "1990-02-03"});
        let patient = world.post(Some(&admin), "/patients", body).await.1["id"].as_str().unwrap().parse().unwrap();
        let mut stage = Stage { world, admin, tenant: clinic.id, patient, share: String::new() };
        stage.share = stage.share(patient, json!(["view_patient", "view_clinical"])).await;
        let allergy = json!({"patient_id": patient, "category": "MATERIAL", "substance": "Latex"});
        assert_eq!(world.post(Some(&stage.admin), "/patient-allergies", allergy).await.0, 201);
        stage
    }
    async fn share(&self, patient: Uuid, permissions: Json) -> String {
        let body = json!({"patient_id": patient, "grantee_tenant_id": self.tenant, "permissions": permissions,
                          "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z"});
        let (status, made) = self.world.post(Some(&self.admin), "/record-shares", body).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }
    async fn link(&self, body: Json) -> String {
        let (status, made) = self.world.post(Some(&self.admin), &format!("/record-shares/{}/make-link", self.share), body).await;
        assert_eq!(status, 200, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }
    async fn open(&self, link: &str, birth_date: Option<&str>) -> (u16, Json) {
        self.world.post(None, "/shared/open", json!({"token": link, "birth_date": birth_date})).await
    }
    async fn ids(&self, token: &str, path: &str) -> Vec<String> {
        let (status, page) = self.world.get(Some(token), path).await;
        assert_eq!(status, 200, "{path}: {page}");
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_link_opens_one_chart_as_far_as_the_share_says() {
    world::with(async |world| {
        let stage = Stage::build(world).await;
        let other = json!({"first_name": "Another", "last_name": "Person"});
        let other: Uuid = world.post(Some(&stage.admin), "/patients", other).await.1["id"].as_str().unwrap().parse().unwrap();
        let link = stage.link(json!({})).await;
        assert_eq!(stage.open(&link, None).await.0, 404, "the birth date is asked for");
        assert_eq!(stage.open(&link, Some("1990-02-04")).await.0, 404);
        let (status, opened) = stage.open(&link, Some("1990-02-03")).await;
        assert_eq!((status, &opened["patient_id"]), (200, &json!(stage.patient)), "{opened}");
        assert_eq!(stage.open(&link, Some("1990-02-03")).await.0, 404, "it opens once");
        let token = opened["access_token"].as_str().unwrap();
        assert_eq!(stage.ids(token, "/patients").await, [stage.patient.to_string()]);
        assert_eq!(stage.ids(token, "/patient-allergies").await.len(), 1);
        assert_eq!(stage.ids(token, "/imaging-studies").await, Vec::<String>::new(), "the share does not name images");
        assert_eq!(world.get(Some(token), &format!("/patients/{other}")).await.0, 404);
        assert!(world.patch(token, &format!("/patients/{}", stage.patient), 1, json!({"first_name": "X"})).await.0 >= 400);
        assert_eq!(world.get(Some(&link), "/patients").await.0, 401, "the key itself opens no door");
        let seen: i64 = world
            .truth()
            .await
            .query_one(
                "select count(*) from enamel.audit_events where tenant_id = $1 and patient_id = $2
                    and (plane = 'SHARE' or event_type = 'SHARE_OPENED')",
                &[&stage.tenant, &stage.patient],
            )
            .await
            .unwrap()
            .get(0);
        assert!(seen >= 5, "each opening, each refusal and each look is on record: {seen}");
    });
}

#[test]
fn what_is_ended_opens_nothing_and_shows_nothing() {
    world::with(async |world| {
        let stage = Stage::build(world).await;
        let plain = json!({"asks_birth_date": false, "uses_max": 3});
        let (first, second) = (stage.link(plain.clone()).await, stage.link(plain.clone()).await);
        let opened = async |link: &str| stage.open(link, None).await.1["access_token"].as_str().unwrap().to_owned();
        let token = opened(&first).await;
        assert_eq!(stage.ids(&token, "/patients").await.len(), 1);
        let (status, ended) = world.post(Some(&stage.admin), &format!("/record-shares/{}/end-links", stage.share), json!({})).await;
        assert_eq!((status, &ended["ended"]), (200, &json!(2)));
        assert_eq!(world.get(Some(&token), "/patients").await.0, 401, "at once");
        assert_eq!(stage.open(&second, None).await.0, 404);
        let third = stage.link(plain.clone()).await;
        let token = opened(&third).await;
        let (status, _) = world.post(Some(&stage.admin), &format!("/record-shares/{}/revoke", stage.share), json!({})).await;
        assert_eq!(status, 200);
        assert_eq!(world.get(Some(&token), "/patients").await.0, 401);
        assert_eq!(stage.open(&third, None).await.0, 404);
        let (status, _) = world.post(Some(&stage.admin), &format!("/record-shares/{}/make-link", stage.share), plain).await;
        assert_eq!(status, 409, "a share that has ended has no keys");
    });
}

#[test]
fn wrong_birth_dates_close_a_link_and_strangers_make_none() {
    world::with(async |world| {
        let stage = Stage::build(world).await;
        let link = stage.link(json!({"uses_max": 9})).await;
        for day in 4..9 {
            assert_eq!(stage.open(&link, Some(&format!("1990-02-0{day}"))).await.0, 404);
        }
        assert_eq!(stage.open(&link, Some("1990-02-03")).await.0, 404, "five wrong ones, and the right one comes too late");
        let make = format!("/record-shares/{}/make-link", stage.share);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&stranger), &make, json!({})).await.0, 404);
        let (_, me) = world.patient_token(&[(stage.tenant, stage.patient)]).await;
        assert_eq!(world.post(Some(&me), &make, json!({})).await.0, 200, "the patient whose chart it is");
        let other = stage.world.tenant("SOLO_PRACTICE", None).await;
        let elsewhere = other.patient("Elsewhere").await.unwrap().id;
        let (_, somebody) = world.patient_token(&[(other.id, elsewhere)]).await;
        assert_eq!(world.post(Some(&somebody), &make, json!({})).await.0, 404);
    });
}
