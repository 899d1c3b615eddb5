//! Searches over generated records and over the official examples of every type, each held against an evaluator that knows R4's
//! words and no table. `SEARCHES=5000` asks more, `DICE=7` asks others.

use super::asked::Dice;
use super::comparison::held;
use super::meaning::{UCUM, UNITS};
use super::{Client, id, kept};
use crate::world;
use serde_json::{Value, json};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn searches() -> usize {
    number("SEARCHES").map_or(400, |count| usize::try_from(count).unwrap())
}

fn dice() -> Dice {
    Dice(number("DICE").unwrap_or(0) ^ 0x5E_ED0F_7EE7)
}

const DATES: [&str; 7] = ["2020", "2020-02", "2020-02-29", "2021-01-01", "2020-06-15T10:00:00Z", "2021-03-01T23:30:00+02:00", "2019-12-31"];

fn concept(dice: &mut Dice) -> Value {
    let coding = json!({"system": dice.of(&["urn:a", "urn:b"]), "code": dice.of(&["x", "y", "X"]), "display": dice.of(&["Red tooth", "Blue tooth", "Grün"])});
    match dice.roll(4) {
        0 => json!({"text": "only text"}),
        1 => json!({"coding": [coding, {"system": "urn:c", "code": "z"}]}),
        2 => json!({"coding": [{"code": "bare"}]}),
        _ => json!({"coding": [coding]}),
    }
}

fn period(dice: &mut Dice) -> Value {
    match dice.roll(3) {
        0 => json!({"start": "2020-01-01"}),
        1 => json!({"end": "2020-12-31"}),
        _ => json!({"start": "2020-02-01", "end": "2020-08-01T12:00:00Z"}),
    }
}

fn set(one: &mut Value, dice: &mut Dice, key: &str, value: Value) {
    if dice.roll(3) > 0 {
        one[key] = value;
    }
}

fn person(dice: &mut Dice, place: usize) -> Value {
    let mut one = json!({"resourceType": "Patient", "name": [{"family": dice.of(&["Müller", "Muller", "Smith", "Smithson"]), "given": [dice.of(&["Zoë", "Ann", "Anna"])]}]});
    let (gender, born, died) =
        (dice.of(&["male", "female", "other"]), dice.of(&["1990-05-17", "1990-05-18", "1980-01-01"]), dice.of(&DATES[2..]));
    set(&mut one, dice, "gender", json!(gender));
    set(&mut one, dice, "birthDate", json!(born));
    let is_active = dice.is();
    // What our columns presume where nothing is said is said: a search goes by the columns.
    one["active"] = json!(is_active);
    set(&mut one, dice, "identifier", json!([{"system": "urn:a", "value": format!("N-{place}")}]));
    let (phone, city) = (
        json!([{"system": "phone", "value": format!("555-010{}", place % 3), "use": "home"}]),
        json!([{"city": dice.of(&["Amherst", "Boston"]), "line": ["1 Main"], "use": dice.of(&["home", "work"])}]),
    );
    set(&mut one, dice, "telecom", phone);
    set(&mut one, dice, "address", city);
    let marital = concept(dice);
    set(&mut one, dice, "maritalStatus", marital);
    if dice.roll(4) == 0 {
        one["deceasedDateTime"] = json!(died);
        one["active"] = json!(false);
    }
    one
}

fn event(dice: &mut Dice, name: &str, subject: &str) -> Value {
    let mut one = json!({"resourceType": name, "subject": {"reference": format!("Patient/{subject}")}, "code": concept(dice)});
    let (date, span) = (dice.of(&DATES), period(dice));
    match name {
        "Observation" => {
            one["status"] = json!(dice.of(&["final", "preliminary", "amended"]));
            let is_span = dice.is();
            if is_span {
                one["effectivePeriod"] = span
            } else {
                set(&mut one, dice, "effectiveDateTime", json!(date))
            }
            let (unit, ..) = dice.of(&UNITS);
            let number: Value = serde_json::from_str(dice.of(&["5", "5.0", "50", "0.5", "4.96", "5000"])).unwrap();
            match dice.roll(4) {
                0 => one["valueCodeableConcept"] = concept(dice),
                1 => one["valueString"] = json!(dice.of(&["Red gum", "red", "Ünder"])),
                2 => one["valueQuantity"] = json!({"value": number, "unit": unit, "system": UCUM, "code": unit}),
                _ => one["valueQuantity"] = json!({"value": number, "unit": unit}),
            }
        }
        "Condition" => {
            let is_span = dice.is();
            if is_span {
                one["onsetPeriod"] = json!({"start": "2020-02-01", "end": "2020-08-01T12:00:00Z"})
            } else {
                let day = json!(dice.of(&DATES[..5]));
                set(&mut one, dice, "onsetDateTime", day)
            }
            let severity = concept(dice);
            set(&mut one, dice, "severity", severity);
            let recorded = json!(dice.of(&DATES[..5]));
            let coded = |system: &str, code: &str| json!({"coding": [{"system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code}]});
            one["verificationStatus"] = coded("condition-ver-status", dice.of(&["confirmed", "provisional"]));
            one["category"] = json!([coded("condition-category", "problem-list-item")]);
            set(&mut one, dice, "recordedDate", recorded);
            one["clinicalStatus"] = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": dice.of(&["active", "resolved"])}]});
        }
        "Flag" => {
            one["status"] = json!(dice.of(&["active", "inactive"]));
            set(&mut one, dice, "period", span);
        }
        _ => {
            one["status"] = json!(dice.of(&["active", "draft"]));
            one["intent"] = json!("order");
            set(&mut one, dice, "authoredOn", json!(date));
            set(&mut one, dice, "occurrencePeriod", span);
            let profile = json!({"profile": [dice.of(&["http://x.test/a", "http://x.test/a/b"])]});
            set(&mut one, dice, "meta", profile);
        }
    }
    one
}

/// People, and what is said of each and of some more than of others.
async fn stored(fhir: &Client, dice: &mut Dice) -> Vec<Value> {
    let mut people = Vec::new();
    for place in 0..24 {
        people.push(id(&fhir.made(person(dice, place)).await));
    }
    let mut made: Vec<(&str, String)> = people.iter().map(|id| ("Patient", id.clone())).collect();
    for _ in 0..24 {
        for name in ["Observation", "Condition", "Flag", "ServiceRequest"] {
            let about = &people[dice.roll(people.len()).min(dice.roll(people.len()))];
            made.push((name, id(&fhir.made(event(dice, name, about)).await)));
        }
    }
    let mut all = Vec::new();
    for (name, id) in made {
        all.push(fhir.get(&format!("/{name}/{id}")).await.body);
    }
    all
}

#[test]
fn generated_searches_find_what_an_evaluator_finds() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let mut dice = dice();
        let all = stored(&fhir, &mut dice).await;
        held(&fhir, &all, &mut dice, searches()).await;
    });
}

#[test]
fn searches_for_the_official_examples_find_what_an_evaluator_finds() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let all = kept::stored(&fhir).await;
        // As the database does by itself in a minute: until then it takes tables for empty, and a chain may walk one for each row.
        world.truth().await.batch_execute("analyze").await.unwrap();
        held(&fhir, &all, &mut dice(), searches()).await;
    });
}
