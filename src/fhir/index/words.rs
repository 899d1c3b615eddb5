//! The words of a resource: of its narrative (`_text`), and of all it says (`_content`).

use super::Row;
use crate::kernel::table::store::fold;
use serde_json::Value;
use std::collections::BTreeSet;

/// The parameters that ask for words.
pub const NARRATIVE: &str = "_text";
pub const CONTENT: &str = "_content";
/// Words that are kept of one resource; a longer one is found by its beginning.
const WORDS_MAX: usize = 2_000;
const LETTERS_MAX: usize = 64;
/// Bytes, addresses and names of systems say nothing that somebody looks for by a word.
const UNREAD: &[&str] = &["div", "data", "resourceType", "id", "meta", "system", "url", "reference", "fullUrl", "hash", "contentReference"];

/// As words are compared: folded, without what stands between them.
pub fn of_text(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words = folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(LETTERS_MAX).collect()).collect::<Vec<String>>().into_iter()
}

/// Of the narrative; what it shows, and none of its marks.
pub fn of_narrative(resource: &Value) -> BTreeSet<String> {
    let Some(div) = resource.pointer("/text/div").and_then(Value::as_str) else { return BTreeSet::new() };
    let mut shown = String::with_capacity(div.len());
    for piece in div.split('<') {
        // What stands before the first mark is no part of one.
        let text = piece.split_once('>').map_or("", |(_, text)| text);
        shown.push(' ');
        shown.push_str(&quick_xml::escape::unescape(text).unwrap_or(text.into()));
    }
    of_text(&shown).take(WORDS_MAX).collect()
}

/// Of every text in it, at any depth.
pub fn of_content(resource: &Value) -> BTreeSet<String> {
    let (mut words, mut waiting) = (BTreeSet::new(), vec![resource]);
    while let Some(value) = waiting.pop().filter(|_| words.len() < WORDS_MAX) {
        match value {
            Value::String(text) => words.extend(of_text(text)),
            Value::Array(items) => waiting.extend(items),
            Value::Object(map) => waiting.extend(map.iter().filter(|(key, _)| !UNREAD.contains(&key.as_str())).map(|(_, value)| value)),
            _ => {}
        }
    }
    words
}

/// What the resource says beyond what its record says by itself (`own`), for searches of texts.
pub fn rows(type_name: &str, resource: &Value, own: &Value) -> Vec<Row> {
    let known = of_content(own);
    let beyond: Vec<String> = of_content(resource).into_iter().filter(|word| !known.contains(word)).collect();
    let kinds = [(NARRATIVE, of_narrative(resource).into_iter().collect()), (CONTENT, beyond)];
    let row =
        |(code, said): (&str, Vec<String>)| Row { param: format!("{type_name}.{code}"), code: Some(String::new()), said, ..Row::default() };
    kinds.into_iter().filter(|(_, said)| !said.is_empty()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn joined(words: BTreeSet<String>) -> String {
        words.into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_narrative_is_read_as_it_is_shown() {
        let of = |div: &str| joined(of_narrative(&json!({"text": {"div": div}})));
        assert_eq!(
            of("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Caf&#233; &amp; <b>Z\u{fc}rich</b>,cold</p></div>"),
            "cafe cold zurich"
        );
        assert_eq!(of("no markup"), "");
        assert_eq!(joined(of_narrative(&json!({"text": 1}))), "");
    }

    #[test]
    fn all_that_is_said_is_content_but_for_bytes_and_addresses() {
        let said = json!({"resourceType": "Basic", "id": "x1", "code": {"coding": [{"system": "http://loinc.org", "code": "1-8", "display": "Pocket depth"}]},
            "extension": [{"url": "http://x.test", "valueString": "\u{c9}tage"}], "note": [{"text": "cold; cold"}], "photo": {"data": "QUJD"}});
        assert_eq!(joined(of_content(&said)), "1 8 cold depth etage pocket");
    }
}
