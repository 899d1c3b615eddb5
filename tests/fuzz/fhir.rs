//! JSON, resources, batches and searches.

use super::{Target, refusal, seeds};
use chrono::DateTime;
use enamel::fhir::bundle::Posted;
use enamel::fhir::negotiate::Handling;
use enamel::fhir::patch::{self, Refused};
use enamel::fhir::path::{Context, Expression, Item, Node, Trouble};
use enamel::fhir::search::value::Reading;
use enamel::fhir::search::{Modifier, Rules, SearchParam, parse};
use enamel::fhir::{DOCUMENT, accept, bundle, xml};
use enamel::kernel::json::{self, Limits};
use serde_json::Value;
use std::io::Read;

const WORDS: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "1e999",
    "-0",
    "0.1000000000000000000001",
    "\\u0000",
    "\\ud800",
    "\"resourceType\":",
    "\"extension\":[{\"url\":\"x\"}]",
    "\"_id\":",
    "\"contained\":[",
    "\u{0}",
    "9999-99-99",
    "\"id\":\"x\"",
    "\u{feff}",
    "\"$serde_json::private::Number\":\"1\"",
    "\"2026-02-30\"",
    "\"2026-11-21T09:00:00Z\"",
];
const TYPES: &[&str] = &["Patient", "Organization", "Practitioner", "Coverage", "RelatedPerson", "Location", "PractitionerRole"];

/// Published examples, small ones first so that many runs fit.
fn examples() -> Vec<Vec<u8>> {
    let packed = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fhir/examples.ndjson.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).filter(|line| line.len() < 8_000).collect();
    lines.sort_by_key(Vec::len);
    lines.truncate(60);
    lines
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains('\0') || has_nul(member)),
        _ => false,
    }
}

#[test]
fn fuzz_json_is_read_strictly_and_reads_back() {
    let run = |bytes: &[u8]| match json::parse(bytes, Limits::BODY) {
        Err(error) => refusal(&error),
        Ok(value) => {
            assert!(depth(&value) <= Limits::BODY.depth_max, "too deep");
            let written = serde_json::to_vec(&value).unwrap();
            assert!(!has_nul(&value), "a NUL was taken");
            assert_eq!(json::parse(&written, Limits::BODY).unwrap(), value, "it does not read back");
            format!("depth {}", depth(&value).min(8))
        }
    };
    let more = seeds(&["{\"a\":[1,2.50,\"x\",null,true]}", "[\"\\ud83d\\ude00\"]", "-1.5e-7", "\"\""]);
    Target { name: "json", seeds: [examples(), more].concat(), words: WORDS, memory: (256 * 1024, 200), run: &run }.fuzz();
}

#[test]
fn fuzz_fhir_resources_are_taken_as_they_are_or_refused() {
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let kind = TYPES.iter().find(|kind| text.contains(&format!("\"{kind}\""))).unwrap_or(&"Patient");
        match accept(bytes, kind) {
            Err(error) => refusal(&error),
            Ok(resource) => {
                let written = serde_json::to_vec(&resource.into_value()).unwrap();
                let again = accept(&written, kind).unwrap();
                assert_eq!(serde_json::to_vec(&again.into_value()).unwrap(), written, "it does not read back");
                format!("a {kind}")
            }
        }
    };
    Target { name: "fhir-resource", seeds: examples(), words: WORDS, memory: (8 * 1024 * 1024, 600), run: &run }.fuzz();
}

#[test]
fn fuzz_xml_is_read_or_refused_and_reads_back() {
    let run = |bytes: &[u8]| match xml::read(bytes, DOCUMENT) {
        Err(error) => refusal(&error),
        Ok(resource) => {
            assert!(depth(&resource) <= 2 * DOCUMENT.depth_max, "too deep");
            assert!(!has_nul(&resource), "a NUL was taken");
            let written = xml::write(&resource, false);
            assert_eq!(xml::read(written.as_bytes(), DOCUMENT).unwrap(), resource, "it does not read back");
            format!("a {}", resource["resourceType"])
        }
    };
    let written = |line: &Vec<u8>| xml::write(&serde_json::from_slice(line).unwrap(), false).into_bytes();
    let words: &[&str] = &[
        "<!DOCTYPE Patient [<!ENTITY a \"b\">]>",
        "&a;",
        "&#0;",
        "&#x41;",
        "<!-- -->",
        "<?x y?>",
        "<![CDATA[",
        "]]>",
        "<extension url=\"x\">",
        "</extension>",
        " value=\"1.00\"",
        " id=\"x\"",
        " xmlns=\"http://hl7.org/fhir\"",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">",
        "</div>",
        "<contained>",
        "<Patient>",
        "/>",
        "\u{0}",
    ];
    let seeds = examples().iter().map(written).collect();
    Target { name: "fhir-xml", seeds, words, memory: (8 * 1024 * 1024, 600), run: &run }.fuzz();
}

#[test]
fn fuzz_fhir_batches_fail_entry_by_entry() {
    let run = |bytes: &[u8]| match bundle::parse_posted(bytes, "https://enamel.test/fhir/r4") {
        Err(error) => refusal(&error),
        Ok(Posted::Transaction(entries)) => format!("{} entries", entries.len().min(4)),
        Ok(Posted::Batch(entries)) => entries
            .iter()
            .take(4)
            .map(|entry| entry.as_ref().map_or_else(refusal, |_| "an entry".to_owned()))
            .collect::<Vec<_>>()
            .join("; "),
    };
    let entry = r#"{"fullUrl":"urn:uuid:0192f0c4-0000-7000-8000-000000000001","resource":{"resourceType":"Patient","id":"a"},"request":{"method":"PUT","url":"Patient/a","ifMatch":"W/\"1\""}}"#;
    let search = r#"{"request":{"method":"GET","url":"Patient?name=x&_count=3"}}"#;
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[{entry},{search},{{"request":{{"method":"DELETE","url":"Patient/1"}}}}]}}"#
    );
    let empty = r#"{"resourceType":"Bundle","type":"batch"}"#;
    Target { name: "fhir-batch", seeds: seeds(&[&bundle, empty]), words: WORDS, memory: (256 * 1024, 300), run: &run }.fuzz();
}

static PARAMS: &[SearchParam] = &[
    SearchParam::string("name").modified_by(&[Modifier::Exact, Modifier::Contains]).sortable(),
    SearchParam::token("identifier").modified_by(&[Modifier::Not, Modifier::Missing]),
    SearchParam::date("birthdate").sortable(),
    SearchParam::reference("organization", &["Organization"]),
    SearchParam::uri("url"),
];

#[test]
fn fuzz_fhir_searches_are_read_or_refused() {
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let read = |handling| {
            let reading = Reading { base: "https://enamel.test/fhir/r4", now: DateTime::UNIX_EPOCH };
            parse(
                &text,
                &Rules { type_name: "Patient", params: PARAMS, handling, count_default: 20, count_max: 200, reading, others: |_| None },
            )
        };
        match (read(Handling::Lenient), read(Handling::Strict)) {
            (Err(error), strict) => {
                assert!(strict.is_err(), "strict takes what lenient refuses");
                refusal(&error)
            }
            (Ok(query), strict) => {
                assert!(query.count <= 200 && query.conditions.len() <= text.len());
                assert!(strict.is_err() || query.ignored.is_empty(), "strict passed something over");
                format!("{} conditions, {} ignored", query.conditions.len(), query.ignored.len().min(4))
            }
        }
    };
    let seeds = seeds(&[
        "name=a,b&name:exact=%C3%85&_count=5&_sort=-birthdate,name&_total=accurate",
        "identifier=http%3A%2F%2Fx%7Cy&identifier:missing=true&birthdate=ge2020-01&birthdate=lt2021",
        "organization=Organization/1&_summary=count&_elements=id,name&_format=json&_pretty=true",
        "_id=a\\,b&_lastUpdated=ap2026-11-21T09:00:00Z&url=urn:x&_cursor=abc",
        "organization:identifier=a|b&_has:x:y=z",
    ]);
    let words: &[&str] = &[
        "&",
        "=",
        "%",
        "%00",
        "%ff",
        ":not",
        ":exact",
        ",,",
        "\\",
        "|",
        "_count=999999999999999999999",
        "_sort=",
        "ge",
        "0000-00-00",
        "9999-12-31T23:59:60Z",
        "+",
        "_id=",
    ];
    Target { name: "fhir-search", seeds, words, memory: (256 * 1024, 300), run: &run }.fuzz();
}

#[test]
fn fuzz_fhirpath_is_evaluated_or_refused() {
    let resource =
        examples().iter().map(|line| serde_json::from_slice::<Value>(line).unwrap()).find(|it| it["resourceType"] == "Patient").unwrap();
    let node = Node::resource(&resource).unwrap();
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let said = |trouble| match trouble {
            Trouble::Syntax(why) | Trouble::Execution(why) => why.to_owned(),
            Trouble::Limit => "too much".to_owned(),
        };
        let expression = match Expression::parse(&text) {
            Ok(expression) => expression,
            Err(trouble) => return said(trouble),
        };
        let now = DateTime::UNIX_EPOCH.fixed_offset();
        let context = Context::of_stranger(node, now);
        let once = expression.evaluate(Item::Node(node), &context).map(|items| format!("{items:?}"));
        let again = expression.evaluate(Item::Node(node), &context).map(|items| format!("{items:?}"));
        assert_eq!(once, again, "the same input gives the same answer");
        once.map_or_else(said, |_| "items".to_owned())
    };
    let seeds = seeds(&[
        "Patient.name.where(use = 'official').given.first() & ' x'",
        "birthDate + 3 months < today() and (4 'g' = 4000 'mg').not()",
        "descendants().select(iif($this is string, length(), {})).aggregate($this + $total, 0)",
        "(1 | 2.5 | @2015-02-04T14:34:28+10:00 | @T14 | 'a').repeat($this).sort(-$this)",
        "name.given.combine('a').matches('[a-z]+').allTrue() implies -1.abs() div 2 mod 3 in (1 | 2)",
        "extension('x').value.ofType(Quantity).value.round(2).lowBoundary(3) ~ '1 \\'wk\\''.toQuantity()",
    ]);
    let words: &[&str] = &[
        ".select(",
        ".where(",
        ".repeat(",
        "$this",
        "$total",
        "%resource",
        "descendants()",
        "children()",
        "(((((",
        "))))",
        " & ",
        " | ",
        " and ",
        " implies ",
        "99999999999999999999",
        "0.0000000000000000000000000001",
        "@9999-12-31",
        "'\\u0000'",
        "`",
        "{}",
        "[0]",
        ".power(99)",
        ".toQuantity()",
        ".replaceMatches('(a|b)*c', '$1')",
        " as Quantity",
        " is System.Any",
        "/*",
        "//",
        "1 'mg/dL'",
    ];
    Target { name: "fhirpath", seeds, words, memory: (96 * 1024 * 1024, 4_000), run: &run }.fuzz();
}

#[test]
fn fuzz_patches_change_a_copy_or_are_refused() {
    let resource =
        examples().iter().map(|line| serde_json::from_slice::<Value>(line).unwrap()).find(|it| it["resourceType"] == "Patient").unwrap();
    let run = |bytes: &[u8]| {
        let Ok(patch) = json::parse(bytes, Limits::BODY) else { return "no JSON".to_owned() };
        let said = |made: Result<Value, Refused>| made.map_or_else(|refused| refused.text.to_owned(), |_| "a change".to_owned());
        let twice = (patch::json::apply(&resource, &patch), patch::json::apply(&resource, &patch));
        assert_eq!(twice.0, twice.1, "the same patch makes the same change");
        format!("{} / {}", said(twice.0), said(patch::fhirpath::apply(&resource, &patch)))
    };
    let seeds = seeds(&[
        r#"[{"op":"add","path":"/name/-","value":{"family":"x"}},{"op":"copy","from":"/name","path":"/name/0/x"},{"op":"test","path":"/active","value":true}]"#,
        r#"[{"op":"move","from":"/name/0","path":"/contact"},{"op":"remove","path":"/id"},{"op":"replace","path":"","value":[]}]"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},
            {"name":"name","valueString":"contact"},{"name":"value","part":[{"name":"name","valueHumanName":{"text":"n"}}]}]}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"move"},{"name":"path","valueString":"Patient.name.given"},
            {"name":"source","valueInteger":0},{"name":"destination","valueInteger":1}]}]}"#,
    ]);
    let words: &[&str] = &[
        "\"insert\"",
        "\"delete\"",
        "\"replace\"",
        "\"index\"",
        "/name/0/given/1",
        "~1",
        "Patient.descendants()",
        "Patient.deceased",
        "/-",
        "99999999999",
    ];
    Target { name: "fhir-patch", seeds, words, memory: (96 * 1024 * 1024, 4_000), run: &run }.fuzz();
}
