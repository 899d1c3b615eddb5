//! Profiles told by differentials: each kind of rule and of slice, kept and broken.

use super::*;
use crate::fhir::definitions::profiles::Profiles;
use serde_json::json;

const URL: &str = "http://e.test/StructureDefinition/finding";

fn profile(of: &str, elements: Value) -> Profiles {
    let mut profiles = Profiles::default();
    let extension = json!({"resourceType": "StructureDefinition", "url": "http://e.test/StructureDefinition/tooth", "name": "Tooth",
        "status": "active", "kind": "complex-type", "abstract": false, "type": "Extension", "derivation": "constraint",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "differential": {"element": [
            {"id": "Extension", "path": "Extension"},
            {"id": "Extension.extension", "path": "Extension.extension", "max": "0"},
            {"id": "Extension.url", "path": "Extension.url", "fixedUri": "http://e.test/StructureDefinition/tooth"},
            {"id": "Extension.value[x]", "path": "Extension.value[x]", "min": 1, "type": [{"code": "positiveInt"}]}]}});
    let set = json!({"resourceType": "ValueSet", "url": "http://e.test/ValueSet/depths", "status": "active",
        "compose": {"include": [{"system": "http://e.test/depths", "concept": [{"code": "deep"}, {"code": "shallow"}]}]}});
    let definition = json!({"resourceType": "StructureDefinition", "url": URL, "name": "Finding", "status": "active", "kind": "resource",
        "abstract": false, "type": of, "derivation": "constraint", "baseDefinition": format!("http://hl7.org/fhir/StructureDefinition/{of}"),
        "differential": {"element": elements}});
    // The one that needs the others first.
    assert_eq!(profiles.load([&definition, &extension, &set]), []);
    profiles
}

fn told(profiles: &Profiles, more: Value) -> Vec<String> {
    let mut resource = json!({"resourceType": "Observation", "meta": {"profile": [URL]}, "status": "final", "code": {"text": "x"}});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    judge(&resource, profiles).into_iter().map(|fault| format!("{} {}", fault.field, fault.rule)).collect()
}

fn component(code: &str, more: Value) -> Value {
    let mut made = json!({"code": {"coding": [{"system": "http://e.test/sites", "code": code, "display": "d"}]}});
    made.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    made
}

#[test]
fn a_profile_narrows_its_base() {
    let profiles = profile(
        "Observation",
        json!([
        {"id": "Observation", "path": "Observation", "constraint": [{"key": "f-1", "severity": "error", "human": "A note or a method",
            "expression": "note.exists() or method.exists()"}]},
        {"id": "Observation.status", "path": "Observation.status", "fixedCode": "final"},
        {"id": "Observation.category", "path": "Observation.category", "min": 1, "max": "1"},
        {"id": "Observation.method", "path": "Observation.method",
            "binding": {"strength": "required", "valueSet": "http://e.test/ValueSet/depths"}},
        {"id": "Observation.subject", "path": "Observation.subject",
            "type": [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Patient"]}]},
        {"id": "Observation.value[x]", "path": "Observation.value[x]", "type": [{"code": "Quantity"}]},
        {"id": "Observation.valueQuantity.code", "path": "Observation.value[x].code", "min": 1, "fixedCode": "mm"}]),
    );
    let category = json!([{"text": "dental"}]);
    let sound = json!({"category": category, "note": [{"text": "n"}], "valueQuantity": {"value": 3, "system": "http://unitsofmeasure.org", "code": "mm"}});
    assert_eq!(told(&profiles, sound.clone()), [""; 0]);
    let changed = |key: &str, value: Value| {
        let mut more = sound.clone();
        more[key] = value;
        told(&profiles, more)
    };
    assert_eq!(changed("status", json!("preliminary")), ["Observation.status fixed"]);
    assert_eq!(changed("category", json!([{"text": "a"}, {"text": "b"}])), ["Observation.category cardinality"]);
    assert_eq!(told(&profiles, json!({"note": [{"text": "n"}]})), ["Observation.category required"]);
    assert_eq!(changed("method", json!({"coding": [{"system": "http://e.test/depths", "code": "none"}]})), ["Observation.method code"]);
    assert_eq!(changed("method", json!({"coding": [{"system": "http://e.test/depths", "code": "deep"}]})), [""; 0]);
    assert_eq!(changed("subject", json!({"reference": "Group/1"})), ["Observation.subject reference"]);
    assert_eq!(changed("subject", json!({"reference": "Patient/1"})), [""; 0]);
    assert_eq!(
        changed("valueQuantity", json!({"value": 3, "system": "http://unitsofmeasure.org", "code": "cm"})),
        ["Observation.value.ofType(Quantity).code fixed"]
    );
    assert_eq!(changed("valueQuantity", json!({"value": 3})), ["Observation.value.ofType(Quantity).code required"]);
    assert_eq!(
        told(&profiles, json!({"category": category, "note": [{"text": "n"}], "valueString": "3"})),
        ["Observation.value.ofType(string) type"]
    );
    assert_eq!(told(&profiles, json!({"category": category})), ["Observation invariant"]);
}

#[test]
fn slices_are_told_by_their_discriminators() {
    let slice = |kind: &str, path: &str, rules: &str| {
        json!([{"id": "Observation", "path": "Observation"},
            {"id": "Observation.component", "path": "Observation.component",
                "slicing": {"discriminator": [{"type": kind, "path": path}], "rules": rules}},
            {"id": "Observation.component:mesial", "path": "Observation.component", "sliceName": "mesial", "min": 1, "max": "1"},
            {"id": "Observation.component:mesial.code", "path": "Observation.component.code",
                "patternCodeableConcept": {"coding": [{"system": "http://e.test/sites", "code": "m"}]}},
            {"id": "Observation.component:mesial.value[x]", "path": "Observation.component.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
            {"id": "Observation.component:absent", "path": "Observation.component", "sliceName": "absent", "min": 0, "max": "*"},
            {"id": "Observation.component:absent.value[x]", "path": "Observation.component.value[x]", "max": "0"},
            {"id": "Observation.component:absent.dataAbsentReason", "path": "Observation.component.dataAbsentReason", "min": 1}])
    };
    let depth = json!({"valueQuantity": {"value": 3}});
    for path in ["code", "code.coding.code"] {
        for kind in ["value", "pattern"] {
            let open = profile("Observation", slice(kind, path, "open"));
            assert_eq!(
                told(&open, json!({"component": [component("m", depth.clone()), component("d", json!({"valueString": "x"}))]})),
                [""; 0]
            );
            assert_eq!(
                told(&open, json!({"component": [component("m", json!({"valueString": "x"}))]})),
                ["Observation.component[0].value.ofType(string) type"]
            );
            assert_eq!(told(&open, json!({"component": [component("m", json!({}))]})), ["Observation.component[0].value required"]);
            assert_eq!(told(&open, json!({"component": [component("d", json!({}))]})), ["Observation.component required"]);
            let twice = json!({"component": [component("m", depth.clone()), component("m", depth.clone())]});
            assert_eq!(told(&open, twice), ["Observation.component cardinality"]);
            let closed = profile("Observation", slice(kind, path, "closed"));
            assert_eq!(
                told(&closed, json!({"component": [component("m", depth.clone()), component("d", depth.clone())]})),
                ["Observation.component[1] slice"]
            );
        }
    }
    // The second slice takes any type, so it is left out.
    let mut first_alone = slice("type", "value", "closed");
    first_alone.as_array_mut().unwrap().truncate(5);
    let by_type = profile("Observation", first_alone);
    assert_eq!(told(&by_type, json!({"component": [component("m", depth.clone())]})), [""; 0]);
    assert_eq!(
        told(&by_type, json!({"component": [component("m", depth.clone()), component("d", json!({"valueString": "x"}))]})),
        ["Observation.component[1] slice"]
    );
    let by_existence = profile("Observation", slice("exists", "value", "closed"));
    let absent = component("x", json!({"dataAbsentReason": {"text": "unknown"}}));
    assert_eq!(told(&by_existence, json!({"component": [component("m", depth.clone()), absent]})), [""; 0]);
    assert_eq!(
        told(&by_existence, json!({"component": [component("m", depth), component("x", json!({}))]})),
        ["Observation.component[1].dataAbsentReason required"]
    );
}

#[test]
fn an_extension_keeps_to_its_own_definition() {
    let profiles = profile(
        "Observation",
        json!([{"id": "Observation", "path": "Observation"},
        {"id": "Observation.extension:tooth", "path": "Observation.extension", "sliceName": "tooth", "min": 1, "max": "1",
            "type": [{"code": "Extension", "profile": ["http://e.test/StructureDefinition/tooth"]}]}]),
    );
    let tooth = |more: Value| {
        let mut made = json!({"url": "http://e.test/StructureDefinition/tooth"});
        made.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told(&profiles, json!({"extension": [made]}))
    };
    assert_eq!(tooth(json!({"valuePositiveInt": 14})), [""; 0]);
    assert_eq!(tooth(json!({"valueString": "14"})), ["Observation.extension[0].value.ofType(string) type"]);
    assert_eq!(told(&profiles, json!({})), ["Observation.extension required"]);
    assert_eq!(
        told(&profiles, json!({"extension": [{"url": "http://e.test/other", "valueString": "x"}]})),
        ["Observation.extension required"]
    );
}
