//! Published examples pass, damaged ones are refused where the damage is.

use super::*;
use crate::fhir::definitions::profiles::Profiles;
use std::io::Read;

pub fn lines(packed: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn official() -> Vec<Value> {
    lines(include_bytes!("../../../tests/fixtures/fhir/official-r4.ndjson.gz"))
}

fn us_core() -> (Profiles, Vec<(String, &'static str)>) {
    let mut profiles = Profiles::default();
    let refused = profiles.load(&lines(include_bytes!("../../../tests/fixtures/fhir/us-core-9-definitions.ndjson.gz")));
    (profiles, refused)
}

fn name(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap_or_default())
}

/// Examples that break the specification's own rules, with what is wrong in them.
const OFFICIAL_ARGUED: &[(&str, &str)] = &[
    ("ActivityDefinition/blood-tubes-supply", "its narrative is empty (txt-2)"),
    ("ActivityDefinition/heart-valve-replacement", "its narrative is empty (txt-2)"),
    ("EventDefinition/example", "its narrative is empty (txt-2)"),
    ("Questionnaire/zika-virus-exposure-assessment", "its narrative is empty (txt-2)"),
    ("DeviceMetric/example", "parent is a Device, and here a DeviceDefinition"),
    ("DeviceUseStatement/example", "reasonReference is no Procedure"),
    ("MedicationRequest/medrx0301", "dispenseRequest.performer is an Organization, and here a Practitioner"),
    ("Observation/clinical-gender", "performer is no Encounter"),
    ("Questionnaire/qs1", "items without a linkId, which is 1..1"),
];
const US_CORE_ARGUED: &[(&str, &str)] = &[("DiagnosticReport/cbc", "a narrative without its div, which is 1..1")];

fn wrong(resources: &[Value], profiles: &Profiles, argued: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for resource in resources {
        let name = name(resource);
        let faults = judge(resource, profiles);
        let is_argued = argued.iter().any(|(known, _)| *known == name);
        if is_argued == faults.is_empty() {
            let told: Vec<String> =
                faults.iter().take(4).map(|fault| format!("\n    {} {} {}", fault.field, fault.rule, fault.text)).collect();
            wrong.push(format!("{name}{}", told.join("")));
        }
    }
    wrong
}

#[test]
fn the_official_examples_pass() {
    let resources = official();
    assert_eq!(resources.len(), 723);
    let wrong = wrong(&resources, &BARE, OFFICIAL_ARGUED);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), resources.len(), wrong.join("\n"));
}

#[test]
fn the_us_core_examples_conform_to_their_profiles() {
    let (profiles, refused) = us_core();
    // Its base is a profile of SDC, which is not among the definitions.
    assert_eq!(refused.iter().map(|(url, _)| url.rsplit('/').next().unwrap()).collect::<Vec<_>>(), ["us-core-questionnaireresponse"]);
    let resources = lines(include_bytes!("../../../tests/fixtures/fhir/us-core-9-examples.ndjson.gz"));
    let claims = |resource: &Value| {
        let claimed = resource["meta"]["profile"].as_array().into_iter().flatten().filter_map(Value::as_str);
        claimed.filter(|url| profiles.structure(url).is_some_and(|known| known.is_profile)).count()
    };
    let judged: usize = resources.iter().map(claims).sum();
    assert!(judged > 150, "only {judged} profiles were judged");
    let wrong = wrong(&resources, &profiles, US_CORE_ARGUED);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), resources.len(), wrong.join("\n"));
}

/// Every invariant of the specification can be read.
#[test]
fn every_invariant_can_be_read() {
    use crate::fhir::definitions::{Definitions, Element};
    fn walk(element: &Element, wrong: &mut Vec<String>) {
        for constraint in &element.constraints {
            if let Err(trouble) = constraint.compiled() {
                wrong.push(format!("{}: {} ({trouble})", constraint.key, constraint.expression));
            }
        }
        element.children.iter().chain(&element.slices).for_each(|child| walk(child, wrong));
    }
    let mut wrong = Vec::new();
    Definitions.every_structure(&mut |known| walk(&known.root, &mut wrong));
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How long one judgement takes; printed, for a machine that is busy proves nothing.
#[test]
fn a_judgement_is_quick() {
    for resource in official().iter().filter(|it| ["Patient/example", "Observation/example", "Claim/100150"].contains(&name(it).as_str())) {
        let began = std::time::Instant::now();
        let rounds = 200u32;
        for _ in 0..rounds {
            std::hint::black_box(judge(resource, &BARE));
        }
        println!("{}: {:?}", name(resource), began.elapsed() / rounds);
    }
}

/// What is damaged on the top level of a resource, the place and the rule that then must be told.
fn damages(resource: &Value) -> Vec<(Value, String, &'static str)> {
    use crate::fhir::definitions::{Definitions, Link, Strength};
    let type_name = resource["resourceType"].as_str().unwrap();
    let known = Definitions.named(type_name).unwrap();
    let mut damages = Vec::new();
    let mut damage = |key: &str, field: String, rule: &'static str, change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut changed = resource.clone();
        let object = changed.as_object_mut().unwrap();
        object.shift_remove(&format!("_{key}"));
        change(object);
        damages.push((changed, format!("{type_name}.{field}"), rule));
    };
    for (key, value) in resource.as_object().unwrap() {
        let Some((element, of)) = known.element(key) else { continue };
        let place = if element.is_choice { format!("{}.ofType({})", element.name, of.name) } else { key.clone() };
        let first = if element.repeats() { format!("{place}[0]") } else { place.clone() };
        if element.min > 0 {
            damage(key, element.name.clone(), "required", &|object| drop(object.shift_remove(key)));
        }
        let put = |value: Value| move |object: &mut serde_json::Map<String, Value>| drop(object.insert(key.clone(), value.clone()));
        match element.repeats() {
            true => damage(key, place.clone(), "type", &put(value[0].clone())),
            false => damage(key, place.clone(), "type", &put(Value::from(vec![value.clone()]))),
        }
        let listed = |value: Value| if element.repeats() { Value::from(vec![value]) } else { value };
        match of.link() {
            Link::Primitive(_) => damage(key, first.clone(), "type", &put(listed(serde_json::json!({"x": 1})))),
            _ => damage(key, first.clone(), "type", &put(listed("x".into()))),
        }
        if of.name == "id" {
            damage(key, first.clone(), "format", &put(listed("x".repeat(65).into())));
        }
        let is_bound = element.binding.as_ref().is_some_and(|it| it.strength == Strength::Required);
        if is_bound && of.name == "code" && !matches!(key.as_str(), "language" | "format" | "contentType") {
            damage(key, first, "code", &put(listed("no-such-code".into())));
        }
    }
    damage("", "nothing".into(), "unknown", &|object| drop(object.insert("nothing".into(), true.into())));
    damages
}

#[test]
fn a_damaged_example_is_refused_where_the_damage_is() {
    let mut count = 0;
    for resource in official().iter().filter(|resource| !OFFICIAL_ARGUED.iter().any(|(known, _)| *known == name(resource))).step_by(3) {
        for (damaged, field, rule) in damages(resource) {
            let told = judge(&damaged, &BARE);
            let is_told = told.iter().any(|fault| fault.field == field && fault.rule == rule);
            let told: Vec<_> = told.iter().map(|fault| (&fault.field, fault.rule)).collect();
            assert!(is_told, "{}: {field} {rule}, and not {told:?}", name(resource));
            count += 1;
        }
    }
    assert!(count > 3_000, "{count}");
}

/// Answers to cases of others, a list of `{"type", "body"}` in `VALIDATION_CASES`, as `$validate` gives them; they stand beside
/// the file as `answers.json`.
#[test]
#[ignore = "needs VALIDATION_CASES"]
fn cases_of_others() {
    use crate::fhir::outcome::{all_ok, outcome};
    let path = std::path::PathBuf::from(std::env::var("VALIDATION_CASES").unwrap());
    let cases: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let answer = |case: &Value| {
        let body = &case["body"];
        let inside = body["parameter"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "resource"));
        let resource = inside.filter(|_| body["resourceType"] == "Parameters").map_or(body, |one| &one["resource"]);
        let wrong = faults(resource);
        let told = if wrong.is_empty() { all_ok() } else { outcome(&Error::new(&INVALID).faults(wrong)) };
        serde_json::json!({"status": 200, "body": told})
    };
    let answers: Vec<Value> = cases.as_array().unwrap().iter().map(answer).collect();
    std::fs::write(path.with_file_name("answers.json"), serde_json::to_vec(&answers).unwrap()).unwrap();
}
