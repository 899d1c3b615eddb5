//! What a literal reference points to.

use super::definitions::Definitions;
use super::primitive::is_id;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal<'a> {
    /// `Patient/1`, or the same as an absolute URL under our own base.
    Local { type_name: &'a str, id: &'a str, version: Option<&'a str> },
    /// `#x`: contained; `#` alone is the container.
    Fragment(&'a str),
    /// `urn:uuid:…`: another entry of the same Bundle.
    Urn(&'a str),
    /// Anything else: another server's.
    Foreign(&'a str),
}

impl<'a> Literal<'a> {
    /// `base` is our own FHIR base URL, without a slash at its end.
    pub fn parse(text: &'a str, base: &str) -> Self {
        if let Some(fragment) = text.strip_prefix('#') {
            return Self::Fragment(fragment);
        }
        if text.starts_with("urn:") {
            return Self::Urn(text);
        }
        let relative = match text.strip_prefix(base) {
            Some(rest) if !base.is_empty() => rest.strip_prefix('/').unwrap_or(text),
            _ => text,
        };
        local(relative).unwrap_or(Self::Foreign(text))
    }
}

fn local(text: &str) -> Option<Literal<'_>> {
    let mut parts = text.split('/');
    let (type_name, id) = (parts.next()?, parts.next()?);
    let version = match (parts.next(), parts.next(), parts.next()) {
        (None, _, _) => None,
        (Some("_history"), Some(version), None) if is_id(version) => Some(version),
        _ => return None,
    };
    let is_known = Definitions::r4().is_resource(type_name) && is_id(id);
    is_known.then_some(Literal::Local { type_name, id, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_ours_only_under_our_base() {
        let base = "https://enamel.test/fhir/r4";
        let parse = |text| Literal::parse(text, base);
        let patient = Literal::Local { type_name: "Patient", id: "1", version: None };
        assert_eq!(parse("Patient/1"), patient);
        assert_eq!(parse("https://enamel.test/fhir/r4/Patient/1"), patient);
        assert_eq!(parse("Patient/1/_history/2"), Literal::Local { type_name: "Patient", id: "1", version: Some("2") });
        assert_eq!(parse("#p"), Literal::Fragment("p"));
        assert!(matches!(parse("urn:uuid:c757873d-ec9a-4326-a141-556f43239520"), Literal::Urn(_)));
        for foreign in [
            "https://elsewhere.test/fhir/Patient/1",
            "https://enamel.test/fhir/r4x/Patient/1",
            "Patient",
            "Foo/1",
            "Patient/a_b",
            "Patient/1/x",
            "/Patient/1",
        ] {
            assert_eq!(parse(foreign), Literal::Foreign(foreign));
        }
    }
}
