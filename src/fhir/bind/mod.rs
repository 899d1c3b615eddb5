//! What a column and an element both say, said once: a list of [`Bind`]s renders a record ([`render`]), takes it from a
//! resource ([`take`]) and tells where a search parameter finds it ([`find`]). What a list cannot say is a function of
//! its domain, in [`Mapping::render`](super::mapping::Mapping) and `take`.
//!
//! A bind states what its column holds and nothing more: two FHIR codes may be one stored word, an element may stand in
//! another system of codes. The client's own words are kept beside the record ([`super::keep`]) and stand as long as the
//! column is what was taken from them.

mod find;
mod meaning;
mod render;
mod take;

pub use find::{find, selected, texts};
pub use meaning::is_meant;
pub use render::render;
pub use take::take;

/// An element of a resource or of a backbone element, and the columns of a row it is.
#[derive(Debug, Clone, Copy)]
pub struct Bind {
    /// Its name in R4, a choice without its type: `code`, `onset`.
    pub element: &'static str,
    pub how: How,
    /// It is an array; our value is one item of it.
    pub repeats: bool,
    /// Rendered and never taken: the row does not change by what is sent.
    pub shown_only: bool,
    /// What a column that must have a value is given when the element is missing.
    pub otherwise: Option<&'static str>,
}

/// Pairs of a stored word and a code. The first pair of a stored word is rendered, every pair is taken.
pub type Words = &'static [(&'static str, &'static str)];

/// A code of any of several systems, as columns hold it.
#[derive(Debug, Clone, Copy)]
pub struct Coded {
    /// The column of the code.
    pub code: &'static str,
    /// The column of the system's stored word, and what URI each word is. A word without one (`CUSTOM`) is written last:
    /// it stands for every other system.
    pub system: Option<&'static str>,
    pub systems: Words,
    pub version: Option<&'static str>,
    pub display: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
pub enum How {
    /// `code`; a flag's words are `true` and `false`, and only shown.
    Code {
        column: &'static str,
        words: Words,
    },
    /// `code`, by whether the column has a value; only shown.
    Whether {
        column: &'static str,
        without: &'static str,
        with: &'static str,
    },
    /// CodeableConcept of one code of a closed list.
    Concept {
        column: &'static str,
        system: &'static str,
        words: Words,
    },
    /// Coding of one code of a closed list.
    Coding {
        column: &'static str,
        system: &'static str,
        words: Words,
    },
    /// CodeableConcept of one code of an open list.
    Coded(&'static Coded),
    /// CodeableConcept that only has a text, or whose codes we do not tell apart.
    Words {
        column: &'static str,
    },
    Text {
        column: &'static str,
    },
    /// `date` or `dateTime`, from a day.
    Day {
        column: &'static str,
    },
    /// `dateTime` or `instant`, from a moment.
    Moment {
        column: &'static str,
    },
    /// A number or a flag.
    Plain {
        column: &'static str,
    },
    /// Quantity in the one unit of the column, by its UCUM code.
    Quantity {
        column: &'static str,
        unit: &'static str,
    },
    /// Money, from a count of the currency's smallest unit.
    Money {
        column: &'static str,
        currency: &'static str,
    },
    /// Identifier of a system; an empty one is not said.
    Identifier {
        column: &'static str,
        system: &'static str,
    },
    /// Of a list of codes each one a CodeableConcept of the system.
    Each {
        column: &'static str,
        system: &'static str,
    },
    /// A code of a system that is no list: CodeableConcept's Coding alone.
    Spelled {
        column: &'static str,
        system: &'static str,
    },
    /// The address of a resource, as an Attachment has it.
    Path {
        column: &'static str,
        to: &'static str,
    },
    /// A reference that only has a display.
    Named {
        column: &'static str,
    },
    /// A choice of dateTime and Period, from a pair of moments.
    When {
        from: &'static str,
        until: &'static str,
    },
    /// A Period from a pair of days.
    Days {
        from: &'static str,
        until: &'static str,
    },
    /// A Period from a pair of moments.
    Span {
        from: &'static str,
        until: &'static str,
    },
    /// A reference to a resource that is the row the column names.
    Points {
        column: &'static str,
        to: &'static str,
    },
    /// A reference to the Organization whose row it is.
    Tenant,
    /// A reference to the resource of another type that is the same row.
    Itself {
        to: &'static str,
    },
    /// base64 of a text, as an Attachment has it.
    Content {
        column: &'static str,
    },
    /// Annotation with a text alone.
    Note {
        column: &'static str,
    },
    /// The same for every row of the table: JSON.
    Always(&'static str),
    /// The same, and what tells these resources, or this item, from the others of the element.
    Is(&'static str),
    /// Binds that several lists share.
    All(&'static [Bind]),
    /// A backbone element of which the row itself is: rendered when a column of it has a value; of several sent, the item
    /// that is meant.
    Within(&'static [Bind]),
}

/// Units of measure.
const UCUM: &str = "http://unitsofmeasure.org";

impl How {
    /// The column it is, or the first of them.
    pub fn column(&self) -> Option<&'static str> {
        match *self {
            Self::Code { column, .. } | Self::Concept { column, .. } | Self::Coding { column, .. } | Self::Points { column, .. } => {
                Some(column)
            }
            Self::Words { column } | Self::Text { column } | Self::Day { column } | Self::Note { column } | Self::Named { column } => {
                Some(column)
            }
            Self::Moment { column } | Self::Plain { column } | Self::Quantity { column, .. } | Self::Money { column, .. } => Some(column),
            Self::Identifier { column, .. } | Self::Each { column, .. } | Self::Content { column } => Some(column),
            Self::Spelled { column, .. } | Self::Path { column, .. } | Self::Whether { column, .. } => Some(column),
            Self::When { from, .. } | Self::Days { from, .. } | Self::Span { from, .. } => Some(from),
            Self::Coded(coded) => Some(coded.code),
            Self::Within(inner) | Self::All(inner) => inner.iter().find_map(|bind| bind.how.column()),
            Self::Always(_) | Self::Is(_) | Self::Tenant | Self::Itself { .. } => None,
        }
    }
}

impl Bind {
    /// No column says it.
    fn is_constant(&self) -> bool {
        matches!(self.how, How::Always(_) | How::Is(_) | How::Tenant | How::Itself { .. })
    }
    pub const fn one(element: &'static str, how: How) -> Self {
        Self { element, how, repeats: false, shown_only: false, otherwise: None }
    }
    /// A list as a part of another.
    pub const fn all(binds: &'static [Bind]) -> Self {
        Self::one("", How::All(binds))
    }
    /// One item of a repeating element.
    pub const fn item(element: &'static str, how: How) -> Self {
        Self { repeats: true, ..Self::one(element, how) }
    }
    pub const fn shown_only(mut self) -> Self {
        self.shown_only = true;
        self
    }
    pub const fn otherwise(mut self, stored: &'static str) -> Self {
        self.otherwise = Some(stored);
        self
    }
}

/// A list with the lists in it, in their place.
fn flat(binds: &[Bind]) -> impl Iterator<Item = &Bind> {
    binds.iter().flat_map(|bind| match bind.how {
        How::All(inner) => inner,
        _ => std::slice::from_ref(bind),
    })
}

pub const fn code(column: &'static str, words: Words) -> How {
    How::Code { column, words }
}
pub const fn concept(column: &'static str, system: &'static str, words: Words) -> How {
    How::Concept { column, system, words }
}
pub const fn text(column: &'static str) -> How {
    How::Text { column }
}
pub const fn words(column: &'static str) -> How {
    How::Words { column }
}
pub const fn day(column: &'static str) -> How {
    How::Day { column }
}
pub const fn when(from: &'static str, until: &'static str) -> How {
    How::When { from, until }
}
pub const fn days(from: &'static str, until: &'static str) -> How {
    How::Days { from, until }
}
pub const fn span(from: &'static str, until: &'static str) -> How {
    How::Span { from, until }
}
pub const fn points(column: &'static str, to: &'static str) -> How {
    How::Points { column, to }
}
pub const fn note(column: &'static str) -> How {
    How::Note { column }
}
pub const fn moment(column: &'static str) -> How {
    How::Moment { column }
}
pub const fn plain(column: &'static str) -> How {
    How::Plain { column }
}
pub const fn quantity(column: &'static str, unit: &'static str) -> How {
    How::Quantity { column, unit }
}
pub const fn money(column: &'static str) -> How {
    How::Money { column, currency: "currency" }
}
pub const fn identifier(column: &'static str, system: &'static str) -> How {
    How::Identifier { column, system }
}
pub const fn each(column: &'static str, system: &'static str) -> How {
    How::Each { column, system }
}
pub const fn named(column: &'static str) -> How {
    How::Named { column }
}
pub const fn content(column: &'static str) -> How {
    How::Content { column }
}
