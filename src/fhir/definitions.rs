//! The official R4 definitions of the types we speak, as tables: `definitions/r4.json`, made by `compile.py` beside it.

use super::primitive::Primitive;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

const SOURCE: &str = include_str!("definitions/r4.json");

pub struct Definitions {
    types: Vec<Type>,
    by_name: HashMap<String, TypeId>,
    resources: HashSet<String>,
}

/// A resource, data type or backbone element: its elements in the order of the specification.
pub struct Type {
    pub name: String,
    pub elements: Vec<Element>,
    by_key: HashMap<String, Key>,
}

pub struct Element {
    /// Without the `[x]` of a choice.
    pub name: String,
    pub min: u32,
    /// None: no limit.
    pub max: Option<u32>,
    pub types: Vec<Of>,
    pub is_choice: bool,
    /// Part of `_summary=true`.
    pub is_summary: bool,
    pub is_modifier: bool,
    /// The codes of a required binding whose every code is known.
    pub codes: Option<HashSet<String>>,
}

/// What stands behind a JSON key of a type: an element, and which of its types.
#[derive(Clone, Copy)]
struct Key {
    element: usize,
    of: usize,
}

/// One type an element may have.
pub struct Of {
    pub name: String,
    pub kind: Kind,
    /// For a Reference, the types it may point to; empty: any.
    pub targets: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Primitive(Primitive),
    Complex(TypeId),
    /// Any resource stands here (contained, Bundle.entry.resource).
    Resource,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TypeId(usize);

impl Element {
    /// An array in JSON.
    pub fn repeats(&self) -> bool {
        self.max != Some(1)
    }
}

impl Type {
    /// The element and type behind a JSON key (`deceasedBoolean`), without a leading underscore.
    pub fn element(&self, key: &str) -> Option<(&Element, &Of)> {
        let Key { element, of } = *self.by_key.get(key)?;
        let element = self.elements.get(element)?;
        Some((element, element.types.get(of)?))
    }
}

impl Definitions {
    pub fn parameters(&self, type_name: &str) -> impl Iterator<Item = &'static parameter::SearchParameter> {
        parameter::tmp().params.get(type_name).into_iter().flatten()
    }
    pub fn parameter(&self, type_name: &str, code: &str) -> Option<&'static parameter::SearchParameter> {
        self.parameters(type_name).find(|one| one.code == code)
    }
    pub fn compartment(&self, _code: &str) -> Option<&'static parameter::Compartment> {
        Some(&parameter::tmp().patient)
    }
    pub fn resources(&self) -> impl Iterator<Item = &'static str> {
        Self::r4().resources.iter().map(String::as_str)
    }
    /// R4 4.0.1. An unreadable table (a test holds that it is whole) leaves no type known, so everything is refused.
    pub fn r4() -> &'static Self {
        static R4: OnceLock<Definitions> = OnceLock::new();
        R4.get_or_init(|| Self::load(SOURCE).unwrap_or_else(|| Self { types: vec![], by_name: HashMap::new(), resources: HashSet::new() }))
    }
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id.0)
    }
    pub fn named(&self, name: &str) -> Option<&Type> {
        self.by_name.get(name).and_then(|id| self.get(*id))
    }
    /// Whether R4 has a resource of this name, be it served or not.
    pub fn is_resource(&self, name: &str) -> bool {
        self.resources.contains(name)
    }

    fn load(source: &str) -> Option<Self> {
        let table: Table = serde_json::from_str(source).ok()?;
        let by_name: HashMap<String, TypeId> = table.types.keys().cloned().zip((0..).map(TypeId)).collect();
        let codes: HashMap<&str, HashSet<String>> = table.codes.iter().map(|(name, codes)| (name.as_str(), words(codes))).collect();
        let mut types = Vec::with_capacity(by_name.len());
        for (name, elements) in &table.types {
            let elements: Option<Vec<Element>> =
                elements.as_object()?.iter().map(|(name, line)| element(name, line.as_str()?, &by_name, &codes)).collect();
            types.push(typed(name, elements?));
        }
        Some(Self { types, by_name, resources: words(&table.resources) })
    }
}

#[derive(Deserialize)]
struct Table {
    resources: String,
    codes: HashMap<String, String>,
    types: Map<String, Value>,
}

fn words(text: &str) -> HashSet<String> {
    text.split(' ').map(String::from).collect()
}

fn typed(name: &str, elements: Vec<Element>) -> Type {
    let mut by_key = HashMap::new();
    for (index, element) in elements.iter().enumerate() {
        for (of, kind) in element.types.iter().enumerate() {
            let key = if element.is_choice { choice_key(&element.name, &kind.name) } else { element.name.clone() };
            by_key.insert(key, Key { element: index, of });
        }
    }
    Type { name: name.into(), elements, by_key }
}

/// `value` and `dateTime` make `valueDateTime`.
fn choice_key(name: &str, of: &str) -> String {
    let (first, rest) = of.split_at(1);
    format!("{name}{}{rest}", first.to_ascii_uppercase())
}

/// One line of the table: `0..1 boolean|dateTime =codes summary modifier`.
fn element(name: &str, line: &str, by_name: &HashMap<String, TypeId>, codes: &HashMap<&str, HashSet<String>>) -> Option<Element> {
    let mut parts = line.split(' ');
    let (min, max) = parts.next()?.split_once("..")?;
    let types: Option<Vec<Of>> = parts.next()?.split('|').map(|of| of_type(of, by_name)).collect();
    let mut element = Element {
        name: name.strip_suffix("[x]").unwrap_or(name).into(),
        min: min.parse().ok()?,
        max: if max == "*" { None } else { Some(max.parse().ok()?) },
        types: types?,
        is_choice: name.ends_with("[x]"),
        is_summary: false,
        is_modifier: false,
        codes: None,
    };
    for word in parts {
        match word {
            "summary" => element.is_summary = true,
            "modifier" => element.is_modifier = true,
            _ => element.codes = Some(codes.get(word.strip_prefix('=')?)?.clone()),
        }
    }
    Some(element)
}

fn of_type(of: &str, by_name: &HashMap<String, TypeId>) -> Option<Of> {
    let (name, targets) = match of.strip_suffix(')').and_then(|of| of.split_once('(')) {
        Some((name, targets)) => (name, targets.split(',').map(String::from).collect()),
        None => (of, Vec::new()),
    };
    let kind = match (Primitive::named(name), by_name.get(name)) {
        (Some(primitive), _) => Kind::Primitive(primitive),
        (None, Some(id)) => Kind::Complex(*id),
        (None, None) if name == "Resource" => Kind::Resource,
        (None, None) => return None,
    };
    Some(Of { name: name.into(), kind, targets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let r4 = Definitions::load(SOURCE).expect("every line of the table can be read");
        assert_eq!(r4.resources.len(), 146);
        for name in ["Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Coverage"] {
            assert!(r4.is_resource(name) && r4.named(name).is_some(), "{name}");
        }
        let patient = r4.named("Patient").unwrap();
        let (deceased, of) = patient.element("deceasedDateTime").unwrap();
        assert!(deceased.is_choice && deceased.is_modifier && deceased.is_summary && !deceased.repeats());
        assert_eq!((deceased.name.as_str(), of.name.as_str()), ("deceased", "dateTime"));
        let (gender, _) = patient.element("gender").unwrap();
        assert!(gender.codes.as_ref().unwrap().contains("female"));
        let (organization, of) = patient.element("managingOrganization").unwrap();
        assert_eq!((organization.min, of.targets.as_slice()), (0, ["Organization".to_string()].as_slice()));
        assert!(patient.element("contact").unwrap().0.repeats());
        assert!(patient.element("deceased").is_none());
    }
}

pub mod parameter {
    use std::sync::LazyLock;
    #[derive(serde::Deserialize)]
    pub struct SearchParameter { pub url: String, pub code: String, #[serde(rename = "type")] pub kind: String, pub expression: String, pub targets: Vec<String> }
    #[derive(serde::Deserialize)]
    #[serde(transparent)]
    pub struct Compartment { pub members: Vec<(String, Vec<String>)> }
    #[derive(serde::Deserialize)]
    pub struct Tmp { pub params: std::collections::HashMap<String, Vec<SearchParameter>>, pub patient: Compartment }
    pub fn tmp() -> &'static Tmp {
        static TMP: LazyLock<Tmp> = LazyLock::new(|| serde_json::from_str(include_str!("definitions/search-tmp.json")).unwrap());
        &TMP
    }
}
