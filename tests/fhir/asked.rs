//! Generated questions, and what each means: from R4's words and no table.

use super::meaning::{UCUM, UNITS, dated, lasts, measured, plain, selected, span, words};
use enamel::fhir::definitions::Definitions;
use enamel::fhir::definitions::parameter::SearchParameter;
use enamel::kernel::table::store::fold;
use serde_json::{Value, json};

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

/// Each of its codes says what it is called: of one that does not the server knows more than the evaluator.
fn is_called(value: &Value) -> bool {
    let is_called = |coding: &Value| coding.get("code").is_none() || coding.get("display").is_some();
    value["coding"].as_array().map_or_else(|| is_called(value), |codings| codings.iter().all(is_called))
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
pub enum Asked {
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

pub fn question(dice: &mut Dice, known: &Known, about: usize) -> Option<Asked> {
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
    pub fn written(&self, name: &str) -> String {
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

    pub fn holds(&self, values: &[Value]) -> bool {
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
pub struct Known {
    pub parameter: &'static SearchParameter,
    pub values: Vec<Vec<Value>>,
    is_measured: bool,
    is_called: bool,
}

/// What can be asked of these resources of one type, as far as the evaluator understands it.
pub fn known(name: &str, resources: &[&Value]) -> Vec<Known> {
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
