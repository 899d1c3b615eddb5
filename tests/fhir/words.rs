//! Texts are searched by their words, wherever the record says them; what nobody said is missing.

use super::change::rest;
use super::{id, patient};
use crate::world;
use enamel::clinical::patient_condition::PATIENT_CONDITION;
use enamel::kernel::context::{Permission, Plane};
use poem::http::Method;
use serde_json::{Value, json};

fn narrated(patient: &str, words: &str) -> Value {
    json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{patient}")}, "code": {"text": "Caries of dentine"},
           "text": {"status": "additional", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{words}</p></div>")},
           "extension": [{"url": "urn:x", "valueString": "Étincelle"}]})
}

#[test]
fn a_narrative_is_found_by_its_words() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let made = fhir.made(narrated(&ada, "Cold <b>hurts</b> &amp; sweet")).await;
        let own = id(&made);
        let found = async |query: &str| fhir.ids(&format!("/Condition?{query}")).await.contains(&own);
        for (query, is_found) in [
            ("_text=hurts", true),
            ("_text=HURTS%20cold", true),
            ("_text=hurts%20warm", false),
            ("_text=(warm%20OR%20sweet)%20and%20cold", true),
            ("_text=warm,cold", true),
            ("_text=div", false),
            ("_text=xhtml", false),
            ("_text=dentine", false),
            ("_content=dentine", true),
            ("_content=hurts", true),
            ("_content=etincelle%20dentine%20cold", true),
            ("_content=etincelle%20enamel", false),
            ("_content=cold&code:missing=false", true),
        ] {
            assert_eq!(found(query).await, is_found, "{query}");
        }
        for wrong in ["_text=", "_text=%28", "_text=or", "_content=--", "_text:exact=cold", "_text:missing=true", "_sort=_text"] {
            let answer = fhir.send(Method::GET, &format!("/Condition?{wrong}"), &[("prefer", "handling=strict")], Vec::new()).await;
            assert_eq!((answer.status.as_u16(), &answer.body["resourceType"]), (400, &json!("OperationOutcome")), "{wrong}");
        }
        // Words are in the clear nowhere.
        let kept = "select coalesce(string_agg(tokens, ' '), '') from enamel.clinical_search_values where tenant_id = $1";
        let tokens: String = world.truth().await.query_one(kept, &[&clinic.id]).await.unwrap().get(0);
        assert!(tokens.len() > 20 && !tokens.to_lowercase().contains("hurts"), "{tokens}");
        // Who the narrative is of sees it, and nobody else.
        let me = world.portal(&[(clinic.id, ada.parse().unwrap())]).await;
        assert_eq!(me.ids("/Condition?_text=hurts").await, [own.as_str()]);
        assert!(other.fhir().ids("/Condition?_text=hurts").await.is_empty());
        let blind = world.fhir(world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewPatient]));
        assert_eq!(blind.get("/Condition?_text=hurts").await.status, 403);
        // The words of today.
        let mut next = fhir.get(&format!("/Condition/{own}")).await.body;
        next["text"]["div"] = json!("<div xmlns=\"http://www.w3.org/1999/xhtml\">warm</div>");
        assert_eq!(fhir.put(&format!("/Condition/{own}"), &next, &[]).await.status, 200);
        assert!(!found("_text=hurts").await && found("_text=warm").await && !found("_content=sweet").await);
    });
}

#[test]
fn content_is_what_columns_say_and_what_is_kept() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let note = id(&fhir
            .made(json!({"resourceType": "Basic", "code": {"text": "Recall letter"}, "subject": {"reference": format!("Patient/{ada}")}}))
            .await);
        assert_eq!(fhir.ids("/Patient?_content=lovelace").await, [ada.as_str()]);
        assert_eq!(fhir.ids("/Patient?_content=ada%20lovelace").await, [ada.as_str()]);
        assert!(fhir.ids("/Patient?_content=ada%20byron").await.is_empty());
        assert_eq!(fhir.ids("/Basic?_content=letter").await, [note.as_str()]);
        assert_eq!(fhir.ids("/Basic?patient._content=lovelace").await, [note.as_str()]);
        assert!(fhir.ids("/Basic?_text=letter").await.is_empty());
    });
}

#[test]
fn what_a_record_presumes_nobody_said() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let silent = json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{ada}")}, "code": {"text": "Caries"}});
        let made = fhir.made(silent).await;
        assert!(made.get("verificationStatus").is_none(), "{made}");
        let missing = async |flag: bool| fhir.ids(&format!("/Condition?verification-status:missing={flag}")).await;
        assert_eq!((missing(true).await, missing(false).await), (vec![id(&made)], vec![]));
        // Somebody says another thing over REST: that is said.
        rest(&clinic, &PATIENT_CONDITION, &id(&made), json!({"verification_status": "REFUTED"})).await;
        assert_eq!((missing(true).await, missing(false).await), (vec![], vec![id(&made)]));
        let shown = fhir.get(&format!("/Condition/{}", id(&made))).await.body;
        assert_eq!(shown["verificationStatus"]["coding"][0]["code"], "refuted", "{shown}");
        assert_eq!(fhir.put(&format!("/Condition/{}", id(&made)), &shown, &[]).await.status, 200);
        assert_eq!((missing(true).await, missing(false).await), (vec![], vec![id(&made)]));
    });
}
