//! Generated searches over generated records, each held against an evaluator that knows R4's words and no table: it reads
//! every resource as it is served and asks the official expression what the parameter means. `SEARCHES=5000` asks more.

use super::meaning::{UCUM, UNITS, dated, lasts, measured, span, words};
use super::{Client, id, patient};
use crate::world;
use chrono::{DateTime, Utc};
use enamel::fhir::definitions::Definitions;
use enamel::fhir::definitions::parameter::SearchParameter;
use enamel::fhir::path::{Alone, Context, Expression, Item, Node};
use enamel::kernel::table::store::fold;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// xorshift64*: the same run from the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }
    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.roll(items.len())]
    }
    fn is(&mut self) -> bool {
        self.roll(2) == 0
    }
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

/// What the official expression selects.
fn selected(resource: &Value, parameter: &SearchParameter) -> Vec<Value> {
    let name = resource["resourceType"].as_str().unwrap();
    let node = Node::resource(resource).unwrap();
    let now = DateTime::<Utc>::UNIX_EPOCH.fixed_offset();
    let context =
        Context { resource: node, root: node, document: node, now, world: &Alone, is_strict: false, steps_max: 100_000, variables: &[] };
    let mut found = Vec::new();
    for path in parameter.expression.split(" | ").map(str::trim) {
        let first = path.trim_start_matches('(').split(['.', ' ']).next().unwrap();
        if ![name, "Resource", "DomainResource"].contains(&first) {
            continue;
        }
        let (path, to) = path.split_once(".where(resolve() is ").map_or((path, None), |(path, to)| (path, Some(to.trim_end_matches(')'))));
        let expression = Expression::parse(path).unwrap();
        let items = expression.evaluate(Item::Node(node), &context).unwrap();
        let values = items.iter().filter_map(|item| match item {
            Item::Node(node) => node.value.cloned(),
            Item::Boolean(flag) => Some(json!(flag)),
            _ => None,
        });
        found.extend(
            values.filter(|value| to.is_none_or(|to| value["reference"].as_str().is_some_and(|it| it.starts_with(&format!("{to}/"))))),
        );
    }
    found
}

/// One question about one parameter.
#[derive(Debug, Clone)]
enum Asked {
    Missing(bool),
    Token { system: Option<String>, code: String, is_not: bool },
    Called(String),
    Text { how: &'static str, text: String },
    Date { prefix: &'static str, text: String },
    Reference(String),
    Quantity { prefix: &'static str, text: String, unit: Option<String> },
    Uri { how: &'static str, text: String },
}

const PREFIXES: [&str; 9] = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"];

fn question(dice: &mut Dice, kind: &str, values: &[Value]) -> Option<Asked> {
    if kind != "composite" && (values.is_empty() || dice.roll(8) == 0) {
        return Some(Asked::Missing(dice.is()));
    }
    let value = values.get(dice.roll(values.len().max(1)))?;
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    match kind {
        "token" => {
            let coding = value.pointer("/coding/0").unwrap_or(value);
            if value.get("text").is_some() || coding["display"].is_string() && dice.roll(4) == 0 {
                let called = coding["display"].as_str().or(value["text"].as_str())?;
                return Some(Asked::Called(called.split(' ').next().unwrap().to_lowercase()));
            }
            let code = value
                .as_str()
                .or(coding["code"].as_str())
                .or(coding["value"].as_str())
                .map(str::to_owned)
                .or(value.as_bool().map(|it| it.to_string()))?;
            let system = coding["system"].as_str().filter(|system| system.contains(':') && dice.is()).map(str::to_owned);
            Some(Asked::Token { system, code, is_not: dice.roll(4) == 0 })
        }
        "string" => {
            let word = value.as_str().map(str::to_owned).or_else(|| text("family")).or_else(|| text("city"))?;
            let how = dice.of(&["", ":exact", ":contains"]);
            let text = match how {
                "" => word.chars().take(3).collect::<String>().to_uppercase(),
                ":contains" => word.chars().skip(1).take(3).collect(),
                _ => word,
            };
            Some(Asked::Text { how, text })
        }
        "date" => Some(Asked::Date { prefix: dice.of(&PREFIXES), text: dice.of(&DATES[..4]).to_owned() }),
        "reference" => text("reference").map(Asked::Reference),
        "quantity" => {
            let (unit, ..) = dice.of(&UNITS);
            let unit = dice.is().then(|| unit.to_owned());
            Some(Asked::Quantity { prefix: dice.of(&PREFIXES), text: dice.of(&["5", "5.0", "50", "500", "4.96"]).to_owned(), unit })
        }
        "uri" => Some(Asked::Uri { how: dice.of(&["", ":below", ":above"]), text: value.as_str()?.to_owned() }),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

impl Asked {
    fn written(&self, name: &str) -> String {
        match self {
            Self::Missing(flag) => format!("{name}:missing={flag}"),
            Self::Token { system, code, is_not } => {
                let system = system.as_ref().map(|system| format!("{}%7C", escaped(system))).unwrap_or_default();
                format!("{name}{}={system}{}", if *is_not { ":not" } else { "" }, escaped(code))
            }
            Self::Called(text) => format!("{name}:text={}", escaped(text)),
            Self::Text { how, text } | Self::Uri { how, text } => format!("{name}{how}={}", escaped(text)),
            Self::Date { prefix, text } => format!("{name}={prefix}{}", escaped(text)),
            Self::Reference(text) => format!("{name}={}", escaped(text)),
            Self::Quantity { prefix, text, unit } => {
                let unit = unit.as_ref().map(|unit| format!("%7C{}%7C{unit}", escaped(UCUM))).unwrap_or_default();
                format!("{name}={prefix}{text}{unit}")
            }
        }
    }

    fn holds(&self, values: &[Value]) -> bool {
        match self {
            Self::Missing(flag) => values.is_empty() == *flag,
            Self::Token { is_not: true, .. } => !values.iter().any(|value| self.is_met(value)),
            _ => values.iter().any(|value| self.is_met(value)),
        }
    }

    fn is_met(&self, value: &Value) -> bool {
        match self {
            Self::Missing(_) => false,
            Self::Token { system, code, .. } => {
                let one = |coding: &Value| {
                    let own = coding["code"].as_str().or(coding["value"].as_str());
                    own == Some(code.as_str()) && system.as_ref().is_none_or(|system| coding["system"] == system.as_str())
                };
                match (value, value["coding"].as_array()) {
                    (Value::String(own), _) => own == code,
                    (Value::Bool(own), _) => own.to_string() == *code,
                    (_, Some(codings)) => codings.iter().any(one),
                    _ => one(value),
                }
            }
            Self::Called(text) => {
                let texts = value["coding"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .chain([value])
                    .flat_map(|it| [it["display"].as_str(), it["text"].as_str()]);
                texts.flatten().any(|own| fold(own).contains(&fold(text)))
            }
            Self::Text { how, text } => words(value).iter().any(|own| match *how {
                ":exact" => own == text,
                ":contains" => fold(own).contains(&fold(text)),
                _ => fold(own).starts_with(&fold(text)),
            }),
            Self::Date { prefix, text } => lasts(value).is_some_and(|own| dated(prefix, own, span(text).unwrap())),
            Self::Reference(text) => value["reference"] == text.as_str(),
            Self::Quantity { prefix, text, unit } => measured(value, prefix, text, unit.as_deref()),
            Self::Uri { how, text } => value.as_str().is_some_and(|own| match *how {
                ":below" => own == text || own.starts_with(&format!("{text}/")),
                ":above" => own == text || text.starts_with(&format!("{own}/")),
                _ => own == text,
            }),
        }
    }
}

async fn stored(fhir: &Client, dice: &mut Dice) -> Vec<Value> {
    let mut all = Vec::new();
    let mut subject = patient("Subject");
    subject["active"] = json!(true);
    let subject = id(&fhir.made(subject).await);
    for place in 0..24 {
        all.push(person(dice, place));
        for name in ["Observation", "Condition", "Flag", "ServiceRequest"] {
            all.push(event(dice, name, &subject));
        }
    }
    let mut made = vec![fhir.get(&format!("/Patient/{subject}")).await.body];
    for one in all {
        let name = one["resourceType"].as_str().unwrap().to_owned();
        let path = format!("/{name}/{}", id(&fhir.made(one).await));
        made.push(fhir.get(&path).await.body);
    }
    made
}

#[test]
fn generated_searches_find_what_an_evaluator_finds() {
    let searches: usize = std::env::var("SEARCHES").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    world::with(async move |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let mut dice = Dice(0x5E_ED0F_7EE7);
        let all = stored(&fhir, &mut dice).await;
        let (mut asked, mut hits, mut wrong) = (0, 0, Vec::new());
        while asked < searches {
            let about = all[dice.roll(all.len())].clone();
            let name = about["resourceType"].as_str().unwrap();
            let known: Vec<&SearchParameter> = Definitions::r4()
                .parameters(name)
                .chain(Definitions::r4().parameters("Resource"))
                .filter(|known| {
                    !known.expression.is_empty()
                        && !known.url.starts_with("urn:")
                        && known.code != "phonetic"
                        && known.code != "_lastUpdated"
                })
                .collect();
            let mut parts = Vec::new();
            for _ in 0..=dice.roll(2) {
                let parameter = dice.of(&known);
                let values = selected(&about, parameter);
                parts.extend(question(&mut dice, &parameter.kind, &values).filter(|_| parameter.code != "_id").map(|it| (parameter, it)));
            }
            if parts.is_empty() {
                continue;
            }
            asked += 1;
            let query: Vec<String> = parts.iter().map(|(parameter, asked)| asked.written(&parameter.code)).collect();
            let path = format!("/{name}?{}", query.join("&"));
            let of_type = all.iter().filter(|one| one["resourceType"] == name);
            let meant = of_type.filter(|one| parts.iter().all(|(parameter, asked)| asked.holds(&selected(one, parameter))));
            let meant: BTreeSet<String> = meant.map(id).collect();
            let answer = fhir.get(&format!("{path}&_count=200")).await;
            if answer.status != 200 {
                wrong.push(format!("{path}: {} {}", answer.status, answer.body));
                continue;
            }
            let found: BTreeSet<String> = super::ids(&answer.body).into_iter().collect();
            hits += usize::from(!found.is_empty());
            if found != meant {
                let one = all.iter().find(|one| found.contains(&id(one)) != meant.contains(&id(one)));
                wrong.push(format!("{path}: found {} of {}, first: {}", found.len(), meant.len(), one.unwrap()));
            } else if dice.roll(8) == 0 {
                let sort = dice.of(&["_id", "-_lastUpdated", "_lastUpdated,-_id"]);
                let paged = fhir.paged(&format!("{path}&_sort={sort}&_count=3")).await;
                assert_eq!((paged.len(), paged.iter().cloned().collect::<BTreeSet<_>>()), (meant.len(), meant), "{path} by {sort}");
            }
        }
        println!("{asked} searches, {hits} of them with matches, {} wrong", wrong.len());
        assert!(wrong.is_empty(), "{} of {asked} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(hits * 3 > asked, "{hits} of {asked} find anything");
    });
}
