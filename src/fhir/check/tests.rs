//! The official, US Core and Synthea examples pass; what R4 refuses is refused where it stands.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::io::Read;

fn told(resource: Value) -> Vec<(String, &'static str)> {
    faults(&resource).into_iter().map(|fault| (fault.field, fault.rule)).collect()
}

fn patient(element: Value) -> Vec<(String, &'static str)> {
    let mut patient = json!({"resourceType": "Patient"});
    patient.as_object_mut().unwrap().extend(element.as_object().unwrap().clone());
    told(patient)
}

#[test]
fn the_examples_pass() {
    let packed = include_bytes!("../../../tests/fixtures/fhir/examples.ndjson.gz");
    let mut lines = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut lines).unwrap();
    let mut seen = std::collections::HashMap::new();
    for line in lines.lines() {
        let value = json::parse(line.as_bytes(), DOCUMENT).unwrap();
        let name = value["resourceType"].as_str().unwrap().to_string();
        let resource = accept(line.as_bytes(), &name).unwrap_or_else(|error| panic!("{name} {}: {error}", value["id"]));
        assert_eq!(resource.into_value().to_string(), line, "every digit and key comes back in its place");
        *seen.entry(name).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[test]
fn a_fault_in_shape_is_named_where_it_stands() {
    for (element, field, rule) in [
        (json!({"active": {"id": "1"}}), "Patient.active", "type"),
        (json!({"name": [{"given": [{"id": "1"}]}]}), "Patient.name[0].given[0]", "type"),
        (json!({"name": {"family": "Ivan"}}), "Patient.name", "type"),
        (json!({"name": "John"}), "Patient.name", "type"),
        (json!({"gender": ["male"]}), "Patient.gender", "type"),
        (json!({"name": []}), "Patient.name", "empty"),
        (json!({"name": [{}]}), "Patient.name[0]", "empty"),
        (json!({"name": [null]}), "Patient.name[0]", "empty"),
        (json!({"maritalStatus": {}}), "Patient.maritalStatus", "empty"),
        (json!({"maritalStatus": null}), "Patient.maritalStatus", "empty"),
        (json!({"birthDate": ""}), "Patient.birthDate", "format"),
        (json!({"birthDate": "2023-02-30"}), "Patient.birthDate", "format"),
        (json!({"birthDate": null}), "Patient.birthDate", "empty"),
        (json!({"_gender": {}}), "Patient.gender", "empty"),
        (json!({"_gender": null}), "Patient.gender", "type"),
        (json!({"_name": {"id": "1"}}), "Patient.name", "unknown"),
        (json!({"_unknown": {"id": "1"}}), "Patient.unknown", "unknown"),
        (json!({"_active": "test"}), "Patient.active", "type"),
        (json!({"_active": [{"id": "test"}]}), "Patient.active", "type"),
        (json!({"name": [{"given": ["a"], "_given": {"id": "test"}}]}), "Patient.name[0].given", "type"),
        (json!({"name": [{"given": ["a"], "_given": [{"foo": "test"}]}]}), "Patient.name[0].given[0].foo", "unknown"),
        (json!({"name": [{"given": [null, "b"], "_given": [{"id": "test"}, null]}]}), "Patient.name[0].given[0]", "empty"),
        (json!({"gender": "mmale"}), "Patient.gender", "code"),
        (json!({"foo": 1}), "Patient.foo", "unknown"),
        (json!({"contact": [{"foo": 1}]}), "Patient.contact[0].foo", "unknown"),
        (json!({"link": [{"type": "seealso"}]}), "Patient.link[0].other", "required"),
        (json!({"deceasedBoolean": true, "deceasedDateTime": "2020"}), "Patient.deceased", "cardinality"),
        (json!({"deceasedString": "x"}), "Patient.deceasedString", "unknown"),
        (json!({"multipleBirthInteger": "2"}), "Patient.multipleBirth.ofType(integer)", "type"),
        (json!({"id": "a_b"}), "Patient.id", "format"),
        (json!({"text": {"status": "generated"}}), "Patient.text.div", "required"),
        (json!({"extension": [{"valueString": "x"}]}), "Patient.extension[0].url", "required"),
        (json!({"extension": [{"url": "u"}]}), "Patient.extension[0]", "invariant"),
        (json!({"extension": [{"url": "u", "valueFoo": 1}]}), "Patient.extension[0].valueFoo", "unknown"),
        (json!({"contained": [{"resourceType": "Foo"}]}), "Patient.contained[0]", "type"),
        (json!({"contained": [{"resourceType": "Claim", "id": "a b"}]}), "Patient.contained[0].id", "format"),
        (
            json!({"contained": [{"resourceType": "Organization", "id": "a", "contained": [{"resourceType": "Patient"}]}]}),
            "Patient.contained[0].contained[0]",
            "invariant",
        ),
    ] {
        let told = patient(element.clone());
        assert!(told.contains(&(field.into(), rule)), "{element}: {told:?}");
    }
}

#[test]
fn what_r4_allows_passes() {
    let birth_time = json!([{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "2020"}]);
    for element in [
        json!({"id": "example", "gender": "male"}),
        json!({"birthDate": "1974-12-25", "_birthDate": {"extension": birth_time}}),
        json!({"_birthDate": {"extension": birth_time}}),
        json!({"name": [{"given": ["a"], "_given": [{"id": "test"}]}]}),
        json!({"name": [{"given": ["a"], "_given": [{"id": "test"}, null]}]}),
        json!({"name": [{"given": ["a"], "_given": [null, null]}]}),
        json!({"name": [{"given": [null, "test"], "_given": [{"extension": birth_time}, null]}]}),
        json!({"multipleBirthInteger": 2, "deceasedDateTime": "2015-02-07T13:28:17-05:00"}),
        json!({"extension": [{"url": "u", "extension": [{"url": "v", "valueDecimal": 1.10}]}], "link": [{"other": {"extension": birth_time}, "_type": {"extension": birth_time}}]}),
        json!({"contained": [{"resourceType": "Claim", "id": "c", "anything": {"goes": 1}}]}),
    ] {
        assert_eq!(patient(element.clone()), [], "{element}");
    }
}

#[test]
fn a_primitive_is_held_to_its_type_in_a_choice() {
    let parameter = |key: &str, value: Value| told(json!({"resourceType": "Parameters", "parameter": [{"name": "x", key: value}]}));
    for (key, good, bad, of) in [
        ("valueBoolean", json!(true), json!("true"), "boolean"),
        ("valueInteger", json!(-300), json!(3.1), "integer"),
        ("valueInteger", json!(2147483647), json!(2147483648i64), "integer"),
        ("valueDecimal", json!(-62e3), json!("9.2"), "decimal"),
        ("valueDateTime", json!("2017-01-01T00:00:00.000000000Z"), json!("2015-02-07T13:28:17"), "dateTime"),
        ("valueInstant", json!("2017-01-01T00:00:60Z"), json!("2017-01-01T23:59:61Z"), "instant"),
        ("valueDate", json!("0001"), json!("0000"), "date"),
        ("valueTime", json!("12:00:60"), json!("24:00:00"), "time"),
        ("valueCode", json!("text text"), json!(" text"), "code"),
        ("valueBase64Binary", json!("QUJDREVGRw=="), json!("QUJ"), "base64Binary"),
        ("valueMarkdown", json!("\nCode block\n"), json!(""), "markdown"),
        ("valueCanonical", json!("http://e.test/v|1#d"), json!("a b"), "canonical"),
    ] {
        assert_eq!(parameter(key, good), [], "{key}");
        let field = format!("Parameters.parameter[0].value.ofType({of})");
        assert_eq!(parameter(key, bad).first().map(|(f, _)| f.clone()), Some(field));
    }
}

#[test]
fn a_body_of_another_type_or_form_is_refused() {
    let status = |body: &str| accept(body.as_bytes(), "Patient").unwrap_err().code.status;
    assert_eq!(status("{"), 400);
    assert_eq!(status("[]"), 400);
    assert_eq!(status("{\"resourceType\":\"Organization\",\"name\":\"a\"}"), 400);
    assert_eq!(status("{\"resourceType\":\"Foo\"}"), 400);
    assert_eq!(status("{\"resourceType\":\"Patient\",\"active\":1}"), 422);
    let many = format!("{{\"resourceType\":\"Patient\",\"name\":[{}{{}}]}}", "{},".repeat(500));
    assert_eq!(accept(many.as_bytes(), "Patient").unwrap_err().faults.len(), FAULTS_MAX);
}

proptest! {
    #[test]
    fn a_damaged_resource_is_answered(at in prop::collection::vec((0usize..400, any::<u8>()), 0..6)) {
        let mut body = br#"{"resourceType":"Patient","id":"a","active":true,"name":[{"given":[null,"b"],"_given":[{"extension":[{
            "url":"u","valueDecimal":1.10}]}]}],"deceasedDateTime":"2020-05","contained":[{"resourceType":"Organization","id":"o"}],
            "contact":[{"gender":"male"}],"link":[{"other":{"reference":"Patient/1"},"type":"seealso"}]}"#.to_vec();
        for (index, byte) in at {
            if let Some(place) = body.get_mut(index) {
                *place = byte;
            }
        }
        if let Err(error) = accept(&body, "Patient") {
            prop_assert!((400..500).contains(&error.code.status));
            prop_assert!(error.faults.len() <= FAULTS_MAX);
        }
    }
}
