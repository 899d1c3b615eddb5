//! Generated searches, and what an evaluator that knows R4's words and no table finds by them: it reads every resource as it is
//! served and asks the official expression what the parameter means.

use super::meaning::{UCUM, UNITS, dated, lasts, measured, span, words};
use super::{Client, id};
use chrono::{DateTime, Utc};
use enamel::fhir::definitions::Definitions;
use enamel::fhir::definitions::parameter::SearchParameter;
use enamel::fhir::path::{Alone, Context, Expression, Item, Node};
use enamel::kernel::table::store::fold;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// xorshift64*: the same run from the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }
    pub fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.roll(items.len())]
    }
    pub fn is(&mut self) -> bool {
        self.roll(2) == 0
    }
}

/// What the official expression selects. None where that takes more than the resource itself, as the type of what a reference to
/// a contained or an unknown resource leads to, or where R4 leaves it open, as it does of elements that have extensions alone.
fn selected(resource: &Value, parameter: &SearchParameter) -> Option<Vec<Value>> {
    let name = resource["resourceType"].as_str().unwrap();
    let node = Node::resource(resource).unwrap();
    let now = DateTime::<Utc>::UNIX_EPOCH.fixed_offset();
    let context =
        Context { resource: node, root: node, document: node, now, world: &Alone, is_strict: false, steps_max: 100_000, variables: &[] };
    let mut found = Vec::new();
    for path in parameter.expression.split(" | ").map(str::trim) {
        let first = path.trim_start_matches('(').split(['.', ' ']).next().unwrap();
        if first.starts_with(char::is_lowercase) {
            return None;
        }
        if ![name, "Resource", "DomainResource"].contains(&first) {
            continue;
        }
        let (path, to) = path.split_once(".where(resolve() is ").map_or((path, None), |(path, to)| (path, Some(to.trim_end_matches(')'))));
        let expression = Expression::parse(path).unwrap();
        let items = expression.evaluate(Item::Node(node), &context).unwrap();
        for item in &items {
            let value = match item {
                Item::Node(node) => node.value.cloned()?,
                Item::Boolean(flag) => json!(flag),
                _ => continue,
            };
            let is_of = match (to, value["reference"].as_str()) {
                (None, _) => true,
                (Some(_), None) => return None,
                (Some(_), Some(text)) if text.starts_with(['#', 'u']) => return None,
                (Some(to), Some(text)) => plain(text).rsplit('/').nth(1) == Some(to),
            };
            found.extend(is_of.then_some(value));
        }
    }
    Some(found)
}

/// Each of its codes says what it is called: of one that does not the server knows more than the evaluator.
fn is_called(value: &Value) -> bool {
    let is_called = |coding: &Value| coding.get("code").is_none() || coding.get("display").is_some();
    value["coding"].as_array().map_or_else(|| is_called(value), |codings| codings.iter().all(is_called))
}

/// A reference without the version it names.
fn plain(reference: &str) -> &str {
    reference.split("/_history/").next().unwrap_or(reference)
}

/// The evaluator below knows what the value means.
fn is_known(kind: &str, value: &Value) -> bool {
    match kind {
        "date" => lasts(value).is_some(),
        "quantity" => value["value"].is_number() && value.get("comparator").is_none(),
        "number" => value.is_number(),
        _ => true,
    }
}

/// Its unit is one of those that the evaluator converts, or of no system that is converted.
fn is_measured(value: &Value) -> bool {
    value["system"] != UCUM || UNITS.iter().any(|(known, ..)| value["code"] == *known)
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

/// A part of a day to ask for, of somebody's or any.
fn day(dice: &mut Dice, own: Option<&str>) -> String {
    let any = ["2020", "2020-02", "2020-02-29", "2021-01-01"];
    match own.filter(|_| dice.is()) {
        Some(own) => own[..dice.of(&[4, 7, 10]).min(own.len())].to_owned(),
        None => dice.of(&any).to_owned(),
    }
}

fn question(dice: &mut Dice, known: &Known, about: usize) -> Option<Asked> {
    let (kind, values) = (known.parameter.kind.as_str(), &known.values[about]);
    if kind != "composite" && (values.is_empty() || dice.roll(8) == 0) {
        return Some(Asked::Missing(dice.is()));
    }
    let value = values.get(dice.roll(values.len().max(1)))?;
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    match kind {
        "token" => {
            let coding = value.pointer("/coding/0").unwrap_or(value);
            if known.is_called && (value.get("text").is_some() || coding["display"].is_string() && dice.roll(4) == 0) {
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
            let word: String = word.chars().take(200).collect();
            let how = dice.of(&["", ":exact", ":contains"]);
            let text = match how {
                "" => word.chars().take(3).collect::<String>().to_uppercase(),
                ":contains" => word.chars().skip(1).take(3).collect(),
                _ => word,
            };
            (!text.trim().is_empty()).then_some(Asked::Text { how, text })
        }
        "date" => {
            let own = value.as_str().or(value["start"].as_str());
            Some(Asked::Date { prefix: dice.of(&PREFIXES), text: day(dice, own) })
        }
        "reference" => {
            let text = text("reference").or(value.as_str().map(str::to_owned))?;
            (!text.starts_with('#') && !text.contains("/_history/")).then_some(Asked::Reference(text))
        }
        "quantity" | "number" => {
            let (unit, ..) = dice.of(&UNITS);
            let unit = (kind == "quantity" && known.is_measured && dice.is()).then(|| unit.to_owned());
            let own = value.as_number().or(value["value"].as_number())?.to_string();
            let any = dice.of(&["5", "5.0", "50", "500", "4.96"]).to_owned();
            let text = if dice.is() { own } else { any };
            Some(Asked::Quantity { prefix: dice.of(&PREFIXES), text, unit })
        }
        "uri" => Some(Asked::Uri { how: dice.of(&["", ":below", ":above"]), text: value.as_str()?.to_owned() }),
        _ => None,
    }
}

/// A value as it stands in a query: what parts values has a backslash before it (R4 §3.1.1.4.0.1).
fn escaped(text: &str) -> String {
    let text: String = text.chars().flat_map(|c| [matches!(c, '\\' | ',' | '|' | '$').then_some('\\'), Some(c)]).flatten().collect();
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
            Self::Reference(text) => format!("{name}={}", text.split('|').map(escaped).collect::<Vec<_>>().join("%7C")),
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
            Self::Reference(text) => value["reference"].as_str().or(value.as_str()).is_some_and(|own| {
                // Whoever names no version means any.
                own == text || plain(own) == text || value.is_string() && own.split('|').next() == Some(text)
            }),
            Self::Quantity { prefix, text, unit } => match value.is_number() {
                true => measured(&json!({"value": value}), prefix, text, None),
                false => measured(value, prefix, text, unit.as_deref()),
            },
            Self::Uri { how, text } => value.as_str().is_some_and(|own| match *how {
                ":below" => own == text || own.starts_with(&format!("{text}/")),
                ":above" => own == text || text.starts_with(&format!("{own}/")),
                _ => own == text,
            }),
        }
    }
}

/// A parameter, and what it selects of each resource of its type.
struct Known {
    parameter: &'static SearchParameter,
    values: Vec<Vec<Value>>,
    is_measured: bool,
    is_called: bool,
}

/// What can be asked of these resources of one type, as far as the evaluator understands it.
fn known(name: &str, resources: &[&Value]) -> Vec<Known> {
    let all = Definitions::r4().parameters(name).chain(Definitions::r4().parameters("Resource"));
    let ours = |known: &&SearchParameter| !known.expression.is_empty() && !known.url.starts_with("urn:");
    // Of a name R4 leaves it to servers what is looked at; practitioners are found by each of its words.
    let apart = ["_id", "_lastUpdated", "phonetic", if name == "Practitioner" { "name" } else { "" }];
    all.filter(ours)
        .filter(|parameter| !apart.contains(&parameter.code.as_str()))
        .filter_map(|parameter| {
            let values = resources.iter().map(|one| selected(one, parameter)).collect::<Option<Vec<_>>>()?;
            let mut each = values.iter().flatten();
            let (is_measured, is_called) = (values.iter().flatten().all(is_measured), values.iter().flatten().all(is_called));
            each.all(|value| is_known(&parameter.kind, value)).then_some(Known { parameter, values, is_measured, is_called })
        })
        .collect()
}

/// The type's resources by one of its times: the earliest first by the first they say, or the latest by the last, and then those
/// that say none.
async fn in_order(fhir: &Client, dice: &mut Dice, (name, known, resources): (&str, &[Known], &[&Value])) {
    let dates: Vec<&Known> = known.iter().filter(|one| one.parameter.kind == "date").collect();
    if dates.is_empty() {
        return;
    }
    let (by, is_descending) = (dates[dice.roll(dates.len())], dice.is());
    let sort = format!("{}{}", if is_descending { "-" } else { "" }, by.parameter.code);
    let path = format!("/{name}?_sort={sort}&_count={}", dice.of(&[2, 7, 200]));
    let sorted = fhir.paged(&path).await;
    assert_eq!(sorted.iter().collect::<BTreeSet<_>>().len(), resources.len(), "{path}");
    let key = |found: &String| {
        let place = resources.iter().position(|one| id(one) == *found).unwrap();
        let starts = by.values[place].iter().filter_map(lasts).map(|(starts, _)| starts);
        if is_descending { starts.max() } else { starts.min() }
    };
    let keys: Vec<Option<DateTime<Utc>>> = sorted.iter().map(key).collect();
    let is_before = |one: &Option<DateTime<Utc>>, next: &Option<DateTime<Utc>>| match (one, next) {
        (Some(one), Some(next)) => {
            if is_descending {
                one >= next
            } else {
                one <= next
            }
        }
        (one, next) => one.is_some() || next.is_none(),
    };
    assert!(keys.windows(2).all(|pair| is_before(&pair[0], &pair[1])), "{path}: {keys:?}");
}

/// Asks for what somebody may ask about the resources `all`, which are all there are, and compares.
pub async fn held(fhir: &Client, all: &[Value], dice: &mut Dice, searches: usize) {
    let mut types: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    all.iter().for_each(|one| types.entry(one["resourceType"].as_str().unwrap()).or_default().push(one));
    let types: Vec<_> = types.into_iter().map(|(name, resources)| (name, known(name, &resources), resources)).collect();
    let (mut asked, mut hits, mut wrong) = (0, 0, Vec::new());
    while asked < searches {
        let (name, known, resources) = &types[dice.roll(types.len())];
        let about = dice.roll(resources.len());
        let mut parts = Vec::new();
        for _ in 0..=dice.roll(2) {
            let one = &known[dice.roll(known.len())];
            parts.extend(question(dice, one, about).map(|question| (one, question)));
        }
        if parts.is_empty() {
            continue;
        }
        asked += 1;
        let query: Vec<String> = parts.iter().map(|(one, question)| question.written(&one.parameter.code)).collect();
        let path = format!("/{name}?{}", query.join("&"));
        let meant = (0..resources.len()).filter(|place| parts.iter().all(|(one, question)| question.holds(&one.values[*place])));
        let meant: BTreeSet<String> = meant.map(|place| id(resources[place])).collect();
        let mut answer = fhir.get(&format!("{path}&_count=200")).await;
        if answer.status != 200 {
            wrong.push(format!("{path}: {} {}", answer.status, answer.body));
            continue;
        }
        let mut found: BTreeSet<String> = super::ids(&answer.body).into_iter().collect();
        while let Some(next) = super::next(&answer.body) {
            answer = fhir.get(&next).await;
            found.extend(super::ids(&answer.body));
        }
        hits += usize::from(!found.is_empty());
        if found != meant {
            let one = resources.iter().find(|one| found.contains(&id(one)) != meant.contains(&id(one)));
            wrong.push(format!("{path}: found {} of {}, first: {}", found.len(), meant.len(), one.unwrap()));
        } else if dice.roll(8) == 0 {
            in_order(fhir, dice, (name, known, resources)).await;
            let sort = dice.of(&["_id", "-_lastUpdated", "_lastUpdated,-_id"]);
            let paged = fhir.paged(&format!("{path}&_sort={sort}&_count=3")).await;
            assert_eq!((paged.len(), paged.iter().cloned().collect::<BTreeSet<_>>()), (meant.len(), meant), "{path} by {sort}");
        }
    }
    println!("{asked} searches of {} types, {hits} of them with matches, {} wrong", types.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {asked} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(hits * 3 > asked, "{hits} of {asked} find anything");
}
