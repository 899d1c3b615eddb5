//! Where in a document we stand, kept without allocation until a fault has to name it as FHIRPath.

use std::fmt::Write;

#[derive(Clone, Copy)]
pub(super) enum Segment<'a> {
    Key(&'a str),
    /// A choice element as FHIRPath sees it: `value.ofType(boolean)` for `valueBoolean`.
    Choice(&'a str, &'a str),
    Index(usize),
}

/// A path from the root of one resource.
pub(super) struct Path<'a> {
    segments: Vec<Segment<'a>>,
}

impl<'a> Path<'a> {
    pub fn new() -> Self {
        Self { segments: Vec::with_capacity(16) }
    }
    pub fn push(&mut self, segment: Segment<'a>) {
        self.segments.push(segment);
    }
    pub fn pop(&mut self) {
        self.segments.pop();
    }
    /// `Patient.name[0].family`.
    pub fn expression(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            let dot = if text.is_empty() { "" } else { "." };
            // Writing to a String cannot fail.
            let _ = match segment {
                Segment::Key(key) => write!(text, "{dot}{}", speakable(key)),
                Segment::Choice(name, of) => write!(text, "{dot}{name}.ofType({of})"),
                Segment::Index(index) => write!(text, "[{index}]"),
            };
        }
        text
    }
}

/// The key where it can be an element's name, otherwise a mark: a key of the caller's making may hold anything.
fn speakable(key: &str) -> &str {
    let plain = key.strip_prefix('_').unwrap_or(key);
    let is_name = (1..=64).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_name { plain } else { "?" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_fhirpath_and_repeats_no_free_text() {
        let mut path = Path::new();
        path.push(Segment::Key("Patient"));
        path.push(Segment::Key("extension"));
        path.push(Segment::Index(2));
        path.push(Segment::Choice("value", "boolean"));
        assert_eq!(path.expression(), "Patient.extension[2].value.ofType(boolean)");
        path.pop();
        path.push(Segment::Key("Jane Doe, born 1970"));
        assert_eq!(path.expression(), "Patient.extension[2].?");
    }
}
