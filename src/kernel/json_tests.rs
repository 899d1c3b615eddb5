//! What is JSON is read as it was sent, what is not is refused, and nothing makes the reader panic or grow.

use super::*;

const DOCUMENT: Limits = Limits { named_by: Some("resourceType"), ..Limits::BODY };
const DEPTH_MAX: usize = DOCUMENT.depth_max;

fn parse(bytes: &[u8]) -> Result<Value> {
    super::parse(bytes, DOCUMENT)
}
use proptest::prelude::*;
use serde_json::json;

fn rule(body: &str) -> (&'static str, String) {
    let error = parse(body.as_bytes()).unwrap_err();
    let fault = error.faults.first().unwrap_or_else(|| panic!("{error}"));
    (fault.rule, fault.field.clone())
}

#[test]
fn a_document_is_read_as_it_was_sent() {
    let body = r#" {"a":[1.10,-0,1e5,true,null,"\u00e9\ud83e\uddb7\n/\/"],"b":{},"c":[]} "#;
    let value = parse(body.as_bytes()).unwrap();
    assert_eq!(value["a"][0].to_string(), "1.10");
    assert_eq!(value["a"][5], json!("é🦷\n//"));
    assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
    assert_eq!(parse(b"\xEF\xBB\xBF{}").unwrap(), json!({}));
}

#[test]
fn a_duplicate_key_is_refused_with_its_place() {
    let body = r#"{"resourceType":"Patient","name":[{"family":"a","family":"b"}]}"#;
    assert_eq!(rule(body), ("duplicate", "Patient.name[0].family".into()));
    assert_eq!(rule(r#"{"resourceType":"Patient","active":true,"active":false}"#).1, "Patient.active");
    assert_eq!(rule("{\"resourceType\":\"Patient\",\"a\":1,\"\\u0061\":2}").0, "duplicate");
}

#[test]
fn nul_is_refused_in_every_spelling() {
    assert_eq!(rule("{\"a\":\"x\\u0000\"}").0, "nul");
    assert_eq!(rule("{\"a\":\"x\0\"}").0, "nul");
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(rule(&nested(DEPTH_MAX + 1)).0, "depth");
    assert_eq!(rule(&"[".repeat(1_000_000)).0, "depth");
    assert_eq!(rule(&"{\"a\":".repeat(10_000)).0, "depth");
}

#[test]
fn a_dense_document_is_refused_before_it_fills_the_memory() {
    let dense = format!("[{}1]", "1,".repeat(200_000));
    assert_eq!(parse(dense.as_bytes()).unwrap_err().code, &TOO_LARGE);
}

#[test]
fn what_is_not_json_is_refused() {
    for body in [
        "",
        " ",
        "{",
        "[",
        "\"",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "tru",
        "nul",
        "NaN",
        "{} {}",
        "[1 2]",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "// c\n{}",
    ] {
        let error = parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, &MALFORMED, "{body}");
    }
    assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    assert!(parse(b"\"\\u00\xc3\xa9\"").is_err());
    assert!(parse(format!("1{}", "0".repeat(80)).as_bytes()).is_err());
}

/// It would be read back as a number.
#[test]
fn an_object_that_looks_like_serde_internals_is_refused() {
    assert_eq!(rule(r#"{"a":{"$serde_json::private::Number":"1"}}"#), ("key", "a.?".into()));
    assert_eq!(rule(r#"{"a":{"\u0024serde_json::private::Number":"1"}}"#).0, "key");
}

#[test]
fn a_body_is_named_from_its_own_root_and_bounded_as_its_kind_is() {
    let refusal = |text: &str, limits| {
        let error = super::parse(text.as_bytes(), limits).unwrap_err();
        format!("{}|{}", error.faults[0].field, error.faults[0].rule)
    };
    assert_eq!(refusal(r#"{"items":[{"id":1},{"first_name":2,"first_name":3}]}"#, Limits::BODY), "items[1].first_name|duplicate");
    assert_eq!(refusal(r#"{"resourceType":"Patient","a":{"b":1,"b":2}}"#, Limits::BODY), "a.b|duplicate");
    assert_eq!(refusal(r#"{"a b":[1,]}"#, Limits::BODY), "?[1]|syntax");
    assert_eq!(refusal("[[[1]]]", Limits { depth_max: 2, ..Limits::BODY }), "[0][0]|depth");
    assert!(super::parse(b"[[1]]", Limits { depth_max: 2, ..Limits::BODY }).is_ok());
    for (bytes, place) in [(&b"{\"a\":[{\"b\":\"\xff\"}]}"[..], "a[0].b"), (b"{\"a\":1}\xff", ""), (b"\"\xed\xa0\x80\"", "")] {
        let fault = &super::parse(bytes, Limits::BODY).unwrap_err().faults[0];
        assert_eq!((fault.field.as_str(), fault.rule), (place, "utf8"));
    }
}

#[test]
fn no_value_and_no_strange_key_is_repeated() {
    for text in
        [r#"{"ssn":"hunter2"#, r#"{"ssn":hunter2}"#, r#"{"ssn":"hunter2\u0000"}"#, r#"{"hunter2 is a key":[1,]}"#, r#"["hunter2"] x"#]
    {
        let error = super::parse(text.as_bytes(), Limits::BODY).expect_err(text);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[^\\x00]{0,6}", inner, 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }
    #[test]
    fn bytes_near_json_are_answered_as_serde_would(text in r#"[\[\]{}:,"\\a0-9.eE+\-u \n]{0,40}"#) {
        let ours = parse(text.as_bytes());
        let theirs = serde_json::from_str::<Value>(&text);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Ok(_), Err(e)) => prop_assert!(false, "took what serde_json refuses: {}", e),
            // Stricter: duplicate keys, NUL.
            (Err(e), Ok(_)) => prop_assert!(!e.faults.is_empty(), "refused what serde_json takes: {}", e),
            (Err(_), Err(_)) => {}
        }
    }
    #[test]
    fn json_comes_back(value in any_json()) {
        prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
    }
}
