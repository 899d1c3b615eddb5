//! Every search parameter of every type finds the resource whose value is asked for, and no other value finds it.

use super::kept::{examples, joined};
use super::{Client, id, patient};
use crate::world;
use enamel::fhir::definitions::Definitions;
use enamel::fhir::definitions::parameter::SearchParameter;
use enamel::fhir::path::{Alone, Context, Expression, Item, Node};
use poem::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the official expression selects, without what needs other resources.
fn selected(resource: &Value, expression: &str) -> Vec<Value> {
    let name = resource["resourceType"].as_str().unwrap();
    let node = Node::resource(resource).unwrap();
    let context = Context {
        resource: node,
        root: node,
        document: node,
        now: chrono::DateTime::<chrono::Utc>::UNIX_EPOCH.fixed_offset(),
        world: &Alone,
        is_strict: false,
        steps_max: 100_000,
        variables: &[],
    };
    let own = |path: &&str| path.trim_start_matches('(').starts_with(&format!("{name}."));
    let plain = expression.split(" | ").map(str::trim).filter(own).filter(|path| !path.contains("resolve()"));
    let mut found = Vec::new();
    for path in plain {
        let expression = Expression::parse(path).unwrap();
        found.extend(expression.evaluate(Item::Node(node), &context).unwrap().iter().filter_map(|item| match item {
            Item::Node(node) => node.value.cloned(),
            _ => None,
        }));
    }
    found
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|").replace('$', "\\$");
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// How somebody would ask for the value, written here from the words of R4 §3.1.1.4 and not from the server's code.
fn asked(kind: &str, value: &Value) -> Option<String> {
    let text = |key: &str| value[key].as_str().map(escaped);
    match (kind, value) {
        ("number", Value::Number(number)) => Some(number.to_string()),
        ("token", Value::Bool(flag)) => Some(flag.to_string()),
        ("reference", Value::String(code)) if code.starts_with('#') => None,
        ("token" | "uri" | "reference", Value::String(code)) => Some(escaped(code)),
        ("string", Value::String(text)) => Some(escaped(text.split_whitespace().next()?)),
        ("date", Value::String(text)) => Some(escaped(text)),
        ("token", Value::Object(map)) => {
            let coding = value.pointer("/coding/0").unwrap_or(value);
            let code = coding["code"].as_str().or(coding["value"].as_str()).map(escaped)?;
            match coding["system"].as_str() {
                Some(system) if !map.contains_key("value") || map.contains_key("assigner") || system.contains(':') => {
                    Some(format!("{}%7C{code}", escaped(system)))
                }
                _ => Some(code),
            }
        }
        ("string", _) => {
            text("family").or(text("city")).or(text("text")).or(value.pointer("/given/0").and_then(Value::as_str).map(escaped))
        }
        ("reference", _) => text("reference").filter(|reference| !reference.starts_with("%23")),
        // Whatever else the period holds, it is about the time it starts at.
        ("date", _) => text("start").map(|start| format!("ap{start}")),
        ("quantity", _) => {
            let number = value["value"].as_number()?.to_string();
            match (text("system"), text("code")) {
                (Some(system), Some(code)) => Some(format!("{number}%7C{system}%7C{code}")),
                _ => Some(number),
            }
        }
        _ => None,
    }
}

/// For each parameter that the resource has a value of, what would ask for one.
pub fn questions(resource: &Value) -> Vec<(&'static SearchParameter, String)> {
    let name = resource["resourceType"].as_str().unwrap();
    let asked = |known: &'static SearchParameter| {
        let values = selected(resource, &known.expression);
        Some((known, values.iter().find_map(|value| asked(&known.kind, value))?))
    };
    Definitions::r4().parameters(name).filter(|known| known.kind != "composite").filter_map(asked).collect()
}

/// The same question about something that is not there.
fn other(kind: &str, code: &str) -> &'static str {
    match kind {
        // What is no tooth is refused.
        "token" if code == "tooth" => "55",
        "token" if code == "quadrant" => "20",
        "number" => "987654321",
        "quantity" => "987654321%7Curn%3Anowhere%7Cx",
        "date" => "1066-10-14",
        "reference" => "https%3A%2F%2Fnowhere.test%2FPatient%2Fnobody",
        "uri" => "urn%3Anowhere",
        _ => "zzznowhere",
    }
}

async fn found(fhir: &Client, path: &str, id: &str) -> Result<bool, String> {
    let answer = fhir.get(path).await;
    if answer.status != StatusCode::OK {
        return Err(format!("{path}: {} {}", answer.status, answer.body));
    }
    Ok(super::ids(&answer.body).iter().any(|known| known == id))
}

#[test]
fn every_parameter_of_every_type_finds_its_resource() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let ours = id(&fhir.made(patient("Doe")).await);
        let (mut tried, mut wrong) = (BTreeSet::new(), Vec::new());
        for mut sent in examples() {
            let name = sent["resourceType"].as_str().unwrap().to_owned();
            joined(&mut sent, &ours);
            let mut questions = questions(&sent);
            questions.retain(|(known, _)| !tried.contains(&format!("{name}.{}", known.code)));
            if questions.is_empty() {
                continue;
            }
            let answer = fhir.post(&format!("/{name}"), &sent).await;
            if answer.status != 201 {
                continue;
            }
            let own = id(&answer.body);
            for (known, value) in questions {
                let (code, kind) = (known.code.as_str(), known.kind.as_str());
                let newest = "_sort=-_lastUpdated&_count=200";
                match found(&fhir, &format!("/{name}?{code}={value}&{newest}"), &own).await {
                    Ok(true) => {}
                    Ok(false) => wrong.push(format!("{name}?{code}={value} does not find {}", sent["id"])),
                    Err(refusal) => wrong.push(refusal),
                }
                match found(&fhir, &format!("/{name}?{code}={}&{newest}", other(kind, code)), &own).await {
                    Ok(false) => {}
                    Ok(true) => wrong.push(format!("{name}?{code}={} finds {}", other(kind, code), sent["id"])),
                    Err(refusal) => wrong.push(refusal),
                }
                tried.insert(format!("{name}.{code}"));
            }
        }
        println!("{} parameters", tried.len());
        assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), tried.len(), wrong.join("\n"));
        assert!(tried.len() >= 600, "{}", tried.len());
    });
}

/// A pocket depth, kept whole.
fn observation(patient: &str, depth: &str) -> Value {
    let depth: Value = serde_json::from_str(depth).unwrap();
    json!({"resourceType": "Observation", "status": "final", "subject": {"reference": format!("Patient/{patient}"),
            "identifier": {"system": "urn:mrn", "value": "A-7"}},
        "code": {"coding": [{"system": "urn:probe", "code": "depth", "display": "Pocket depth"}]},
        "identifier": [{"system": "urn:x", "value": "Z-1"}], "meta": {"tag": [{"system": "urn:t", "code": "red"}]},
        "effectivePeriod": {"start": "2024-02-01", "end": "2024-02-10"},
        "valueQuantity": {"value": depth, "unit": "millimetres", "system": "http://unitsofmeasure.org", "code": "mm"}})
}

#[test]
fn modifiers_and_prefixes_mean_what_r4_says() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let ours = id(&fhir.made(patient("Doe")).await);
        let own = id(&fhir.made(observation(&ours, "4.5")).await);
        let bare = json!({"resourceType": "Observation", "status": "final", "code": {"text": "other"}});
        let other = id(&fhir.made(bare).await);
        let set = id(&fhir
            .made(json!({"resourceType": "ValueSet", "status": "active", "url": "http://x.test/a/b", "name": "Café Noir", "title": "Two Words"}))
            .await);
        for (question, hit) in [
            ("Observation?code=depth", true),
            ("Observation?code=urn:probe%7Cdepth", true),
            ("Observation?code=urn:probe%7C", true),
            ("Observation?code=urn:other%7Cdepth", false),
            ("Observation?code=%7Cdepth", false),
            ("Observation?code:not=depth", false),
            ("Observation?code:not=width", true),
            ("Observation?identifier=urn:x%7CZ-1", true),
            ("Observation?identifier=Z-1,Z-2", true),
            ("Observation?identifier=urn:y%7CZ-1", false),
            ("Observation?_tag=urn:t%7Cred", true),
            ("Observation?_tag=urn:t%7Cblue", false),
            ("Observation?value-quantity=4.5", true),
            ("Observation?value-quantity=4.5%7Chttp://unitsofmeasure.org%7Cmm", true),
            ("Observation?value-quantity=4.5%7C%7Cmillimetres", true),
            ("Observation?value-quantity=4.5%7C%7Cmm", true),
            ("Observation?value-quantity=4.5%7Chttp://unitsofmeasure.org%7Ccm", false),
            ("Observation?value-quantity=5", true),
            ("Observation?value-quantity=4.6", false),
            ("Observation?value-quantity=gt4.4", true),
            ("Observation?value-quantity=gt4.5", false),
            ("Observation?value-quantity=ge4.5", true),
            ("Observation?value-quantity=lt4.5", false),
            ("Observation?value-quantity=le4.5", true),
            ("Observation?value-quantity=ne4.5", false),
            ("Observation?value-quantity=ap4.2", true),
            ("Observation?value-quantity=ap3", false),
            ("Observation?code-value-quantity=depth$4.5", true),
            ("Observation?code-value-quantity=depth$gt5", false),
            ("Observation?code-value-quantity=width$4.5", false),
            ("Observation?date=2024-02", true),
            ("Observation?date=2024-02-05", false),
            ("Observation?date=ap2024-02-05", true),
            ("Observation?date=ge2024-02-05&date=le2024-02-05", true),
            ("Observation?date=sa2024-01-31", true),
            ("Observation?date=sa2024-02-05", false),
            ("Observation?date=eb2024-02-11", true),
            ("Observation?date=ne2024-02", false),
        ] {
            assert_eq!(found(&fhir, &format!("/{question}"), &own).await, Ok(hit), "{question}");
        }
        assert_eq!(found(&fhir, "/Observation?code:not=depth", &other).await, Ok(true));
        // Where no column answers, every modifier is taken.
        let given = id(&fhir
            .made(json!({"resourceType": "Immunization", "status": "completed", "occurrenceDateTime": "2024-02-05",
                "patient": {"reference": format!("Patient/{ours}"), "identifier": {"system": "urn:mrn", "value": "A-7"}},
                "vaccineCode": {"coding": [{"system": "urn:probe", "code": "depth", "display": "Pocket depth"}]}}))
            .await);
        for (question, hit) in [
            ("vaccine-code:text=pocket", true),
            ("vaccine-code:text=width", false),
            ("vaccine-code:missing=false", true),
            ("vaccine-code:not=depth", false),
            ("identifier:missing=true", true),
            ("identifier:missing=false", false),
            ("location:missing=true", true),
            ("patient:identifier=urn:mrn%7CA-7", true),
            ("patient:identifier=urn:mrn%7CA-8", false),
        ] {
            assert_eq!(found(&fhir, &format!("/Immunization?{question}"), &given).await, Ok(hit), "{question}");
        }
        for (question, hit) in [
            ("url=http://x.test/a/b", true),
            ("url:below=http://x.test/a", true),
            ("url:below=http://x.test/a/b", true),
            ("url:below=http://x.test/a/b/c", false),
            ("url:below=http://x.test/aa", false),
            ("url:above=http://x.test/a/b/c", true),
            ("url:above=http://x.test/a", false),
            ("url:contains=test/a", true),
            ("url:contains=TEST", false),
            ("name=cafe", true),
            ("name=noir", false),
            ("name:contains=NOIR", true),
            ("name:exact=Caf%C3%A9%20Noir", true),
            ("name:exact=cafe%20noir", false),
        ] {
            assert_eq!(found(&fhir, &format!("/ValueSet?{question}"), &set).await, Ok(hit), "{question}");
        }
        let mut changed = fhir.get(&format!("/Observation/{own}")).await.body;
        changed["code"]["coding"][0]["code"] = json!("width");
        assert_eq!(fhir.put(&format!("/Observation/{own}"), &changed, &[]).await.status, 200);
        assert_eq!(found(&fhir, "/Observation?code=depth", &own).await, Ok(false));
        assert_eq!(found(&fhir, "/Observation?code=width", &own).await, Ok(true));
        let gone = fhir.send(poem::http::Method::DELETE, &format!("/Observation/{own}"), &[], Vec::new()).await;
        assert_eq!(gone.status, 204);
        assert_eq!(found(&fhir, "/Observation?code=width", &own).await, Ok(false));
    });
}

#[test]
fn a_code_that_the_column_has_no_word_for_is_found_by_itself_alone() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let allergy = |more: Value| {
            let mut allergy = json!({"resourceType": "AllergyIntolerance", "patient": {"reference": format!("Patient/{ada}")},
                "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
                "code": {"text": "dust"}});
            allergy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            allergy
        };
        let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
        let mut made = Vec::new();
        for more in [
            json!({"category": ["food"]}),
            json!({"category": ["biologic"]}),
            json!({"category": ["medication", "biologic"]}),
            json!({}),
            json!({"verificationStatus": {"coding": [{"system": system, "code": "unconfirmed"}]}}),
        ] {
            made.push(id(&fhir.made(allergy(more)).await));
        }
        let found = async |question: &str| {
            let ids = fhir.ids(&format!("/AllergyIntolerance?{question}")).await;
            made.iter().enumerate().filter(|(_, id)| ids.contains(id)).map(|(place, _)| place).collect::<Vec<_>>()
        };
        for (question, places) in [
            ("category=food", vec![0]),
            ("category=biologic", vec![1, 2]),
            ("category=medication", vec![2]),
            ("category=medication,biologic", vec![1, 2]),
            ("category=medication&category=biologic", vec![2]),
            ("category:not=food", vec![1, 2, 3, 4]),
            ("category:missing=true", vec![3, 4]),
            ("verification-status=unconfirmed", vec![4]),
            ("verification-status:missing=true", vec![0, 1, 2, 3]),
        ] {
            assert_eq!(found(question).await, places, "{question}");
        }
    });
}

/// Columns hold days and moments; what was said may be a year, a month or a time of the day.
#[test]
fn a_time_is_searched_as_it_was_said() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let subject = json!({"reference": format!("Patient/{}", id(&fhir.made(patient("Doe")).await))});
        let made = async |onset: &str| {
            let body = json!({"resourceType": "Condition", "subject": subject, "code": {"text": "Caries"}, "onsetDateTime": onset});
            id(&fhir.made(body).await)
        };
        let (year, month, day, time) =
            (made("2020").await, made("2020-05").await, made("2020-05-01").await, made("2020-05-01T15:00:00Z").await);
        let all = [&year, &month, &day, &time];
        for (asked, expected) in [
            ("2020", [true, true, true, true]),
            ("2020-05", [false, true, true, true]),
            ("2020-01", [false, false, false, false]),
            ("2020-01-01", [false, false, false, false]),
            ("2020-05-01", [false, false, true, true]),
            ("ne2020-05-01", [true, true, false, false]),
            ("le2020-05-01", [true, false, true, true]),
            ("lt2020-05-01T12:00:00Z", [true, true, true, false]),
            ("ge2020-05-01", [true, true, true, true]),
            ("gt2020-05-01", [true, true, false, false]),
            ("eb2020-06", [false, true, true, true]),
            ("eb2020-05-02", [false, false, true, true]),
            ("sa2020-04", [false, true, true, true]),
            ("sa2020-05-01T12:00:00Z", [false, false, false, true]),
        ] {
            let found = fhir.ids(&format!("/Condition?onset-date={asked}&_count=100")).await;
            assert_eq!(all.map(|id| found.contains(id)), expected, "{asked}");
        }
    });
}
