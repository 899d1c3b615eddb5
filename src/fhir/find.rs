//! How a search parameter is answered by the records of a mapping.

use super::bind::{Coded, Words};
use super::index::Index;
use super::search::Kind;

/// Texts are SQL of our own, over the record `r`.
#[derive(Clone, Copy)]
pub enum Find {
    /// `within` holds the condition at `{}`; `starts` are folded columns with an index, `words` folded texts any word
    /// of which may start so, `exact` the texts as they are.
    Text {
        within: &'static str,
        starts: &'static [&'static str],
        words: &'static [&'static str],
        exact: &'static [&'static str],
    },
    /// A text column that holds a code of `system`; `stored` turns the code into what the column holds.
    Code {
        expr: &'static str,
        system: &'static str,
        stored: fn(&str) -> String,
    },
    /// A code of a closed list; without a system, of the only one the element has.
    Words {
        column: &'static str,
        system: &'static str,
        words: Words,
    },
    /// A code of any of several systems.
    Coded(&'static Coded),
    /// A text in one column, without an index of its own.
    Said(&'static str),
    /// A flag, true or false.
    Flag(&'static str),
    /// `system|value` whose value is sealed, of the record or of rows `i`; `kind` is SQL of the code of its type.
    Blind {
        within: &'static str,
        namespace: Namespace,
        table: &'static str,
        column: &'static str,
        kind: &'static str,
    },
    /// `system|value` in the clear; `stored` turns the value into what is stored.
    Plain {
        within: &'static str,
        namespace: Namespace,
        value: &'static str,
        stored: fn(&str) -> String,
    },
    Day(&'static str),
    Moment(&'static str),
    /// From a day to a day, or a moment to a moment; an end without a value is open.
    Days {
        from: &'static str,
        until: &'static str,
    },
    Moments {
        from: &'static str,
        until: &'static str,
    },
    Points {
        column: &'static str,
        to: &'static str,
    },
    /// The same where no column is the reference: `rows` finds those of an id (`$value`), `column` is what one of them says.
    Leads {
        rows: &'static str,
        column: &'static str,
        to: &'static str,
    },
    /// The same of rows `i` that are the record's own: `from` finds them, `column` is what each of them says.
    Rows {
        from: &'static str,
        column: &'static str,
        to: &'static str,
    },
    /// A number, in the one unit of the column (UCUM); without one, a number alone.
    Amount {
        column: &'static str,
        unit: &'static str,
    },
    /// A count of the currency's smallest unit, and the currency.
    Money {
        column: &'static str,
        currency: &'static str,
    },
    /// A place on the Earth, in degrees.
    Place {
        latitude: &'static str,
        longitude: &'static str,
    },
    /// By the values kept beside the record.
    Indexed(&'static Index),
    /// By words of whole texts, kept beside the record under these names.
    Worded(&'static [&'static str]),
    /// Codes that every row has, where the condition holds.
    Constant {
        codes: Words,
        given: Option<&'static str>,
    },
    /// A code of the system in a list of them.
    Listed {
        column: &'static str,
        system: &'static str,
    },
    /// Any of several.
    Any(&'static [Find]),
    /// These records never match.
    Never,
}

/// The system that a value is of (FHIR R4, 2.24.0.11 Identifier.system).
#[derive(Clone, Copy)]
pub enum Namespace {
    None,
    Always(&'static str),
    /// As a column says; empty, where a value has none.
    Column(&'static str),
}

impl Find {
    /// A value of no system, as a column of the record or of the rows has it.
    pub const fn number(within: &'static str, value: &'static str) -> Self {
        Self::numbered(within, Namespace::None, value)
    }
    pub const fn numbered(within: &'static str, namespace: Namespace, value: &'static str) -> Self {
        Self::Plain { within, namespace, value, stored: str::to_owned }
    }
    /// Whether a resource may say otherwise than its record: a column has fewer words than FHIR has codes, what every row has
    /// somebody may have sent another of, and what nobody said a column presumes.
    pub fn is_gainsaid(&self) -> bool {
        match self {
            Self::Words { .. } | Self::Constant { .. } | Self::Flag(_) | Self::Said(_) => true,
            Self::Day(_) | Self::Days { .. } | Self::Moment(_) | Self::Moments { .. } => true,
            Self::Plain { namespace: Namespace::None, .. } => self.is_of_rows(),
            find => matches!(find, Self::Points { column: OF_TENANT, .. }),
        }
    }
    /// The ways by themselves, of several each.
    pub fn each(&'static self) -> Vec<&'static Find> {
        match self {
            Self::Any(finds) => finds.iter().flat_map(Find::each).collect(),
            one => vec![one],
        }
    }
    /// Whether other rows than the record's own are asked.
    pub fn is_of_rows(&self) -> bool {
        match self {
            Self::Text { within, .. } | Self::Plain { within, .. } | Self::Blind { within, .. } => *within != HERE,
            Self::Leads { .. } | Self::Rows { .. } => true,
            _ => false,
        }
    }
    /// Whether a parameter of the kind can be asked of it.
    pub fn answers(&self, kind: Kind) -> bool {
        match self {
            Self::Text { .. } | Self::Said(_) | Self::Worded(_) => kind == Kind::String,
            Self::Words { .. } | Self::Coded(_) | Self::Code { .. } | Self::Flag(_) => kind == Kind::Token,
            Self::Blind { .. } | Self::Plain { .. } | Self::Constant { .. } | Self::Listed { .. } => kind == Kind::Token,
            Self::Day(_) | Self::Moment(_) | Self::Days { .. } | Self::Moments { .. } => kind == Kind::Date,
            Self::Points { .. } => matches!(kind, Kind::Reference | Kind::Uri),
            Self::Leads { .. } | Self::Rows { .. } => kind == Kind::Reference,
            Self::Amount { unit: "", .. } => kind == Kind::Number,
            Self::Amount { .. } | Self::Money { .. } => kind == Kind::Quantity,
            Self::Place { .. } => kind == Kind::Special,
            Self::Any(finds) => finds.iter().all(|find| find.answers(kind)),
            Self::Indexed(_) | Self::Never => true,
        }
    }
}

const OF_TENANT: &str = "r.tenant_id";
/// The Organization whose row it is.
pub const TENANT: Find = Find::Points { column: OF_TENANT, to: "Organization" };

/// The condition itself, where it stands in no subquery.
pub const HERE: &str = "{}";
