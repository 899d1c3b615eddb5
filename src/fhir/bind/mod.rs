//! What a column and an element both say, said once: a list of [`Bind`]s renders a record ([`render`]), takes it from a
//! resource ([`take`]) and tells where a search parameter finds it ([`find`]). What a list cannot say is a function of
//! its domain, in [`Mapping::render`](super::mapping::Mapping) and `take`.
//!
//! A bind states what its column holds and nothing more: two FHIR codes may be one stored word, an element may stand in
//! another system of codes. The client's own words are kept beside the record ([`super::keep`]) and stand as long as the
//! column is what was taken from them.

mod find;
mod render;
mod take;

pub use find::{find, selected};
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
    /// `code`.
    Code {
        column: &'static str,
        words: Words,
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
    /// Annotation with a text alone.
    Note {
        column: &'static str,
    },
    /// The same for every row of the table: JSON.
    Always(&'static str),
    /// A backbone element of which the row itself is.
    Within(&'static [Bind]),
}

impl Bind {
    pub const fn one(element: &'static str, how: How) -> Self {
        Self { element, how, repeats: false, shown_only: false, otherwise: None }
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
