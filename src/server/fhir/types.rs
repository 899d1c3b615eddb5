//! The types that are served, and the tables each of them is. What a domain declares is completed once, when the first
//! request asks: every search parameter of R4 whose element is a column is served.

use super::{dental, held, indexed, library, other, provenance, versions};
use crate::fhir::bind::{self, selected};
use crate::fhir::definitions::Definitions;
use crate::fhir::definitions::parameter::SearchParameter;
use crate::fhir::find::Find;
use crate::fhir::index::Index;
use crate::fhir::index::words::{CONTENT, NARRATIVE};
use crate::fhir::mapping::Mapping;
use crate::fhir::registry::{Interaction, Registry, TypeDef};
use crate::fhir::search::param::OF_IDENTIFIERS;
use crate::fhir::search::{Kind, SearchParam, Sort};
use crate::kernel::error::Result;
use std::collections::BTreeMap;
use std::sync::LazyLock;

struct Types {
    registry: Registry,
    sources: BTreeMap<&'static str, Vec<&'static Mapping>>,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut sources: BTreeMap<&'static str, Vec<&'static Mapping>> = BTreeMap::new();
    for mapping in crate::server::domains::resources().chain([provenance::mapping()]) {
        sources.entry(mapping.of.name).or_default().push(completed(mapping));
    }
    for name in Definitions::r4().resources() {
        let known = sources.entry(name).or_default();
        known.extend(other::mapping(name, known).map(completed));
    }
    sources.retain(|_, mappings| !mappings.is_empty());
    // Of a type that is none of these a resource can still be judged.
    let judged = Definitions::r4().resources().map(|name| forever(TypeDef::judged(name)));
    let types = sources.values().filter_map(|mappings| served(mappings)).chain(library::types()).chain(judged);
    Types { registry: Registry::new(types.collect::<Vec<_>>()), sources }
});

pub fn registry() -> &'static Registry {
    &TYPES.registry
}

/// 404 for a type that is not served.
pub fn sources(type_name: &str) -> Result<&'static [&'static Mapping]> {
    TYPES.registry.find(type_name)?;
    Ok(TYPES.sources.get(type_name).map(Vec::as_slice).unwrap_or_default())
}

/// What every type that is served is made of.
pub fn mappings() -> impl Iterator<Item = &'static Mapping> {
    TYPES.sources.values().flatten().copied()
}

/// Lives as long as the program: made once for each type.
pub fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// With the parameters that its binds answer.
fn completed(mapping: &'static Mapping) -> &'static Mapping {
    let mut search = mapping.search.to_vec();
    // How a name sounds is not known here: what begins like it is found.
    if let Some((_, name)) = search.iter().find(|(code, _)| *code == "name").copied() {
        search.push(("phonetic", name));
    }
    for parameter in Definitions::r4().parameters(mapping.of.name) {
        if search.iter().all(|(name, _)| *name != parameter.code) {
            search.extend(found(mapping, parameter).map(|find| (parameter.code.as_str(), find)));
        }
    }
    let own = Definitions.parameters(mapping.of.name).filter_map(|known| Some((known.code.as_str(), dental::find(mapping, &known.url)?)));
    search.extend(own.collect::<Vec<_>>());
    let is_of_values = |known: &&SearchParameter| mapping.writes && ![NARRATIVE, CONTENT].contains(&known.code.as_str());
    for parameter in defined(mapping.of.name).filter(is_of_values) {
        match search.iter_mut().find(|(name, _)| *name == parameter.code) {
            None => {
                search.extend(Index::of(mapping.of.name, parameter).map(|index| (parameter.code.as_str(), Find::Indexed(forever(index)))))
            }
            // What a client said beyond the column is found too.
            Some((_, find)) => {
                let mut index = Index::of(mapping.of.name, parameter);
                if let Some(index) = &mut index {
                    index.told = told_of(mapping, parameter, find);
                }
                *find = index.map_or(*find, |index| Find::Any(forever([*find, Find::Indexed(forever(index))])));
            }
        }
    }
    // What asks of a code what is between two.
    let code = search.iter().find(|(name, _)| *name == "code").map(|(_, find)| *find);
    let is_asked = Definitions.parameter(mapping.of.name, "code-range").is_some();
    search.extend(code.filter(|_| is_asked).map(|find| ("code-range", find)));
    let texts = worded(mapping, &search);
    search.extend(texts);
    forever(Mapping { search: forever(search), ..*mapping })
}

/// The type whose references the column has, every one of them: the patient of a record, where the resource can name but one.
fn told_of(mapping: &Mapping, parameter: &SearchParameter, find: &Find) -> Option<&'static str> {
    let Find::Points { column, to } = find else { return None };
    let is_patient = column.strip_prefix("r.").is_some_and(|column| mapping.table.patient == Some(column));
    let mut paths = selected(&parameter.expression, mapping.of.name);
    paths.sort_unstable();
    paths.dedup();
    let mut element = &Definitions::r4().named(mapping.of.name)?.root;
    let [path] = paths.as_slice() else { return None };
    for name in path.split('.') {
        element = element.child(name).filter(|element| !element.is_list)?;
    }
    is_patient.then_some(*to)
}

/// A search of texts reads those of the columns, and the words of what no column holds.
fn worded(mapping: &'static Mapping, search: &[(&'static str, Find)]) -> [(&'static str, Find); 2] {
    fn plain(find: &Find) -> Vec<Find> {
        match find {
            Find::Any(finds) => finds.iter().flat_map(plain).collect(),
            Find::Text { .. } | Find::Said(_) => vec![*find],
            _ => Vec::new(),
        }
    }
    let kept = |codes: &[&str]| {
        let names = codes.iter().map(|code| &**forever(format!("{}.{code}", mapping.of.name))).collect::<Vec<&'static str>>();
        if mapping.writes { Find::Worded(forever(names)) } else { Find::Never }
    };
    // Several parameters read the same columns.
    let place = |find: &Find| match find {
        Find::Text { within, starts, words, .. } => format!("{within} {starts:?} {words:?}"),
        Find::Said(column) => (*column).to_owned(),
        _ => String::new(),
    };
    let columns = search.iter().flat_map(|(_, find)| plain(find)).chain(bind::texts(mapping.table, mapping.binds));
    let columns: BTreeMap<String, Find> = columns.map(|find| (place(&find), find)).collect();
    let mut all: Vec<Find> = columns.into_values().collect();
    all.push(kept(&[CONTENT, NARRATIVE]));
    [(NARRATIVE, kept(&[NARRATIVE])), (CONTENT, Find::Any(forever(all)))]
}

fn found(mapping: &Mapping, parameter: &SearchParameter) -> Option<Find> {
    let mut paths = selected(&parameter.expression, mapping.of.name);
    paths.sort_unstable();
    paths.dedup();
    let kind = Kind::named(&parameter.kind)?;
    let finds = paths.into_iter().flat_map(|path| bind::find(mapping.table, mapping.binds, path));
    let targets = |find: &Find| match find {
        Find::Points { to, .. } | Find::Leads { to, .. } => kind == Kind::Uri || parameter.targets.iter().any(|target| target == to),
        _ => true,
    };
    let mut finds: Vec<Find> = finds.filter(|find| find.answers(kind) && targets(find)).collect();
    if finds.len() > 1 { Some(Find::Any(forever(finds))) } else { finds.pop() }
}

/// What R4 defines for a type and for all of them, and no column of every record answers.
fn defined(name: &str) -> impl Iterator<Item = &'static SearchParameter> {
    let every = Definitions::r4().parameters("Resource").filter(|known| !["_id", "_lastUpdated"].contains(&known.code.as_str()));
    Definitions::r4().parameters(name).chain(every).chain(Definitions::r4().parameters("DomainResource"))
}

/// The type with all parameters that one of its tables answers.
fn served(mappings: &[&'static Mapping]) -> Option<&'static TypeDef> {
    let def = mappings.first()?.of;
    let mut search = Vec::new();
    for parameter in defined(def.name) {
        let finds: Vec<&Find> = mappings.iter().filter_map(|mapping| mapping.find(&parameter.code)).collect();
        let Some(kind) = Kind::named(&parameter.kind).filter(|_| !finds.is_empty()) else { continue };
        let plain = told(parameter, kind);
        let is_of_identifiers = kind == Kind::Token && parameter.code.ends_with("identifier");
        search.push(SearchParam {
            is_sortable: !is_of_identifiers && is_sorted(mappings, forever(plain.clone())),
            modifiers: match parameter.code.as_str() {
                NARRATIVE | CONTENT => &[],
                _ if is_of_identifiers => OF_IDENTIFIERS,
                _ => plain.modifiers,
            },
            components: forever(
                finds
                    .iter()
                    .find_map(|find| indexed::of(find))
                    .into_iter()
                    .flat_map(Index::parts)
                    .map(|(known, kind)| told(known, kind))
                    .collect::<Vec<_>>(),
            ),
            ..plain
        });
    }
    if library::is_of(def.name) {
        let more = library::parameters(def.name).into_iter().filter(|more| search.iter().all(|known| known.name != more.name));
        search.extend(more.collect::<Vec<_>>());
    }
    let has_past = mappings.iter().any(|mapping| versions::logged(mapping.table));
    let is_past = |asked: &Interaction| matches!(asked, Interaction::Vread | Interaction::HistoryInstance | Interaction::HistoryType);
    let interactions = def.interactions.iter().copied().filter(|asked| has_past || !is_past(asked)).collect::<Vec<_>>();
    Some(forever(TypeDef { search: forever(search), interactions: forever(interactions), ..*def }))
}

/// Every table of the type has values that an order can go by. An identifier's are sealed or hashed.
fn is_sorted(mappings: &[&'static Mapping], param: &'static SearchParam) -> bool {
    mappings.iter().all(|mapping| held::order(mapping, &Sort { param, is_descending: false }).is_some())
}

fn told(parameter: &'static SearchParameter, kind: Kind) -> SearchParam {
    let targets = parameter.targets.iter().map(String::as_str).collect::<Vec<_>>();
    SearchParam::of(&parameter.code, kind, &parameter.url, forever(targets))
}
