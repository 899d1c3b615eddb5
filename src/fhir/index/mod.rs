//! What a resource is searched by: the official expressions of R4's search parameters, evaluated over it, as rows of plain
//! values that a table with ordinary indexes can hold.

mod value;
pub mod words;

use super::definitions::Definitions;
use super::definitions::parameter::SearchParameter;
use super::path::{Alone, Context, Expression, Item, Node, STEPS_OF_RULES};
use super::search::value::{Ids, ReferenceValue};
use super::search::{Kind, Value as Asked};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::OnceLock;
use uuid::Uuid;

pub use value::{TEXT_MAX, cut, typed_value};

/// Rows of one resource; a longer list of values is searched by its beginning.
const ROWS_MAX: usize = 5_000;
/// Behind a reference's parameter: the identifier the reference names its target by.
pub const BY_IDENTIFIER: &str = ":identifier";
/// Behind an identifier's parameter: each coding of its type, with the identifier's value.
pub const OF_TYPE: &str = ":of-type";
/// Behind a quantity's parameter: the same in base units, where its unit converts.
pub const CANONICAL: &str = ":canonical";

/// One value of one parameter; which fields are set follows from the kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// `Observation.code`.
    pub param: String,
    /// Values of one element of a composite belong together.
    pub element: i32,
    /// The component of a composite; 0: of none.
    pub part: i32,
    /// Of a code or a quantity; of a reference the type. None: the code's element has one system only.
    pub system: Option<String>,
    pub code: Option<String>,
    /// The text; who stores it folds it.
    pub words: Option<String>,
    pub target: Option<Uuid>,
    /// From the first moment to the first that is no more of it.
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub range: Option<(f64, f64)>,
    /// The words of a whole text: who stores them keeps keyed hashes.
    pub said: Vec<String>,
    /// Its code may name a person, as a social security number does: who stores it keeps a keyed hash.
    pub is_identifier: bool,
}

/// One search parameter of one type.
pub struct Index {
    pub name: String,
    type_name: &'static str,
    parameter: &'static SearchParameter,
    kind: Kind,
    /// The components of a composite, with their kinds.
    parts: Vec<(&'static SearchParameter, Kind, &'static str)>,
    /// What it finds two others find: it has no rows of its own.
    others: Option<[String; 2]>,
    /// The type whose references a column of the record has, every one of them: there are no rows of those.
    pub told: Option<&'static str>,
    paths: OnceLock<Paths>,
}

#[derive(Default)]
struct Paths {
    whole: Vec<Path>,
    parts: Vec<Vec<Path>>,
}

/// One alternative, and the type its references lead to.
struct Path {
    expression: Expression,
    to: Option<String>,
}

impl Index {
    /// None: R4 says in words alone what the parameter means.
    pub fn of(type_name: &'static str, parameter: &'static SearchParameter) -> Option<Self> {
        let kind = Kind::named(&parameter.kind)?;
        if parameter.expression.is_empty() || kind == Kind::Special {
            return None;
        }
        let known = |url: &str| Definitions::r4().parameters(type_name).find(|known| known.url == url);
        let mut parts = Vec::new();
        for (url, expression) in &parameter.components {
            let known = known(url)?;
            parts.push((known, Kind::named(&known.kind).filter(|kind| *kind != Kind::Composite)?, expression.as_str()));
        }
        let name = format!("{type_name}.{}", parameter.code);
        let others = others(type_name, parameter);
        Some(Self { name, type_name, parameter, kind, parts, others, told: None, paths: OnceLock::new() })
    }

    /// Whether a column of the record answers that alone.
    pub fn is_told(&self, asked: &Asked) -> bool {
        match asked {
            Asked::Reference(ReferenceValue::Local { type_name: Some(name), .. }) | Asked::Ids(Ids { type_name: Some(name), .. }) => {
                self.told == Some(*name)
            }
            _ => false,
        }
    }

    /// The parameters its values stand under.
    pub fn names(&self) -> &[String] {
        self.others.as_ref().map_or(std::slice::from_ref(&self.name), |others| others)
    }

    /// Whether its values may be identifiers, as a requisition is one.
    pub fn is_of_identifiers(&self) -> bool {
        let structure = Definitions::r4().named(self.type_name);
        self.parameter.expression.split(" | ").any(|path| match structure.and_then(|structure| structure.at(path.trim())) {
            Some(element) => element.types.iter().any(|of| of.name == "Identifier"),
            // What an expression computes is told by its name.
            None => path.contains("dentifier"),
        })
    }

    /// The components of a composite in their order.
    pub fn parts(&self) -> impl Iterator<Item = (&'static SearchParameter, Kind)> {
        self.parts.iter().map(|(known, kind, _)| (*known, *kind))
    }

    fn paths(&self) -> &Paths {
        self.paths.get_or_init(|| Paths {
            whole: paths(&self.parameter.expression, Some(self.type_name)),
            parts: self.parts.iter().map(|(_, _, expression)| paths(expression, None)).collect(),
        })
    }

    fn read(&self, resource: Node<'_>, base: &str, rows: &mut Vec<Row>) {
        let context = Context {
            resource,
            root: resource,
            document: resource,
            now: DateTime::<Utc>::UNIX_EPOCH.fixed_offset(),
            world: &Alone,
            is_strict: false,
            steps_max: STEPS_OF_RULES,
            variables: &[],
        };
        let paths = self.paths();
        let row = || Row { param: self.name.clone(), ..Row::default() };
        let mut element = 0;
        for path in &paths.whole {
            for item in path.expression.evaluate(Item::Node(resource), &context).unwrap_or_default() {
                if paths.parts.is_empty() {
                    let before = rows.len();
                    value::read(self.kind, &item, path.to.as_deref(), base, &row, rows);
                    // The element is there, whatever it does not say.
                    if rows.len() == before && path.to.is_none() {
                        rows.push(Row { system: Some(String::new()), ..row() });
                    }
                    continue;
                }
                element += 1;
                let (whole, mut is_whole) = (rows.len(), true);
                for (place, paths) in (1..).zip(&paths.parts) {
                    let part = || Row { element, part: place, ..row() };
                    let (kind, of) = (self.parts.get(usize::try_from(place - 1).unwrap_or_default()).map(|it| it.1), item.clone());
                    let before = rows.len();
                    for path in paths {
                        for item in path.expression.evaluate(of.clone(), &context).unwrap_or_default() {
                            value::read(kind.unwrap_or(Kind::Token), &item, path.to.as_deref(), base, &part, rows);
                        }
                    }
                    is_whole &= rows.len() > before;
                }
                // Who asks for a composite asks for all of its parts.
                if !is_whole {
                    rows.truncate(whole);
                }
            }
        }
    }
}

/// Every value of the parameters, each once. `base` is our FHIR base URL.
pub fn rows<'i>(indexes: impl IntoIterator<Item = &'i Index>, resource: &Value, base: &str) -> Vec<Row> {
    let Some(node) = Node::resource(resource) else { return Vec::new() };
    let mut rows = Vec::new();
    for index in indexes.into_iter().filter(|index| index.others.is_none()) {
        let before = rows.len();
        index.read(node, base, &mut rows);
        let mut seen: Vec<Row> = Vec::new();
        for row in rows.drain(before..) {
            let is_told = row.target.is_some() && row.part == 0 && index.told.is_some() && row.system.as_deref() == index.told;
            if !is_told && !seen.contains(&row) {
                seen.push(row);
            }
        }
        rows.append(&mut seen);
        rows.truncate(ROWS_MAX);
    }
    rows
}

/// A parameter over an Observation and its components (R4 §10.1.5) is the two over one of them each.
fn others(type_name: &str, parameter: &SearchParameter) -> Option<[String; 2]> {
    let code = parameter.code.strip_prefix("combo-")?;
    let both = [code.to_owned(), format!("component-{code}")];
    let is_known = both.iter().all(|code| Definitions::r4().parameter(type_name, code).is_some());
    is_known.then(|| both.map(|code| format!("{type_name}.{code}")))
}

/// The alternatives that can select something of the type.
fn paths(text: &str, type_name: Option<&str>) -> Vec<Path> {
    let of = |path: &str| {
        let first = path.trim_start_matches('(').split(['.', ' ']).next().unwrap_or_default();
        // InsurancePlan's `name` stands alone.
        let is_relative = first.starts_with(|letter: char| letter.is_ascii_lowercase());
        is_relative || type_name.is_none_or(|name| [name, "Resource", "DomainResource"].contains(&first))
    };
    text.split(" | ").map(str::trim).filter(|path| of(path)).filter_map(path).collect()
}

/// A reference is not followed to know its type; `DateTime` is a slip of R4's for the type `dateTime`.
fn path(text: &str) -> Option<Path> {
    let (text, to) = match text.split_once(".where(resolve() is ") {
        Some((text, to)) => (text, Some(to.trim_end_matches(')').to_owned())),
        None => (text, None),
    };
    let expression = Expression::parse(&text.replace(".as(DateTime)", ".as(dateTime)")).ok()?;
    Some(Path { expression, to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(type_name: &'static str, code: &str, resource: Value) -> Vec<String> {
        let index = Index::of(type_name, Definitions::r4().parameter(type_name, code).unwrap()).unwrap();
        let told = |row: Row| {
            let texts = [row.system, row.code, row.words].map(|text| text.unwrap_or_else(|| "-".into())).join("|");
            let span = row.span.map(|(from, to)| format!(" {}..{}", from.format("%F"), to.format("%F"))).unwrap_or_default();
            let range = row.range.map(|(low, high)| format!(" {low}..{high}")).unwrap_or_default();
            let place = if row.part == 0 { String::new() } else { format!("{}/{} ", row.element, row.part) };
            format!("{place}{texts}{span}{range}{}", if row.param.ends_with(BY_IDENTIFIER) { " by identifier" } else { "" })
        };
        rows([&index], &resource, "https://enamel.test/fhir/r4").into_iter().map(told).collect()
    }

    #[test]
    fn every_expression_of_r4_is_read() {
        let mut unread = Vec::new();
        for name in Definitions::r4().resources() {
            for parameter in Definitions::r4().parameters(name).chain(Definitions::r4().parameters("Resource")) {
                let Some(index) = Index::of(name, parameter) else {
                    unread.push(format!("{name}.{}", parameter.code));
                    continue;
                };
                let paths = index.paths();
                let whole = !paths.whole.is_empty() && paths.parts.iter().all(|part| !part.is_empty());
                unread.extend((!whole).then(|| index.name.clone()));
            }
        }
        unread.retain(|name| !name.ends_with("._content") && !name.ends_with("._query"));
        // A place is asked of columns, a range of codes of what says the code.
        assert_eq!(unread, ["Location.near", "Procedure.code-range", "ServiceRequest.code-range"]);
    }

    #[test]
    fn each_kind_has_its_rows() {
        let observation = json!({"resourceType": "Observation", "status": "final",
            "meta": {"tag": [{"system": "urn:t", "code": "x"}]},
            "code": {"coding": [{"system": "http://loinc.org", "code": "1-8", "display": "Depth"}], "text": "Pocket depth"},
            "subject": {"reference": "Patient/00000000-0000-4000-8000-000000000003", "identifier": {"system": "urn:mrn", "value": "7"}},
            "effectiveDateTime": "2024-02", "valueQuantity": {"value": 4.50, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}});
        let of = |code| shown("Observation", code, observation.clone());
        assert_eq!(of("status"), ["-|final|-"]);
        assert_eq!(of("code"), ["http://loinc.org|1-8|Depth", "|-|Pocket depth"]);
        assert_eq!(of("patient"), of("subject"));
        assert_eq!(of("subject"), ["Patient|00000000-0000-4000-8000-000000000003|-", "urn:mrn|7|- by identifier"]);
        assert_eq!(of("date"), ["-|-|- 2024-02-01..2024-03-01"]);
        // As it is written, and in the base unit, in which units of one kind are compared.
        let both = ["http://unitsofmeasure.org|m|- 0.0045..0.0045", "http://unitsofmeasure.org|mm|mm 4.5..4.5"];
        assert_eq!(of("value-quantity"), both);
        assert_eq!(of("_tag"), ["urn:t|x|-"]);
        assert_eq!(of("code-value-string"), [""; 0], "half a composite answers nobody");
        assert_eq!(
            of("code-value-quantity"),
            [
                "1/1 http://loinc.org|1-8|Depth",
                "1/1 |-|Pocket depth",
                "1/2 http://unitsofmeasure.org|m|- 0.0045..0.0045",
                "1/2 http://unitsofmeasure.org|mm|mm 4.5..4.5"
            ]
        );
    }

    #[test]
    fn what_two_parameters_find_has_no_rows_of_its_own() {
        let (mut combined, alternatives) = (0, |code: &str| {
            let parameter = Definitions::r4().parameter("Observation", code).unwrap();
            let of_it = |path: &&str| path.contains("Observation");
            let mut paths: Vec<&str> = parameter.expression.split(" | ").map(str::trim).filter(of_it).collect();
            paths.sort_unstable();
            let parts: Vec<&str> = parameter.components.iter().map(|(_, expression)| expression.as_str()).collect();
            (paths, parts)
        });
        for parameter in Definitions::r4().parameters("Observation") {
            let Some(both) = others("Observation", parameter) else { continue };
            let [(mut paths, parts), (more, of_components)] = both.map(|name| alternatives(name.split_once('.').unwrap().1));
            paths.extend(more);
            paths.sort_unstable();
            assert_eq!(alternatives(&parameter.code), (paths, parts.clone()), "{}", parameter.code);
            assert_eq!(parts, of_components, "{}", parameter.code);
            combined += 1;
        }
        assert_eq!(combined, 6);
        let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
        assert_eq!(shown("Observation", "combo-code", observation.clone()), [""; 0]);
        assert_eq!(shown("Observation", "code", observation), ["|-|x"]);
    }

    #[test]
    fn a_reference_counts_for_the_type_it_leads_to() {
        let group = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": "Group/1"}});
        assert_eq!(shown("Observation", "patient", group.clone()), [""; 0]);
        assert_eq!(shown("Observation", "subject", group), ["Group|1|-"]);
        let elsewhere = json!({"resourceType": "Observation", "subject": {"reference": "https://x.test/fhir/Patient/1"}});
        assert_eq!(shown("Observation", "patient", elsewhere), ["-|https://x.test/fhir/Patient/1|-"]);
    }

    #[test]
    fn identifiers_are_known_by_their_type() {
        let is = |name, code| Index::of(name, Definitions::r4().parameter(name, code).unwrap()).unwrap().is_of_identifiers();
        assert!(is("ServiceRequest", "requisition") && is("Patient", "identifier") && is("Specimen", "accession"));
        assert!(is("DocumentReference", "identifier") && is("Task", "group-identifier"));
        assert!(!is("Observation", "code") && !is("Patient", "telecom") && !is("Condition", "clinical-status"));
    }

    #[test]
    fn names_and_open_periods() {
        let person = json!({"resourceType": "Person", "name": [{"family": "Müller", "given": ["Zoë", "Ann"]}],
            "telecom": [{"system": "phone", "value": "555"}, {"system": "email", "value": "a@b.test"}]});
        assert_eq!(shown("Person", "name", person.clone()), ["-|Müller|Müller", "-|Zoë|Zoë", "-|Ann|Ann"]);
        assert_eq!(shown("Person", "phone", person), ["-|555|-"]);
        let encounter = json!({"resourceType": "Encounter", "period": {"start": "2024-01-01"}});
        assert_eq!(shown("Encounter", "date", encounter), ["-|-|- 2024-01-01..+33658-09-27"]);
        let death = json!({"resourceType": "Patient", "deceasedDateTime": "2024"});
        assert_eq!(shown("Patient", "deceased", death), ["-|true|-"]);
    }
}
