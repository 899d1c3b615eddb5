//! Both forms by cases of our own.

use super::*;
use serde_json::json;

#[test]
fn json_patch_does_what_the_rfc_says() {
    let document = json!({"a": [1, 2, 3], "b": {"c~/d": 1.50}, "e": null});
    for (patch, expected) in [
        (json!([]), document.clone()),
        (json!([{"op": "add", "path": "/a/1", "value": 9}]), json!({"a": [1, 9, 2, 3], "b": {"c~/d": 1.5}, "e": null})),
        (
            json!([{"op": "add", "path": "/a/-", "value": 9}, {"op": "remove", "path": "/a/0"}]),
            json!({"a": [2, 3, 9], "b": {"c~/d": 1.5}, "e": null}),
        ),
        (json!([{"op": "move", "from": "/b/c~0~1d", "path": "/e"}]), json!({"a": [1, 2, 3], "b": {}, "e": 1.5})),
        (
            json!([{"op": "copy", "from": "/a", "path": "/f"}, {"op": "test", "path": "/f/2", "value": 3.0}]),
            json!({"a": [1, 2, 3], "b": {"c~/d": 1.5}, "e": null, "f": [1, 2, 3]}),
        ),
        (json!([{"op": "replace", "path": "", "value": 1}]), json!(1)),
    ] {
        assert_eq!(json::apply(&document, &patch), Ok(expected), "{patch}");
    }
    for (patch, cause) in [
        (json!({}), Cause::Malformed),
        (json!([{"path": "/a"}]), Cause::Malformed),
        (json!([{"op": "add", "path": "/x"}]), Cause::Malformed),
        (json!([{"op": "add", "path": "x", "value": 1}]), Cause::Malformed),
        (json!([{"op": "add", "path": "/~2", "value": 1}]), Cause::Malformed),
        (json!([{"op": "add", "path": "/a/4", "value": 1}]), Cause::Unfit),
        (json!([{"op": "add", "path": "/a/01", "value": 1}]), Cause::Unfit),
        (json!([{"op": "add", "path": "/x/y", "value": 1}]), Cause::Unfit),
        (json!([{"op": "remove", "path": "/x"}]), Cause::Unfit),
        (json!([{"op": "replace", "path": "/a/-", "value": 1}]), Cause::Unfit),
        (json!([{"op": "move", "from": "/b", "path": "/b/x"}]), Cause::Unfit),
        (json!([{"op": "test", "path": "/a", "value": [1]}]), Cause::Unfit),
    ] {
        assert_eq!(json::apply(&document, &patch).map_err(|refused| refused.cause), Err(cause), "{patch}");
    }
    let doubling = Value::from(vec![json!({"op": "copy", "from": "/a", "path": "/a/-"}); 100]);
    assert_eq!(json::apply(&document, &doubling).map_err(|refused| refused.text), Err("The patch copies too much."));
}

fn operation(parts: Value) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]})
}

#[test]
fn fhirpath_patch_reaches_elements_by_their_paths() {
    let patient = json!({"resourceType": "Patient", "birthDate": "1974-12-25", "deceasedBoolean": true,
        "name": [{"family": "A", "given": ["x", "y", "z"]}, {"family": "B"}], "contact": [{"name": {"text": "c"}}]});
    let path = |kind: &str, path: &str| vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    let changed = |mut parts: Vec<Value>, more: Value| {
        parts.extend(more.as_array().unwrap().clone());
        fhirpath::apply(&patient, &operation(Value::from(parts)))
    };
    let expect = |made: Result<Value, Refused>, pointer: &str, value: Value| {
        assert_eq!(made.unwrap().pointer(pointer).cloned().unwrap_or(Value::Null), value, "{pointer}");
    };
    expect(changed(path("replace", "Patient.birthDate"), json!([{"name": "value", "valueDate": "1975"}])), "/birthDate", json!("1975"));
    expect(
        changed(path("replace", "Patient.deceased"), json!([{"name": "value", "valueDateTime": "2020"}])),
        "/deceasedDateTime",
        json!("2020"),
    );
    expect(changed(path("delete", "Patient.name[1]"), json!([])), "/name/1", Value::Null);
    expect(changed(path("delete", "Patient.contact.name.text"), json!([])), "/contact", Value::Null);
    expect(changed(path("delete", "Patient.photo"), json!([])), "/birthDate", json!("1974-12-25"));
    let gender = json!([{"name": "name", "valueString": "gender"}, {"name": "value", "valueCode": "male"}]);
    expect(changed(path("add", "Patient"), gender), "/gender", json!("male"));
    let name = json!([{"name": "name", "valueString": "given"}, {"name": "value", "valueString": "q"}]);
    expect(changed(path("add", "Patient.name.where(family = 'B')"), name), "/name/1/given", json!(["q"]));
    let contact = json!([{"name": "name", "valueString": "contact"}, {"name": "value", "part": [
        {"name": "name", "valueHumanName": {"text": "n"}}, {"name": "gender", "valueCode": "female"}]}]);
    expect(changed(path("add", "Patient"), contact), "/contact/1", json!({"name": {"text": "n"}, "gender": "female"}));
    let second = json!([{"name": "index", "valueInteger": 1}, {"name": "value", "valueString": "n"}]);
    expect(changed(path("insert", "Patient.name[0].given"), second), "/name/0/given", json!(["x", "n", "y", "z"]));
    let turned = json!([{"name": "source", "valueInteger": 2}, {"name": "destination", "valueInteger": 0}]);
    expect(changed(path("move", "Patient.name[0].given"), turned), "/name/0/given", json!(["z", "x", "y"]));
    for (parts, more) in [
        (path("delete", "Patient.name"), json!([])),
        (path("replace", "Patient.photo"), json!([{"name": "value", "valueString": "x"}])),
        (path("add", "Patient"), json!([{"name": "name", "valueString": "nothing"}, {"name": "value", "valueString": "x"}])),
        (path("add", "Patient"), json!([{"name": "name", "valueString": "birthDate"}, {"name": "value", "valueDate": "1975"}])),
        (path("delete", "Patient"), json!([])),
        (path("delete", "Patient.("), json!([])),
        (path("foo", "Patient.birthDate"), json!([])),
        (path("insert", "Patient.name[0].given"), json!([{"name": "index", "valueInteger": 7}, {"name": "value", "valueString": "n"}])),
    ] {
        assert!(changed(parts.clone(), more).is_err(), "{parts:?}");
    }
}
