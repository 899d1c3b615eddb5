//! Profiles: those of guides are known, a clinic's own are what it keeps; what claims one is judged by it.

use super::{id, patient};
use crate::world;
use serde_json::{Value as Json, json};

const DEPTH: &str = "http://clinic.test/StructureDefinition/pocket";

fn definitions() -> [Json; 3] {
    let head = |kind: &str, name: &str| json!({"resourceType": kind, "url": format!("http://clinic.test/{kind}/{name}"), "name": name, "status": "active"});
    let with = |mut head: Json, more: Json| {
        head.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        head
    };
    let profile = json!({"kind": "resource", "abstract": false, "type": "Observation", "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "differential": {"element": [
            {"id": "Observation", "path": "Observation"},
            {"id": "Observation.method", "path": "Observation.method", "min": 1, "mustSupport": true,
                "binding": {"strength": "required", "valueSet": "http://clinic.test/ValueSet/probes"}},
            {"id": "Observation.value[x]", "path": "Observation.value[x]", "min": 1, "type": [{"code": "Quantity"}]}]}});
    let set = json!({"compose": {"include": [{"system": "http://clinic.test/CodeSystem/probes"}]}});
    let system = json!({"content": "complete", "concept": [{"code": "who"}, {"code": "unc-15"}]});
    [
        with(head("StructureDefinition", "pocket"), profile),
        with(head("ValueSet", "probes"), set),
        with(head("CodeSystem", "probes"), system),
    ]
}

#[test]
fn a_clinics_own_profile_is_its_own() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        let sent = |who: &str, method: &str| {
            json!({"resourceType": "Observation", "meta": {"profile": [DEPTH]}, "status": "final", "code": {"text": "Pocket"},
                "subject": {"reference": format!("Patient/{who}")}, "valueQuantity": {"value": 3},
                "method": {"coding": [{"system": "http://clinic.test/CodeSystem/probes", "code": method}]}})
        };
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let before = fhir.made(sent(&ada, "fork")).await;
        for definition in definitions() {
            fhir.made(definition).await;
        }
        let made = fhir.made(sent(&ada, "who")).await;
        let refused = fhir.post("/Observation", &sent(&ada, "fork")).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]),
            (422, &json!("Observation.method")),
            "{}",
            refused.body
        );
        let mut without = made.clone();
        without.as_object_mut().unwrap().remove("method");
        let refused = fhir.put(&format!("/Observation/{}", id(&made)), &without, &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["code"]), (422, &json!("required")), "{}", refused.body);
        // By name, whatever the resource claims, and what was there before may be asked about.
        without["meta"] = json!({});
        let told = fhir.post(&format!("/Observation/$validate?profile={DEPTH}"), &without).await;
        assert_eq!((told.status.as_u16(), &told.body["issue"][0]["severity"]), (200, &json!("error")), "{}", told.body);
        let told = fhir.get(&format!("/Observation/{}/$validate", id(&before))).await;
        let told = if told.status == 405 {
            fhir.post(&format!("/Observation/{}/$validate", id(&before)), &json!({"resourceType": "Parameters"})).await
        } else {
            told
        };
        assert_eq!(told.body["issue"][0]["severity"], "error", "{}", told.body);
        // Another clinic knows nothing of it.
        let theirs = other.fhir();
        let bob = id(&theirs.made(patient("Babbage")).await);
        theirs.made(sent(&bob, "fork")).await;
        let told = theirs.post(&format!("/Observation/$validate?profile={DEPTH}"), &sent(&bob, "who")).await;
        assert_eq!(told.body["issue"][0]["code"], "not-supported", "{}", told.body);
    });
}

#[test]
fn the_profiles_of_guides_are_known() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let core = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient";
        let nameless = json!({"resourceType": "Patient", "gender": "female", "name": [{"family": "Lovelace"}]});
        let told = fhir.post(&format!("/Patient/$validate?profile={core}"), &nameless).await.body;
        assert_eq!(told["issue"][0]["expression"][0], "Patient.identifier", "{told}");
        let mut sound = nameless.clone();
        sound["identifier"] = json!([{"system": "urn:x", "value": "1"}]);
        let told = fhir.post(&format!("/Patient/$validate?profile={core}"), &sound).await.body;
        assert_eq!(told["issue"][0]["severity"], "information", "{told}");
        // Who names the version is held to it; an older guide's claim is kept as it is.
        let mut claims = nameless.clone();
        claims["meta"] = json!({"profile": [format!("{core}|9.0.0")]});
        assert_eq!(fhir.post("/Patient", &claims).await.status, 422);
        claims["meta"] = json!({"profile": [core]});
        fhir.made(claims).await;
        let known = fhir.get(&format!("/StructureDefinition?url={core}")).await.body;
        assert_eq!(known["entry"][0]["resource"]["type"], "Patient", "{known}");
    });
}

#[test]
fn an_organisation_that_does_not_pay_is_kept_as_it_is() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let of = |code: &str| json!({"resourceType": "Organization", "name": format!("An {code}"), "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": code}]}]});
        let (payer, lab) = (fhir.made(of("ins")).await, fhir.made(of("prov")).await);
        let row = async |made: &Json| {
            crate::world::operations::read(&clinic.staff(), &enamel::patients::payer::PAYER, id(made).parse().unwrap()).await
        };
        assert!(row(&payer).await.is_ok());
        assert_eq!(row(&lab).await.unwrap_err().code.status, 404);
        assert_eq!(fhir.ids("/Organization?name=An&_sort=name").await, [id(&payer), id(&lab)]);
        assert_eq!(fhir.get(&format!("/Organization/{}", id(&lab))).await.body["name"], "An prov");
        // A patient without a name has none, also after something else of them changed.
        let nobody = fhir.made(json!({"resourceType": "Patient", "gender": "unknown"})).await;
        assert!(nobody.get("name").is_none());
        let staff = clinic.staff();
        let table = &enamel::patients::patient::PATIENT;
        crate::world::operations::patch(&staff, table, id(&nobody).parse().unwrap(), 1, json!({"phone_mobile": "+491701234567"}))
            .await
            .unwrap();
        let changed = fhir.get(&format!("/Patient/{}", id(&nobody))).await.body;
        assert!(changed.get("name").is_none() && changed["telecom"][0]["value"] == "+491701234567", "{changed}");
        // What is kept stays in the chart it is in.
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let mut flag = fhir.made(json!({"resourceType": "Flag", "status": "active", "code": {"text": "Fear"}, "subject": {"reference": format!("Patient/{ada}")}})).await;
        for subject in [json!({"reference": format!("Patient/{}", id(&nobody))}), json!({"display": "nobody"})] {
            flag["subject"] = subject;
            let refused = fhir.put(&format!("/Flag/{}", id(&flag)), &flag, &[]).await;
            assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["code"]), (422, &json!("value")), "{}", refused.body);
        }
    });
}
