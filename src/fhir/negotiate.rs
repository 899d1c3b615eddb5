//! Which form a body has and which one the caller wants back (R4 §3.1.0.1.9, §3.1.0.1.11; RFC 9110 §12.5.1, RFC
//! 7240).

use super::xml;
use crate::kernel::error::{Error, MEDIA_TYPE, NOT_ACCEPTABLE, PARAMETER_INVALID, Result};
use serde_json::Value;

/// The forms we speak. Those of JSON differ in the name alone, and so do those of XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    FhirJson,
    Json,
    FhirXml,
    Xml,
}

impl Format {
    /// For Content-Type. JSON has no charset parameter (RFC 8259), FHIR's type asks for one.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::FhirJson => "application/fhir+json; charset=utf-8",
            Self::Json => "application/json",
            Self::FhirXml => "application/fhir+xml; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }
    pub fn is_xml(self) -> bool {
        matches!(self, Self::FhirXml | Self::Xml)
    }
    /// A resource in this form.
    pub fn write(self, resource: &Value, is_pretty: bool) -> Vec<u8> {
        match (self.is_xml(), is_pretty) {
            (true, _) => xml::write(resource, is_pretty).into_bytes(),
            (false, true) => format!("{resource:#}").into_bytes(),
            (false, false) => resource.to_string().into_bytes(),
        }
    }
}

/// What the answer is written in: `_format` before Accept.
pub fn answer_format(accept: Option<&str>, format: Option<&str>) -> Result<Format> {
    let none = || Error::new(&NOT_ACCEPTABLE).detail("Answers are given as application/fhir+json or application/fhir+xml.");
    if let Some(format) = format {
        // In a query an unescaped plus arrives as a space.
        return named(&format.replace(' ', "+")).ok_or_else(none);
    }
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Ok(Format::FhirJson) };
    let mut best: Option<(Format, f32)> = None;
    for range in accept.split(',') {
        let quality = parameter(range, "q").map_or(1.0, |q| q.parse().unwrap_or(0.0));
        let format = range_format(range).filter(|_| quality > 0.0);
        if let Some(format) = format.filter(|_| best.is_none_or(|(_, q)| quality > q)) {
            best = Some((format, quality));
        }
    }
    best.map(|(format, _)| format).ok_or_else(none)
}

/// Whether an Accept header asks for a resource, and not for the bytes that a Binary stands for.
pub fn names_fhir(accept: &str) -> bool {
    let forms = ["application/fhir+json", "application/json", "application/fhir+xml", "application/xml"];
    accept.split(',').any(|range| forms.iter().any(|form| essence(range).eq_ignore_ascii_case(form)))
}

/// Whether a resource body is in a form we read.
pub fn body_format(content_type: Option<&str>) -> Result<Format> {
    let wrong = || Error::new(&MEDIA_TYPE).detail("Bodies are read as application/fhir+json or application/fhir+xml.");
    let content_type = content_type.ok_or_else(wrong)?;
    let is_utf8 = parameter(content_type, "charset").is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
    named(content_type).filter(|_| is_utf8).ok_or_else(wrong)
}

/// Whether that is what a body is.
pub fn is(content_type: Option<&str>, name: &str) -> bool {
    content_type.is_some_and(|given| essence(given).eq_ignore_ascii_case(name))
}

/// Whether a `_search` body is a form.
pub fn form_body(content_type: Option<&str>) -> Result<()> {
    if is(content_type, "application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(Error::new(&MEDIA_TYPE).detail("A search body is application/x-www-form-urlencoded."))
}

fn range_format(range: &str) -> Option<Format> {
    match essence(range) {
        "*/*" | "application/*" => version_is_ours(range).then_some(Format::FhirJson),
        _ => named(range),
    }
}

fn named(media_type: &str) -> Option<Format> {
    let format = match essence(media_type).to_ascii_lowercase().as_str() {
        "application/fhir+json" | "json" => Format::FhirJson,
        "application/json" | "text/json" => Format::Json,
        "application/fhir+xml" | "xml" => Format::FhirXml,
        "application/xml" | "text/xml" => Format::Xml,
        _ => return None,
    };
    version_is_ours(media_type).then_some(format)
}

fn version_is_ours(media_type: &str) -> bool {
    parameter(media_type, "fhirVersion").is_none_or(|version| matches!(version, "4.0" | "4.0.0" | "4.0.1"))
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn parameter<'a>(media_type: &'a str, name: &str) -> Option<&'a str> {
    media_type.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// What comes back after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Return {
    Minimal,
    #[default]
    Representation,
    OperationOutcome,
}

/// What happens to a search parameter we do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    Strict,
    #[default]
    Lenient,
}

/// The preferences of a request; what we do not know is no error (RFC 7240 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefer {
    pub return_: Return,
    pub handling: Handling,
    pub respond_async: bool,
}

impl Prefer {
    /// Nothing is passed over.
    pub const STRICT: Self = Self { return_: Return::Representation, handling: Handling::Strict, respond_async: false };

    /// All Prefer headers of a request. A `handling` that is neither strict nor lenient is refused: guessing it would
    /// decide whether a filter counts.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut prefer = Self::default();
        for preference in headers.into_iter().flat_map(|header| header.split([',', ';'])) {
            let (name, value) = preference.split_once('=').map_or((preference, ""), |(n, v)| (n, v));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            match (name.to_ascii_lowercase().as_str(), value) {
                ("return", "minimal") => prefer.return_ = Return::Minimal,
                ("return", "representation") => prefer.return_ = Return::Representation,
                ("return", "OperationOutcome") => prefer.return_ = Return::OperationOutcome,
                ("handling", "strict") => prefer.handling = Handling::Strict,
                ("handling", "lenient") => prefer.handling = Handling::Lenient,
                ("handling", _) => {
                    return Err(Error::new(&PARAMETER_INVALID).fault("Prefer", "code", "handling is strict or lenient."));
                }
                ("respond-async", _) => prefer.respond_async = true,
                _ => {}
            }
        }
        Ok(prefer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_format_follows_format_then_accept() {
        let given = |accept: &str, format: Option<&str>| answer_format(Some(accept), format).map_err(|e| e.code.status);
        for (accept, format, answer) in [
            ("", None, Ok(Format::FhirJson)),
            ("*/*", None, Ok(Format::FhirJson)),
            ("text/html,application/xhtml+xml,*/*;q=0.8", None, Ok(Format::FhirJson)),
            ("application/json", None, Ok(Format::Json)),
            ("application/json;q=0.5, application/fhir+json", None, Ok(Format::FhirJson)),
            ("application/fhir+json; fhirVersion=4.0", None, Ok(Format::FhirJson)),
            ("application/fhir+json; fhirVersion=3.0", None, Err(406)),
            ("application/fhir+xml", None, Ok(Format::FhirXml)),
            ("application/fhir+xml;q=0.4, application/fhir+json;q=0.5", None, Ok(Format::FhirJson)),
            ("application/fhir+json;q=0.4, text/xml;q=0.5", None, Ok(Format::Xml)),
            ("application/fhir+xml; fhirVersion=5.0", None, Err(406)),
            ("text/turtle, application/fhir+turtle", None, Err(406)),
            ("application/json;q=0", None, Err(406)),
            ("application/fhir+xml", Some("json"), Ok(Format::FhirJson)),
            ("*/*", Some("application/fhir json"), Ok(Format::FhirJson)),
            ("application/fhir+json", Some("xml"), Ok(Format::FhirXml)),
            ("application/fhir+json", Some("application/fhir xml"), Ok(Format::FhirXml)),
            ("application/fhir+json", Some("ttl"), Err(406)),
        ] {
            assert_eq!(given(accept, format), answer, "{accept} {format:?}");
        }
        assert_eq!(answer_format(None, None).unwrap(), Format::FhirJson);
    }

    #[test]
    fn a_body_is_json_or_xml_or_refused() {
        for good in
            ["application/fhir+json", "application/json; charset=UTF-8", "application/fhir+json;fhirVersion=4.0", "application/fhir+xml"]
        {
            assert!(body_format(Some(good)).is_ok(), "{good}");
        }
        for bad in [None, Some("text/plain"), Some("application/fhir+turtle"), Some("application/json;charset=latin1"), Some("")] {
            assert_eq!(body_format(bad).unwrap_err().code.status, 415, "{bad:?}");
        }
        assert!(form_body(Some("application/x-www-form-urlencoded; charset=utf-8")).is_ok());
        assert!(form_body(Some("application/json")).is_err());
    }

    #[test]
    fn preferences_are_read_together() {
        let prefer = Prefer::parse(["respond-async, handling=strict", "return=OperationOutcome; x=1"]).unwrap();
        assert_eq!(prefer, Prefer { return_: Return::OperationOutcome, handling: Handling::Strict, respond_async: true });
        assert_eq!(Prefer::parse(["return=minimal"]).unwrap().return_, Return::Minimal);
        assert_eq!(Prefer::parse(["wait=10, return=whatever"]).unwrap(), Prefer::default());
        assert!(Prefer::parse(["handling=loose"]).is_err());
    }
}
