//! Who signs, takes records out or opens a chart in an emergency has proved who they are a short while ago.

use crate::world;
use crate::world::operations::operation;
use enamel::identity::step_up::ASKED;
use serde_json::json;
use uuid::Uuid;

#[test]
fn what_asks_for_it_is_there() {
    assert!(ASKED.iter().all(|(id, _)| operation(id).id == *id));
}

#[test]
fn an_old_session_signs_and_takes_out_nothing_until_it_is_proven_again() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Exported").await.unwrap().id;
        let (token, other) = (clinic.token("TENANT_ADMIN").await, clinic.token("TENANT_ADMIN").await);
        let dentist = clinic.token("CLINICIAN").await;
        let truth = world.truth().await;
        let session = |token: &str| {
            let hash = enamel::identity::token::Token::parse(enamel::identity::token::Kind::Access, token).unwrap().hash();
            hash.as_bytes().to_vec()
        };
        let proved = async |age: &str| {
            let sql = "update enamel.sessions set proved_at = now() - $2::text::interval where token_hash = any ($1)";
            assert_eq!(truth.execute(sql, &[&[session(&token), session(&dentist)].as_slice(), &age]).await.unwrap(), 2);
        };
        let whole = json!({"export_type": "TENANT_FULL"});
        let record = format!("/patients/{patient}/export");
        let nothing = Uuid::now_v7();
        let sign = format!("/documents/{nothing}/sign");
        let emergency = json!({"operations": [{"method": "POST", "path": "/break-glass-grants", "body": {"patient_id": patient, "reason": "Bleeds."}}]});
        let code = |(status, body): (u16, serde_json::Value)| (status, body["code"].as_str().unwrap_or_default().to_owned());
        let refused = (403, "auth.step_up".to_owned());

        proved("11 minutes").await;
        assert_eq!(code(world.post(Some(&token), "/export-jobs", whole.clone()).await), refused);
        assert_eq!(code(world.get(Some(&token), &record).await), refused);
        assert_eq!(code(world.post(Some(&token), "/batch", emergency.clone()).await), refused);
        assert_eq!(world.post(Some(&dentist), &sign, json!({})).await.0, 404, "who signs all day is asked less often");
        assert_eq!(world.post(Some(&other), "/export-jobs", whole.clone()).await.0, 201, "somebody else's session");
        proved("61 minutes").await;
        assert_eq!(code(world.post(Some(&dentist), &sign, json!({})).await), refused);
        assert_eq!(world.get(Some(&token), &format!("/patients/{patient}")).await.0, 200);
        proved("1 minute").await;
        assert_eq!(world.post(Some(&token), "/export-jobs", whole).await.0, 201);
        assert_ne!(code(world.post(Some(&token), "/batch", emergency).await), refused);
    });
}
