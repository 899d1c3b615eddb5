//! The laws of keeping, by example and over generated documents.

use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn the_clients_words_stand_until_the_column_changes() {
    let original = json!({"resourceType": "Patient", "text": {"status": "generated", "div": "<div>Jane</div>"},
        "name": [{"family": "Doe", "given": ["Jane"], "text": "Jane Doe", "extension": [{"url": "u", "valueCode": "x"}]}, {"use": "nickname", "text": "J"}],
        "birthDate": "1990-01-02", "_birthDate": {"extension": [{"url": "time"}]}, "contact": [{"gender": "male"}]});
    let base = json!({"resourceType": "Patient", "name": [{"family": "Doe", "given": ["Jane"]}], "birthDate": "1990-01-02"});
    assert_eq!(restore(original.clone(), &base, base.clone()), original);
    let now = json!({"resourceType": "Patient", "name": [{"family": "Roe", "given": ["Jane"]}], "birthDate": "1990-01-03"});
    assert_eq!(
        restore(original.clone(), &base, now),
        json!({"resourceType": "Patient",
            "name": [{"family": "Roe", "given": ["Jane"], "extension": [{"url": "u", "valueCode": "x"}]}, {"use": "nickname", "text": "J"}],
            "birthDate": "1990-01-03", "contact": [{"gender": "male"}]})
    );
}

#[test]
fn a_changed_reference_or_code_takes_its_display_along() {
    let original = json!({"managingOrganization": {"reference": "Organization/1", "display": "Acme"},
        "maritalStatus": {"coding": [{"system": "s", "code": "S", "display": "single"}, {"system": "other", "code": "x"}], "text": "single"}});
    let base =
        json!({"managingOrganization": {"reference": "Organization/1"}, "maritalStatus": {"coding": [{"system": "s", "code": "S"}]}});
    let now = json!({"managingOrganization": {"reference": "Organization/2"}, "maritalStatus": {"coding": [{"system": "s", "code": "M"}]}});
    assert_eq!(restore(original.clone(), &base, now.clone()), now);
}

#[test]
fn another_type_of_a_changed_choice_goes() {
    let dead = json!({"resourceType": "Patient", "deceasedDateTime": "2020-05", "_deceasedDateTime": {"id": "1"}});
    let render = |dead: bool| json!({"resourceType": "Patient", "deceasedBoolean": dead});
    assert_eq!(restore(dead.clone(), &render(true), render(true)), dead);
    assert_eq!(restore(dead.clone(), &render(true), render(false)), render(false));
    let sex = |key: &str, code: &str| json!({"extension": [{"url": "sex", key: code}]});
    let told = restore(sex("valueString", "f"), &sex("valueCode", "F"), sex("valueCode", "M"));
    assert_eq!(told, sex("valueCode", "M"));
}

#[test]
fn elements_are_found_again_when_they_move() {
    let original = json!({"identifier": [{"system": "a", "value": "1", "assigner": {"display": "A"}}, {"system": "b", "value": "2", "x": true}, {"system": "c"}]});
    let base = json!({"identifier": [{"system": "a", "value": "1"}, {"system": "b", "value": "2"}]});
    let now = json!({"identifier": [{"system": "b", "value": "2", "use": "old"}, {"system": "d", "value": "4"}]});
    let merged =
        json!({"identifier": [{"system": "b", "value": "2", "x": true, "use": "old"}, {"system": "c"}, {"system": "d", "value": "4"}]});
    assert_eq!(restore(original.clone(), &base, now), merged);
    assert_eq!(restore(original.clone(), &base, json!({})), json!({"identifier": [{"system": "c"}]}));
    assert_eq!(
        restore(json!({"given": [null, "b"], "_given": [{"id": "1"}, null]}), &json!({"given": ["b"]}), json!({"given": ["c"]})),
        json!({"given": ["c"]})
    );
}

#[test]
fn the_clients_spelling_stands_beside_a_new_neighbour() {
    let phones = |numbers: &[&str]| json!({ "phones": numbers });
    let told = restore(phones(&["(555) 1"]), &phones(&["5551"]), phones(&["5551", "5552"]));
    assert_eq!(told, phones(&["(555) 1", "5552"]));
}

#[test]
fn what_was_never_rendered_joins_what_is_rendered_today() {
    let original = json!({"identifier": [{"value": "x"}], "gender": "other"});
    let now = json!({"identifier": [{"system": "mrn", "value": "1"}], "gender": "male"});
    assert_eq!(
        restore(original.clone(), &json!({"gender": "other"}), now),
        json!({"identifier": [{"value": "x"}, {"system": "mrn", "value": "1"}], "gender": "male"})
    );
}

fn tree(key: &'static str, with_arrays: bool) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![(0..3i32).prop_map(Value::from), "[ab]{1,2}".prop_map(Value::from)];
    let inner = leaf.prop_recursive(3, 24, 4, move |inner| {
        let object = prop::collection::btree_map(key, inner.clone(), 1..4).prop_map(|m| Value::Object(m.into_iter().collect()));
        if with_arrays { prop_oneof![object, prop::collection::vec(inner, 1..4).prop_map(Value::from)].boxed() } else { object.boxed() }
    });
    prop::collection::btree_map(key, inner, 1..4).prop_map(|m| Value::Object(m.into_iter().collect())).boxed()
}

/// What a client sent around what the mapping takes: more keys, named apart so that they can be told again.
fn decorate(value: &Value, seed: u64) -> Value {
    match value {
        Value::Object(map) => {
            let mut out: Map<String, Value> = map.iter().map(|(k, v)| (k.clone(), decorate(v, seed / 3))).collect();
            if seed.is_multiple_of(2) {
                out.insert(format!("kept{}", seed % 5), json!(["kept"]));
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(|v| decorate(v, seed / 3)).collect()),
        leaf => leaf.clone(),
    }
}

fn leaves(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| leaves(v, &format!("{path}/{k}"), out)),
        leaf => out.push((path.into(), leaf.clone())),
    }
}

proptest! {
    #[test]
    fn unchanged_columns_give_the_original(original in tree("[a-d]", true), base in tree("[a-d]", true)) {
        prop_assert_eq!(restore(original.clone(), &base, base.clone()), original);
    }
    #[test]
    fn a_document_that_is_all_columns_gives_the_columns(base in tree("[a-d]", true), now in tree("[a-d]", true)) {
        prop_assert_eq!(restore(base.clone(), &base, now.clone()), now);
    }
    #[test]
    fn todays_columns_are_always_in_the_answer(base in tree("[a-d]", true), now in tree("[a-d]", true), seed: u64) {
        let answer = restore(decorate(&base, seed), &base, now.clone());
        prop_assert!(covers(&answer, &now), "{} lacks something of {}", answer, now);
    }
    #[test]
    fn no_leaf_that_changed_keeps_the_old_value(original in tree("[a-d]", false), base in tree("[a-d]", false), now in tree("[a-d]", false)) {
        let answer = restore(original.clone(), &base, now.clone());
        let (mut were, mut are) = (Vec::new(), Vec::new());
        leaves(&base, "", &mut were);
        leaves(&now, "", &mut are);
        for (path, value) in were.iter().chain(&are) {
            if base.pointer(path) != now.pointer(path) {
                match now.pointer(path) {
                    Some(told) => prop_assert!(answer.pointer(path).is_some_and(|a| covers(a, told)), "{} is not today's", path),
                    None => prop_assert_eq!(answer.pointer(path), None, "{} tells {}", path, value),
                }
            }
        }
    }
    #[test]
    fn nothing_kept_is_lost_where_its_parent_lives(base in tree("[a-d]", false), now in tree("[a-d]", false), seed: u64) {
        let original = decorate(&base, seed);
        let answer = restore(original.clone(), &base, now.clone());
        let mut all = Vec::new();
        leaves(&original, "", &mut all);
        for (path, value) in all.iter().filter(|(path, _)| path.contains("/kept")) {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let lives = base.pointer(parent).is_some_and(Value::is_object) && now.pointer(parent).is_some_and(Value::is_object);
            prop_assert!(!lives || answer.pointer(path) == Some(value), "{} is lost", path);
        }
    }
}

#[test]
fn what_is_about_a_code_stays_about_it() {
    let measure = |code: &str, value: i32| json!({"code": {"coding": [{"system": "urn:m", "code": code}]}, "value": value});
    let rendered =
        |code: &str, value: i32| json!({"code": {"coding": [{"system": "urn:m", "code": code, "display": "our words"}]}, "value": value});
    let of = |items: [Value; 2]| json!({"component": items});
    let original = of([measure("low", 80), measure("high", 120)]);
    let (base, now) = (of([rendered("high", 120), rendered("low", 80)]), of([rendered("high", 131), rendered("low", 80)]));
    assert_eq!(restore(original.clone(), &base, now), of([measure("high", 131), measure("low", 80)]));
    // One more that the columns say today leaves the others theirs.
    let now = json!({"component": [rendered("high", 131), rendered("low", 80), rendered("rate", 61)]});
    let merged = restore(original.clone(), &base, now);
    assert_eq!(merged["component"], json!([measure("high", 131), measure("low", 80), rendered("rate", 61)]));
}
