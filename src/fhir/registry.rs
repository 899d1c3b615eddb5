//! What is served: a domain declares each of its types once, and the protocol, the capability statement and the tests
//! read it here.

use super::bundle::Target;
use super::definitions::Definitions;
use super::search::SearchParam;
use crate::kernel::error::{Error, METHOD_NOT_ALLOWED, NO_ROUTE, Result};
use http::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interaction {
    Read,
    Vread,
    Update,
    Patch,
    Delete,
    HistoryInstance,
    HistoryType,
    Create,
    SearchType,
}

impl Interaction {
    /// As `type-restful-interaction` has it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::HistoryInstance => "history-instance",
            Self::HistoryType => "history-type",
            Self::Create => "create",
            Self::SearchType => "search-type",
        }
    }
    /// The interaction that a request is. At a type's own URL a change means the resource that meets its query.
    pub fn of(method: &Method, target: &Target) -> Result<Self> {
        Ok(match (method.as_str(), target.id.is_some(), target.history, target.version.is_some()) {
            ("GET" | "HEAD", true, true, true) => Self::Vread,
            ("GET" | "HEAD", true, true, false) => Self::HistoryInstance,
            ("GET" | "HEAD", false, true, false) => Self::HistoryType,
            ("GET" | "HEAD", true, false, _) => Self::Read,
            ("GET" | "HEAD", false, false, _) => Self::SearchType,
            ("POST", false, false, _) => Self::Create,
            ("PUT", _, false, _) => Self::Update,
            ("PATCH", _, false, _) => Self::Patch,
            ("DELETE", _, false, _) => Self::Delete,
            _ => return Err(Error::new(&METHOD_NOT_ALLOWED)),
        })
    }
    /// The letter of a SMART scope that allows it.
    pub fn letter(self) -> char {
        match self {
            Self::Read | Self::Vread | Self::HistoryInstance => 'r',
            Self::SearchType | Self::HistoryType => 's',
            Self::Create => 'c',
            Self::Update | Self::Patch => 'u',
            Self::Delete => 'd',
        }
    }
}

/// What every type offers that people write.
pub const ALL: &[Interaction] = &[
    Interaction::Read,
    Interaction::Vread,
    Interaction::Update,
    Interaction::Patch,
    Interaction::Delete,
    Interaction::HistoryInstance,
    Interaction::HistoryType,
    Interaction::Create,
    Interaction::SearchType,
];

/// The same for records that are never removed.
pub const KEPT: &[Interaction] = &[
    Interaction::Read,
    Interaction::Vread,
    Interaction::Update,
    Interaction::Patch,
    Interaction::HistoryInstance,
    Interaction::HistoryType,
    Interaction::Create,
    Interaction::SearchType,
];

/// A resource type and what can be done with it.
#[derive(Debug, Clone, Copy)]
pub struct TypeDef {
    pub name: &'static str,
    pub interactions: &'static [Interaction],
    /// Beside `_id` and `_lastUpdated`, which every type has, and beside those that follow from its binds.
    pub search: &'static [SearchParam],
    /// Profiles its resources are made to fit.
    pub profiles: &'static [&'static str],
}

impl TypeDef {
    /// A type that is read, searched and written.
    pub const fn all(name: &'static str) -> Self {
        Self { name, interactions: ALL, search: &[], profiles: &[] }
    }
    /// A type of what the server itself writes.
    pub const fn seen(name: &'static str) -> Self {
        Self { interactions: &[Interaction::Read, Interaction::SearchType], ..Self::all(name) }
    }
    /// A type of which nothing is kept: its resources are judged.
    pub const fn judged(name: &'static str) -> Self {
        Self { interactions: &[], ..Self::all(name) }
    }
    pub fn allows(&self, interaction: Interaction) -> Result<()> {
        if self.interactions.contains(&interaction) { Ok(()) } else { Err(Error::new(&METHOD_NOT_ALLOWED)) }
    }
}

/// All types served, in the order of their names.
#[derive(Debug, Default)]
pub struct Registry {
    types: Vec<&'static TypeDef>,
}

impl Registry {
    /// A type of no R4 resource is left out, and of two with one name the first stands; the tests of the assembled
    /// server hold that neither happens.
    pub fn new(types: impl IntoIterator<Item = &'static TypeDef>) -> Self {
        let mut types: Vec<_> = types.into_iter().filter(|def| Definitions::r4().is_resource(def.name)).collect();
        types.sort_by_key(|def| def.name);
        types.dedup_by_key(|def| def.name);
        Self { types }
    }
    pub fn types(&self) -> &[&'static TypeDef] {
        &self.types
    }
    /// The type of a URL. Unknown to R4 and not served are both 404; only the words differ.
    pub fn find(&self, name: &str) -> Result<&'static TypeDef> {
        let found = self.types.binary_search_by_key(&name, |def| def.name).ok().and_then(|at| self.types.get(at).copied());
        found.ok_or_else(|| {
            let text =
                if Definitions::r4().is_resource(name) { "The resource type is not served." } else { "R4 has no such resource type." };
            Error::new(&NO_ROUTE).detail(text)
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use Interaction::{Create, Read, SearchType, Update};
    static PATIENT_SEARCH: &[SearchParam] = &[
        SearchParam::string("name").sortable().defined_by("http://hl7.org/fhir/SearchParameter/Patient-name"),
        SearchParam::token("identifier"),
        SearchParam::date("birthdate").sortable(),
        SearchParam::reference("general-practitioner", &["Practitioner", "Organization"]),
        SearchParam::reference("organization", &["Organization"]),
        SearchParam::uri("photo-url"),
    ];
    pub static PATIENT: TypeDef = TypeDef {
        name: "Patient",
        interactions: &[Read, Create, Update, SearchType],
        search: PATIENT_SEARCH,
        profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"],
    };
    pub static COVERAGE: TypeDef = TypeDef { name: "Coverage", interactions: &[Read], search: &[], profiles: &[] };
    static NONSENSE: TypeDef = TypeDef { name: "Foo", interactions: &[], search: &[], profiles: &[] };

    #[test]
    fn a_request_is_one_interaction() {
        let of = |method: Method, id: Option<&str>, past: Option<Option<&str>>| {
            let target = Target {
                type_name: "Patient".into(),
                id: id.map(str::to_owned),
                history: past.is_some(),
                version: past.flatten().map(str::to_owned),
                query: String::new(),
            };
            Interaction::of(&method, &target).ok()
        };
        for (method, id, past, interaction) in [
            (Method::GET, Some("1"), None, Some(Read)),
            (Method::HEAD, Some("1"), Some(Some("2")), Some(Interaction::Vread)),
            (Method::GET, Some("1"), Some(None), Some(Interaction::HistoryInstance)),
            (Method::GET, None, Some(None), Some(Interaction::HistoryType)),
            (Method::GET, None, None, Some(Interaction::SearchType)),
            (Method::POST, None, None, Some(Create)),
            (Method::POST, Some("1"), None, None),
            (Method::PUT, None, None, Some(Interaction::Update)),
            (Method::PATCH, Some("1"), None, Some(Interaction::Patch)),
            (Method::DELETE, Some("1"), Some(Some("2")), None),
            (Method::OPTIONS, None, None, None),
        ] {
            assert_eq!(of(method.clone(), id, past), interaction, "{method} {id:?} {past:?}");
        }
    }

    #[test]
    fn a_type_is_served_or_404() {
        let registry = Registry::new([&PATIENT, &COVERAGE, &NONSENSE]);
        assert_eq!(registry.types().iter().map(|def| def.name).collect::<Vec<_>>(), ["Coverage", "Patient"]);
        assert_eq!(registry.find("Patient").unwrap().name, "Patient");
        for name in ["Foo", "Claim", "", "patient"] {
            assert_eq!(registry.find(name).unwrap_err().code.status, 404);
        }
        assert!(COVERAGE.allows(Read).is_ok());
        assert_eq!(COVERAGE.allows(Create).unwrap_err().code.status, 405);
    }
}
