//! Published examples pass, damaged ones are refused where the damage is.

use super::*;
use crate::fhir::definitions::{Definitions, Structure};
use std::io::Read;

pub fn lines(packed: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn official() -> Vec<Value> {
    lines(include_bytes!("../../../tests/fixtures/fhir/official-r4.ndjson.gz"))
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
    ("Observation/example-genetics-brcapat", "an ethnicity as an older US Core had it"),
    ("Questionnaire/qs1", "items without a linkId, which is 1..1"),
];
const DENTAL_ARGUED: &[(&str, &str)] = &[
    ("Organization/Aetna-organization", "a wrong check digit of the NPI (us-core-17)"),
    ("Organization/GEHC-organization", "as above"),
    ("Organization/GOHC-organization", "as above"),
    ("Practitioner/practitioner-D", "as above"),
    ("Practitioner/practitioner-M", "as above"),
    ("Practitioner/practitioner-UNK", "an NPI that is none (us-core-16)"),
];
const US_CORE_ARGUED: &[(&str, &str)] = &[("DiagnosticReport/cbc", "a narrative without its div, which is 1..1")];

fn wrong(resources: &[Value], argued: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for resource in resources {
        let name = name(resource);
        let faults = judge_as(resource, &BARE, &[]);
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
    let wrong = wrong(&resources, OFFICIAL_ARGUED);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), resources.len(), wrong.join("\n"));
}

#[test]
fn the_examples_of_guides_conform_to_their_profiles() {
    for (examples, least, argued) in [
        (lines(include_bytes!("../../../tests/fixtures/fhir/us-core-9-examples.ndjson.gz")), 180, US_CORE_ARGUED),
        (lines(include_bytes!("../../../tests/fixtures/fhir/dental-data-exchange-examples.ndjson.gz")), 80, DENTAL_ARGUED),
    ] {
        let judged: usize = examples.iter().map(|resource| claimed(resource).len()).sum();
        assert!(judged > least, "only {judged} profiles were judged");
        let wrong = wrong(&examples, argued);
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), examples.len(), wrong.join("\n"));
    }
}

/// The profiles it claims that are known here.
fn claimed(resource: &Value) -> Vec<&'static Structure> {
    let urls = resource["meta"]["profile"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let known = urls.filter_map(|url| Definitions.by_url(url.split('|').next().unwrap()));
    known.filter(|known| known.is_profile).collect()
}

/// What a profile asks for beyond its base is missed when it is gone, where it is gone.
#[test]
fn what_a_guide_asks_for_is_missed() {
    let mut missed = std::collections::BTreeSet::new();
    for example in lines(include_bytes!("../../../tests/fixtures/fhir/us-core-9-examples.ndjson.gz")) {
        let type_name = example["resourceType"].as_str().unwrap().to_owned();
        let base = Definitions.named(&type_name).unwrap();
        for profile in claimed(&example).into_iter().filter(|_| judge_as(&example, &BARE, &[]).is_empty()) {
            for child in profile.root.children.iter().filter(|child| child.min > 0) {
                let of_base = base.root.children.iter().find(|known| known.name == child.name);
                if of_base.is_none_or(|known| known.min > 0) {
                    continue;
                }
                let mut without = example.clone();
                without.as_object_mut().unwrap().retain(|key, _| !key.trim_start_matches('_').starts_with(&child.name));
                let field = format!("{type_name}.{}", child.name);
                let told = judge_as(&without, &BARE, &[]).iter().any(|fault| fault.rule == "required" && fault.field == field);
                assert!(told, "{}: {field} of {}", name(&example), profile.url);
                missed.insert((profile.url.clone(), field));
            }
        }
    }
    assert!(missed.len() > 60, "{}", missed.len());
}

/// Resources of an older version of a guide claim it by the same address.
#[test]
fn what_claims_an_older_guide_is_stored_and_told_by_ours() {
    let (mut refused, mut told, mut named) = (Vec::new(), 0, 0);
    for folder in std::fs::read_dir("tests/fixtures/synthea").unwrap().filter_map(|file| file.ok()) {
        if folder.path().extension().is_none_or(|kind| kind != "gz") {
            continue;
        }
        for bundle in lines_of(&std::fs::read(folder.path()).unwrap()) {
            for entry in bundle["entry"].as_array().unwrap() {
                let resource = &entry["resource"];
                refused.extend(faults(resource).into_iter().map(|fault| format!("{} {}", fault.field, fault.text)));
                told += judge_as(resource, &BARE, &[]).len();
                // Who names the version means ours.
                let mut ours = resource.clone();
                if let Some(Value::Array(claims)) = ours.pointer_mut("/meta/profile") {
                    claims.iter_mut().for_each(|url| *url = format!("{}|9.0.0", url.as_str().unwrap()).into());
                    assert!(faults(&ours).len() <= judge_as(resource, &BARE, &[]).len());
                    named += faults(&ours).len();
                }
            }
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(told > 0 && named > 0, "{told} {named}");
}

fn lines_of(packed: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    vec![serde_json::from_str(&text).unwrap()]
}

/// Every invariant of the specification can be read.
#[test]
fn every_invariant_can_be_read() {
    use crate::fhir::definitions::Element;
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
    use crate::fhir::definitions::{Link, Strength};
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
