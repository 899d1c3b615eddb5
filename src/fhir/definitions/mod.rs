//! The official R4 definitions (4.0.1) as tables: every type, profile, extension, code system, value set, search parameter
//! and compartment of the specification. `build.rs` makes them from the files in `r4/`; a piece is parsed when it is first
//! asked for, so they cost nothing at start and little memory.

pub mod codes;
pub mod compile;
pub mod originals;
pub mod parameter;
pub mod profiles;
pub mod structure;
pub mod terminology;

pub use structure::{Constraint, Element, Kind, Of, Strength, Structure};

use super::path::{Expression, Trouble};
use super::primitive::Primitive;
use originals::Original;
use parameter::{Compartment, SearchParameter};
use serde::de::DeserializeOwned;
use std::sync::OnceLock;

static FLAT: &str = include_str!(concat!(env!("OUT_DIR"), "/r4.tables"));
/// A name, 1 for a resource type that has instances, and where in [`FLAT`] its table stands.
type Place = (&'static str, u8, usize, usize);

mod index {
    use super::Place;
    include!(concat!(env!("OUT_DIR"), "/r4.rs"));
}

/// One kind of piece: its index, sorted by name, and what was read of it so far.
struct Shelf<T: 'static, const N: usize> {
    places: &'static [Place; N],
    read: [OnceLock<Option<&'static T>>; N],
}

impl<T: DeserializeOwned, const N: usize> Shelf<T, N> {
    const fn new(places: &'static [Place; N]) -> Self {
        Self { places, read: [const { OnceLock::new() }; N] }
    }
    fn place(&self, name: &str) -> Option<usize> {
        self.places.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()
    }
    fn get(&'static self, name: &str) -> Option<&'static T> {
        self.at(self.place(name)?)
    }
    /// Read once and kept for good: the specification does not change while we run.
    fn at(&'static self, at: usize) -> Option<&'static T> {
        let (_, _, start, end) = *self.places.get(at)?;
        let read = || serde_json::from_str(FLAT.get(start..end)?).ok().map(|piece| &*Box::leak(Box::new(piece)));
        *self.read.get(at)?.get_or_init(read)
    }
    /// All whose names begin so.
    fn starting(&'static self, prefix: String) -> impl Iterator<Item = &'static T> {
        let from = self.places.partition_point(|(name, ..)| *name < prefix.as_str());
        let names = self.places.get(from..).unwrap_or_default();
        let many = names.iter().take_while(|(name, ..)| name.starts_with(&prefix)).count();
        (from..from + many).filter_map(|at| self.at(at))
    }
}

static STRUCTURES: Shelf<Structure, { index::STRUCTURES.len() }> = Shelf::new(&index::STRUCTURES);
static VALUE_SETS: Shelf<terminology::ValueSet, { index::VALUE_SETS.len() }> = Shelf::new(&index::VALUE_SETS);
static CODE_SYSTEMS: Shelf<terminology::CodeSystem, { index::CODE_SYSTEMS.len() }> = Shelf::new(&index::CODE_SYSTEMS);
static PARAMETERS: Shelf<SearchParameter, { index::PARAMETERS.len() }> = Shelf::new(&index::PARAMETERS);
static ORIGINALS: Shelf<Original, { index::ORIGINALS.len() }> = Shelf::new(&index::ORIGINALS);
static COMPARTMENTS: Shelf<Compartment, { index::COMPARTMENTS.len() }> = Shelf::new(&index::COMPARTMENTS);

/// What an element's type leads to.
#[derive(Clone, Copy)]
pub enum Link {
    Primitive(Primitive),
    Complex(&'static Structure),
    /// Any resource stands here (contained, Bundle.entry.resource).
    Resource,
    Unknown,
}

impl Of {
    pub fn link(&self) -> Link {
        *self.link.0.get_or_init(|| match (Primitive::named(&self.name), Definitions.named(&self.name)) {
            (Some(primitive), _) => Link::Primitive(primitive),
            (None, Some(known)) if known.is_abstract && known.kind == Kind::Resource => Link::Resource,
            (None, Some(known)) if known.kind == Kind::Resource => Link::Resource,
            (None, Some(known)) => Link::Complex(known),
            (None, None) => Link::Unknown,
        })
    }
}

/// The expression of an invariant, read once.
pub type Compiled = Result<Expression, Trouble>;

impl Constraint {
    pub fn compiled(&self) -> &Compiled {
        self.compiled.0.get_or_init(|| Expression::parse(&self.expression))
    }
}

impl Element {
    /// An array in JSON.
    pub fn repeats(&self) -> bool {
        self.is_list
    }
}

/// R4 4.0.1.
#[derive(Clone, Copy)]
pub struct Definitions;

impl Definitions {
    pub fn r4() -> &'static Self {
        &Definitions
    }
    /// A type by its name, `Patient` or `HumanName`.
    pub fn named(&self, name: &str) -> Option<&'static Structure> {
        let mut url = String::with_capacity(compile::PREFIX.len() + name.len());
        url.push_str(compile::PREFIX);
        url.push_str(name);
        self.by_url(&url)
    }
    /// A type, profile or extension by its canonical address, without a version.
    pub fn by_url(&self, url: &str) -> Option<&'static Structure> {
        STRUCTURES.get(url)
    }
    /// Whether R4 has a resource of this name, be it served or not.
    pub fn is_resource(&self, name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && index::STRUCTURES
                .binary_search_by(|(url, ..)| {
                    url.strip_prefix(compile::PREFIX).map_or_else(|| (*url).cmp(compile::PREFIX), |it| it.cmp(name))
                })
                .is_ok_and(|at| index::STRUCTURES.get(at).is_some_and(|place| place.1 == 1))
    }
    /// The resource types that have instances, by name.
    pub fn resources(&self) -> impl Iterator<Item = &'static str> {
        index::STRUCTURES.iter().filter(|place| place.1 == 1).filter_map(|place| place.0.strip_prefix(compile::PREFIX))
    }
    /// Each type, profile and extension of the specification.
    pub fn every_structure(&self, see: &mut dyn FnMut(&'static Structure)) {
        (0..index::STRUCTURES.len()).filter_map(|at| STRUCTURES.at(at)).for_each(see);
    }
    /// Whether a type is, or is derived from, another.
    pub fn is_a(&self, name: &str, ancestor: &str) -> bool {
        let mut name = name;
        loop {
            if name == ancestor {
                return true;
            }
            match self.named(name).and_then(|known| known.base.strip_prefix(compile::PREFIX)) {
                Some(base) if base != name => name = base,
                _ => return false,
            }
        }
    }
    pub fn value_set(&self, url: &str) -> Option<&'static terminology::ValueSet> {
        VALUE_SETS.get(url)
    }
    pub fn code_system(&self, url: &str) -> Option<&'static terminology::CodeSystem> {
        CODE_SYSTEMS.get(url)
    }
    /// The search parameter of a type, its own or one that all resources have.
    pub fn parameter(&self, type_name: &str, code: &str) -> Option<&'static SearchParameter> {
        let of = |base: &str| PARAMETERS.get(&format!("{base}:{code}"));
        of(type_name).or_else(|| of("DomainResource")).or_else(|| of("Resource"))
    }
    /// All that R4 defines for a type itself.
    pub fn parameters(&self, type_name: &str) -> impl Iterator<Item = &'static SearchParameter> {
        PARAMETERS.starting(format!("{type_name}:"))
    }
    /// HL7's own resource of that type and id.
    pub fn original(&self, type_name: &str, id: &str) -> Option<&'static Original> {
        ORIGINALS.get(&format!("{type_name}/{id}"))
    }
    /// All of a type, by their ids.
    pub fn originals(&self, type_name: &str) -> impl Iterator<Item = &'static Original> {
        ORIGINALS.starting(format!("{type_name}/"))
    }
    /// The one of that canonical address, with a version or without.
    pub fn original_by_url(&self, type_name: &str, url: &str) -> Option<&'static Original> {
        let (url, version) = url.split_once('|').map_or((url, None), |(url, version)| (url, Some(version)));
        let is_it = |known: &&Original| known.text("url") == Some(url) && version.is_none_or(|it| known.text("version") == Some(it));
        self.originals(type_name).find(is_it)
    }
    /// `Patient`, `Encounter`, `Practitioner`, `RelatedPerson` or `Device`.
    pub fn compartment(&self, code: &str) -> Option<&'static Compartment> {
        COMPARTMENTS.get(code)
    }
}

#[cfg(test)]
#[path = "definitions_tests.rs"]
mod tests;
