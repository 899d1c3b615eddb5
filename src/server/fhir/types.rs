//! The types that are served, and the tables each of them is. What a domain declares is completed once, when the first
//! request asks: every search parameter of R4 whose element is a column is served.

use super::{library, other};
use crate::fhir::bind::{self, selected};
use crate::fhir::definitions::Definitions;
use crate::fhir::definitions::parameter::SearchParameter;
use crate::fhir::mapping::{Find, Mapping};
use crate::fhir::registry::{Registry, TypeDef};
use crate::fhir::search::{Kind, SearchParam};
use crate::kernel::error::Result;
use std::collections::BTreeMap;
use std::sync::LazyLock;

struct Types {
    registry: Registry,
    sources: BTreeMap<&'static str, Vec<&'static Mapping>>,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut sources: BTreeMap<&'static str, Vec<&'static Mapping>> = BTreeMap::new();
    for mapping in crate::server::domains::resources() {
        sources.entry(mapping.of.name).or_default().push(completed(mapping));
    }
    for name in Definitions::r4().resources() {
        let known = sources.entry(name).or_default();
        known.extend(other::mapping(name, known.first().map(|mapping| mapping.of)).map(completed));
    }
    sources.retain(|_, mappings| !mappings.is_empty());
    let types = sources.values().filter_map(|mappings| served(mappings)).chain(library::types());
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

/// Lives as long as the program: made once for each type.
pub fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// With the parameters that its binds answer.
fn completed(mapping: &'static Mapping) -> &'static Mapping {
    let mut search = mapping.search.to_vec();
    for parameter in Definitions::r4().parameters(mapping.of.name) {
        if search.iter().all(|(name, _)| *name != parameter.code) {
            search.extend(found(mapping, parameter).map(|find| (parameter.code.as_str(), find)));
        }
    }
    forever(Mapping { search: forever(search), ..*mapping })
}

fn found(mapping: &Mapping, parameter: &SearchParameter) -> Option<Find> {
    let mut paths = selected(&parameter.expression, mapping.of.name);
    paths.sort_unstable();
    paths.dedup();
    let kind = Kind::named(&parameter.kind)?;
    let finds = paths.into_iter().filter_map(|path| bind::find(mapping.binds, path));
    let mut finds: Vec<Find> = finds.filter(|find| find.answers(kind)).collect();
    if finds.len() > 1 { Some(Find::Any(forever(finds))) } else { finds.pop() }
}

/// The type with all parameters that one of its tables answers.
fn served(mappings: &[&'static Mapping]) -> Option<&'static TypeDef> {
    let def = mappings.first()?.of;
    let mut search = def.search.to_vec();
    for parameter in Definitions::r4().parameters(def.name) {
        let is_new = search.iter().all(|known| known.name != parameter.code);
        let is_answered = mappings.iter().any(|mapping| mapping.search.iter().any(|(name, _)| *name == parameter.code));
        let Some(kind) = Kind::named(&parameter.kind).filter(|_| is_new && is_answered) else { continue };
        let targets = parameter.targets.iter().map(String::as_str).collect::<Vec<_>>();
        let sorted = |mapping: &&Mapping| mapping.sorts.iter().any(|sort| sort.name == parameter.code);
        search.push(SearchParam {
            is_sortable: mappings.iter().copied().all(|mapping| sorted(&mapping)),
            ..SearchParam::of(&parameter.code, kind, &parameter.url, forever(targets))
        });
    }
    if library::is_of(def.name) {
        let more = library::parameters(def.name).into_iter().filter(|more| search.iter().all(|known| known.name != more.name));
        search.extend(more.collect::<Vec<_>>());
    }
    Some(forever(TypeDef { search: forever(search), ..*def }))
}
