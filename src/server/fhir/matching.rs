//! `Patient/$match`: who of the caller's patients the given one may be. A few searches over indexed columns find who comes into
//! question, and each is graded by what agrees and what contradicts.

use super::operations::Call;
use super::read::Shown;
use super::way::Way;
use super::{page, search};
use crate::fhir::negotiate::Prefer;
use crate::fhir::search::{Query, form};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::store::fold;
use serde_json::{Value as Json, json};

/// Whom one search may bring, and how many are answered.
const CANDIDATES_MAX: usize = 50;
const COUNT_MAX: usize = 50;
const COUNT: usize = 10;
const IDENTIFIERS_MAX: usize = 10;
const GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";

pub async fn run(call: &Call<'_>) -> Result<Json> {
    let wrong = |text: &str| Error::new(&error::PARAMETER_INVALID).fault("resource", "required", text);
    let given =
        call.inputs.get("resource").filter(|it| it["resourceType"] == "Patient").ok_or_else(|| wrong("The resource is a Patient."))?;
    let count = call.inputs.whole("count")?.unwrap_or(COUNT).min(COUNT_MAX);
    let is_certain_only = call.inputs.flag("onlyCertainMatches");
    let questions = questions(given);
    if questions.is_empty() {
        return Err(wrong("It has an identifier, or a name and a birth date, or a name and a contact."));
    }
    let mut found: Vec<Shown> = Vec::new();
    for text in questions {
        let query = search::parse("Patient", call.def.search, &text, Prefer::STRICT, call.base)?;
        let page = page::one(call.caller, &mut Way::Apart, "Patient", &Query { count: CANDIDATES_MAX, ..query }).await?;
        for shown in page.shown {
            if found.iter().all(|known| (known.record.id, known.record.tenant) != (shown.record.id, shown.record.tenant)) {
                found.push(shown);
            }
        }
    }
    let mut graded: Vec<(f64, &str, String, Json)> = Vec::new();
    for shown in found {
        let (id, resource) = (shown.record.id.to_string(), shown.resource.into_value());
        let (score, grade) = compared(given, &resource);
        if grade != "certainly-not" && (grade == "certain" || !is_certain_only) {
            graded.push((score, grade, id, resource));
        }
    }
    graded.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.2.cmp(&other.2)));
    // Of several that are certain none is.
    if is_certain_only && graded.len() > 1 {
        graded.clear();
    }
    graded.truncate(count);
    let entry = |(score, grade, id, resource): (f64, &str, String, Json)| {
        let search = json!({"extension": [{"url": GRADE, "valueCode": grade}], "mode": "match", "score": score});
        json!({"fullUrl": format!("{}/Patient/{id}", call.base), "resource": resource, "search": search})
    };
    let total = graded.len();
    let entries: Vec<Json> = graded.into_iter().map(entry).collect();
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset", "total": total});
    if !entries.is_empty() {
        bundle["entry"] = Json::Array(entries);
    }
    Ok(bundle)
}

fn items<'v>(value: &'v Json, key: &str) -> impl Iterator<Item = &'v Json> {
    value[key].as_array().into_iter().flatten()
}

fn texts(value: &Json, list: &str, key: &str) -> Vec<String> {
    let of = |item: &Json| match &item[key] {
        Json::String(text) => vec![fold(text)],
        Json::Array(texts) => texts.iter().filter_map(Json::as_str).map(fold).collect(),
        _ => Vec::new(),
    };
    items(value, list).flat_map(of).filter(|text| !text.is_empty()).collect()
}

fn telecoms(patient: &Json) -> Vec<String> {
    let plain = |text: &str| if text.contains('@') { fold(text) } else { text.chars().filter(char::is_ascii_digit).collect() };
    items(patient, "telecom").filter_map(|point| point["value"].as_str()).map(plain).filter(|text| !text.is_empty()).collect()
}

fn identifiers(patient: &Json) -> Vec<(&str, &str)> {
    items(patient, "identifier")
        .filter_map(|known| Some((known["system"].as_str().unwrap_or_default(), known["value"].as_str()?)))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|").replace('$', "\\$")
}

/// Searches each of which an index answers, and none that brings a whole clinic.
fn questions(given: &Json) -> Vec<String> {
    let mut questions = Vec::new();
    let known: Vec<String> = identifiers(given)
        .iter()
        .take(IDENTIFIERS_MAX)
        .map(|(system, value)| if system.is_empty() { escaped(value) } else { format!("{}|{}", escaped(system), escaped(value)) })
        .collect();
    if !known.is_empty() {
        questions.push(form::encode([("identifier", known.join(",").as_str())]));
    }
    let first = |key: &str| items(given, "name").find_map(|name| name[key].as_str().or_else(|| name[key][0].as_str())).map(escaped);
    let (family, given_name, born) = (first("family"), first("given"), given["birthDate"].as_str());
    let born = born.filter(|born| born.len() == 10);
    if let (Some(family), Some(born)) = (&family, born) {
        questions.push(form::encode([("family", family.as_str()), ("birthdate", born)]));
    }
    if let (Some(given_name), Some(born)) = (&given_name, born) {
        questions.push(form::encode([("given", given_name.as_str()), ("birthdate", born)]));
    }
    if let (Some(family), Some(given_name)) = (&family, &given_name) {
        questions.push(form::encode([("family", family.as_str()), ("given", given_name.as_str())]));
    }
    if let (Some(family), Some(point)) = (&family, items(given, "telecom").find_map(|point| point["value"].as_str())) {
        questions.push(form::encode([("family", family.as_str()), ("telecom", escaped(point).as_str())]));
    }
    questions
}

/// How much weighs what both say: what agrees of what could.
fn compared(given: &Json, known: &Json) -> (f64, &'static str) {
    let shares =
        |one: Vec<String>, other: Vec<String>| (!one.is_empty() && !other.is_empty()).then(|| one.iter().any(|text| other.contains(text)));
    let same = |key: &str| given[key].as_str().zip(known[key].as_str()).map(|(one, other)| one == other);
    let family = shares(texts(given, "name", "family"), texts(known, "name", "family"));
    let first = shares(texts(given, "name", "given"), texts(known, "name", "given"));
    let born = same("birthDate");
    let contact = shares(telecoms(given), telecoms(known));
    let home = shares(texts(given, "address", "postalCode"), texts(known, "address", "postalCode"));
    let (mut said, mut agreed) = (0.0, 0.0);
    for (weight, told) in [(0.25, family), (0.2, first), (0.3, born), (0.05, same("gender")), (0.12, contact), (0.08, home)] {
        said += if told.is_some() { weight } else { 0.0 };
        agreed += if told == Some(true) { weight } else { 0.0 };
    }
    let others = identifiers(known);
    let is_identified = identifiers(given).iter().any(|(system, value)| !system.is_empty() && others.contains(&(*system, *value)));
    // Few words agree by chance: what is not said counts half against.
    let share = agreed / (said + (1.0 - said) / 2.0);
    let contradicts = born == Some(false) || family == Some(false);
    let (score, grade) = match (is_identified, contradicts) {
        (true, false) if born == Some(true) || family == Some(true) => (0.95_f64.max(share), "certain"),
        (true, _) => (0.7, "probable"),
        (false, _) if born == Some(true) && family == Some(true) && first == Some(true) && contact == Some(true) => {
            (0.95_f64.max(share), "certain")
        }
        (false, _) if share >= 0.8 => (share.min(0.94), "probable"),
        (false, _) if share >= 0.4 => (share.min(0.79), "possible"),
        (false, _) => (share, "certainly-not"),
    };
    ((score * 1000.0).round() / 1000.0, grade)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(family: &str, given: &str, born: &str) -> Json {
        json!({"resourceType": "Patient", "birthDate": born, "name": [{"family": family, "given": [given]}]})
    }

    #[test]
    fn what_agrees_raises_the_grade_and_what_contradicts_lowers_it() {
        let known = person("Müller", "Zoë", "1990-05-17");
        let grade = |other: &Json| compared(other, &known).1;
        assert_eq!(grade(&person("muller", "zoe", "1990-05-17")), "probable");
        assert_eq!(grade(&person("Müller", "Zoë", "1991-05-17")), "possible");
        assert_eq!(grade(&person("Meier", "Ann", "1990-05-17")), "certainly-not");
        let identified = |mut one: Json| {
            one["identifier"] = json!([{"system": "urn:x", "value": "7"}]);
            one
        };
        let numbered = identified(known.clone());
        assert_eq!(compared(&identified(person("Müller", "Z", "1990-05-17")), &numbered).1, "certain");
        assert_eq!(compared(&identified(person("Other", "Z", "1950-01-01")), &numbered).1, "probable");
        assert!(compared(&known, &known).0 < compared(&numbered, &numbered).0);
    }

    #[test]
    fn too_little_is_no_question() {
        assert_eq!(questions(&json!({"resourceType": "Patient", "gender": "female", "birthDate": "1990-01-01"})), [""; 0]);
        assert_eq!(questions(&person("Doe", "Ann", "1990-01-01")).len(), 3);
    }
}
