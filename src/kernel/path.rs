//! Where in a JSON document we stand, kept without allocation until a fault has to name it.

use std::fmt::Write;

const SEGMENTS_SHOWN_MAX: usize = 32;

#[derive(Clone, Copy)]
pub enum Segment<'a> {
    Key(&'a str),
    /// One of several names for a value: `value.ofType(boolean)` for `valueBoolean`.
    Choice(&'a str, &'a str),
    Index(usize),
}

/// A path from the root of one document.
#[derive(Default)]
pub struct Path<'a> {
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
    /// `Patient.name[0].family`, as FHIRPath has it too; what lies very deep becomes `…`.
    pub fn expression(&self) -> String {
        let mut text = String::new();
        for segment in self.segments.iter().take(SEGMENTS_SHOWN_MAX) {
            let dot = if text.is_empty() { "" } else { "." };
            // Writing to a String cannot fail.
            let _ = match segment {
                Segment::Key(key) => write!(text, "{dot}{}", speakable(key)),
                Segment::Choice(name, of) => write!(text, "{dot}{name}.ofType({of})"),
                Segment::Index(index) => write!(text, "[{index}]"),
            };
        }
        if self.segments.len() > SEGMENTS_SHOWN_MAX {
            text.push('…');
        }
        text
    }
}

/// The key where it can be an element's name, otherwise a mark: a key of the caller's making may hold anything.
fn speakable(key: &str) -> &str {
    let is_name = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_name { key } else { "?" }
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
        (0..40).for_each(|index| path.push(Segment::Index(index)));
        assert!(path.expression().ends_with("[27]…"));
    }
}
