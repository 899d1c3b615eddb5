//! The types that are served, and the tables each of them is.

use crate::fhir::mapping::Mapping;
use crate::fhir::registry::Registry;
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
        sources.entry(mapping.of.name).or_default().push(mapping);
    }
    Types { registry: Registry::new(crate::server::domains::resources().map(|mapping| mapping.of)), sources }
});

pub fn registry() -> &'static Registry {
    &TYPES.registry
}

/// 404 for a type that is not served.
pub fn sources(type_name: &str) -> Result<&'static [&'static Mapping]> {
    TYPES.registry.find(type_name)?;
    Ok(TYPES.sources.get(type_name).map(Vec::as_slice).unwrap_or_default())
}
