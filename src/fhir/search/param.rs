//! A search parameter as a domain declares it.

/// How values of the parameter are read and compared (R4 §3.1.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    String,
    Token,
    Date,
    Reference,
    Uri,
    Number,
    Quantity,
    /// Several values of one element, each asked for by a parameter of its own.
    Composite,
    /// What R4 says in words, for one parameter each.
    Special,
}

impl Kind {
    /// None: a kind that is not served.
    pub fn named(code: &str) -> Option<Self> {
        use Kind::{Composite, Date, Number, Quantity, Reference, Special, String, Token, Uri};
        [String, Token, Date, Reference, Uri, Number, Quantity, Composite, Special].into_iter().find(|kind| kind.code() == code)
    }
    /// What a parameter of the kind takes (R4 §3.1.1.4.5).
    pub const fn modifiers(self) -> &'static [Modifier] {
        use Modifier::{Above, Below, Contains, Exact, Identifier, In, Missing, Not, NotIn, Text};
        match self {
            Self::String => &[Exact, Contains, Missing],
            Self::Token => &[Not, Text, In, NotIn, Above, Below, Missing],
            Self::Reference => &[Identifier, Missing],
            // R5 gave it to addresses too, and there is no other way to look inside of one.
            Self::Uri => &[Above, Below, Contains, Missing],
            Self::Date | Self::Number | Self::Quantity => &[Missing],
            // All but combinations (R4, 3.1.1.4.4).
            Self::Composite | Self::Special => &[],
        }
    }
    /// As `search-param-type` has it.
    pub fn code(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Token => "token",
            Self::Date => "date",
            Self::Reference => "reference",
            Self::Uri => "uri",
            Self::Number => "number",
            Self::Quantity => "quantity",
            Self::Composite => "composite",
            Self::Special => "special",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    Exact,
    Contains,
    Not,
    Missing,
    /// The text beside a code.
    Text,
    /// Addresses that this one lies below, and those that lie below it.
    Above,
    Below,
    /// The identifier a reference names its target by.
    Identifier,
    /// Codes of a value set.
    In,
    NotIn,
    /// An identifier of that type.
    OfType,
}

/// Of identifiers.
pub const OF_IDENTIFIERS: &[Modifier] = &[Modifier::Not, Modifier::Text, Modifier::OfType, Modifier::Missing];

impl Modifier {
    const ALL: [(&str, Self); 11] = [
        ("exact", Self::Exact),
        ("contains", Self::Contains),
        ("not", Self::Not),
        ("missing", Self::Missing),
        ("text", Self::Text),
        ("above", Self::Above),
        ("below", Self::Below),
        ("identifier", Self::Identifier),
        ("in", Self::In),
        ("not-in", Self::NotIn),
        ("of-type", Self::OfType),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, modifier)| *modifier)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchParam {
    pub name: &'static str,
    pub kind: Kind,
    /// Canonical URL of the SearchParameter.
    pub definition: &'static str,
    pub modifiers: &'static [Modifier],
    /// For a reference: the types it may point to.
    pub targets: &'static [&'static str],
    /// Of a composite.
    pub components: &'static [SearchParam],
    /// `_sort` takes it.
    pub is_sortable: bool,
}

impl SearchParam {
    /// One that R4 defines.
    pub const fn of(name: &'static str, kind: Kind, definition: &'static str, targets: &'static [&'static str]) -> Self {
        Self { name, kind, definition, modifiers: kind.modifiers(), targets, components: &[], is_sortable: false }
    }
    pub const fn string(name: &'static str) -> Self {
        Self::of(name, Kind::String, "", &[])
    }
    pub const fn token(name: &'static str) -> Self {
        Self::of(name, Kind::Token, "", &[])
    }
    pub const fn date(name: &'static str) -> Self {
        Self::of(name, Kind::Date, "", &[])
    }
    pub const fn uri(name: &'static str) -> Self {
        Self::of(name, Kind::Uri, "", &[])
    }
    pub const fn reference(name: &'static str, targets: &'static [&'static str]) -> Self {
        Self::of(name, Kind::Reference, "", targets)
    }
    pub const fn sortable(mut self) -> Self {
        self.is_sortable = true;
        self
    }
    /// The modifiers the domain answers, where they are not those of the kind.
    pub const fn modified_by(mut self, modifiers: &'static [Modifier]) -> Self {
        self.modifiers = modifiers;
        self
    }
    pub const fn defined_by(mut self, url: &'static str) -> Self {
        self.definition = url;
        self
    }
}

/// What every type is searched by.
pub static ID: SearchParam =
    SearchParam::token("_id").modified_by(&[]).sortable().defined_by("http://hl7.org/fhir/SearchParameter/Resource-id");
pub static LAST_UPDATED: SearchParam =
    SearchParam::date("_lastUpdated").modified_by(&[]).sortable().defined_by("http://hl7.org/fhir/SearchParameter/Resource-lastUpdated");
