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
}

impl Kind {
    /// None: a kind that is not served.
    pub fn named(code: &str) -> Option<Self> {
        const ALL: [Kind; 8] =
            [Kind::String, Kind::Token, Kind::Date, Kind::Reference, Kind::Uri, Kind::Number, Kind::Quantity, Kind::Composite];
        ALL.into_iter().find(|kind| kind.code() == code)
    }
    /// What a parameter of the kind takes where an index answers it (R4 §3.1.1.4.5).
    pub const fn modifiers(self) -> &'static [Modifier] {
        use Modifier::{Above, Below, Contains, Exact, Identifier, Missing, Not, Text};
        match self {
            Self::String => &[Exact, Contains, Missing],
            Self::Token => &[Not, Text, Missing],
            Self::Reference => &[Identifier, Missing],
            Self::Uri => &[Above, Below, Missing],
            Self::Date | Self::Number | Self::Quantity => &[Missing],
            Self::Composite => &[],
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
}

impl Modifier {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "exact" => Self::Exact,
            "contains" => Self::Contains,
            "not" => Self::Not,
            "missing" => Self::Missing,
            "text" => Self::Text,
            "above" => Self::Above,
            "below" => Self::Below,
            "identifier" => Self::Identifier,
            _ => return None,
        })
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
    const fn new(name: &'static str, kind: Kind, modifiers: &'static [Modifier]) -> Self {
        Self { name, kind, definition: "", modifiers, targets: &[], components: &[], is_sortable: false }
    }
    /// One that R4 defines.
    pub fn of(name: &'static str, kind: Kind, definition: &'static str, targets: &'static [&'static str]) -> Self {
        let plain = match kind {
            Kind::String => Self::string(name),
            Kind::Token => Self::token(name),
            Kind::Date => Self::date(name),
            Kind::Reference => Self::reference(name, targets),
            Kind::Uri => Self::uri(name),
            Kind::Number | Kind::Quantity | Kind::Composite => Self::new(name, kind, &[]),
        };
        Self { definition, ..plain }
    }
    pub const fn string(name: &'static str) -> Self {
        Self::new(name, Kind::String, &[Modifier::Exact, Modifier::Contains])
    }
    pub const fn token(name: &'static str) -> Self {
        Self::new(name, Kind::Token, &[Modifier::Not])
    }
    pub const fn date(name: &'static str) -> Self {
        Self::new(name, Kind::Date, &[])
    }
    pub const fn uri(name: &'static str) -> Self {
        Self::new(name, Kind::Uri, &[])
    }
    pub const fn reference(name: &'static str, targets: &'static [&'static str]) -> Self {
        Self { targets, ..Self::new(name, Kind::Reference, &[]) }
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
    SearchParam::date("_lastUpdated").sortable().defined_by("http://hl7.org/fhir/SearchParameter/Resource-lastUpdated");
