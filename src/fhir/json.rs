//! The JSON entry point: bytes of a stranger become a [`Value`] or a fault with its place.
//!
//! Our own reader, because serde_json takes the last of two equal keys silently, reads `\u0000`, and under
//! `arbitrary_precision` tells a number from an object by a magic key that a caller could send. RFC 8259 grammar,
//! no leniency. Bounded: depth, and values in proportion to bytes (a `Value` is far larger than the `1,` it came from).

use super::path::{Path, Segment};
use crate::kernel::error::{Error, MALFORMED, Result, TOO_LARGE};
use serde_json::{Map, Number, Value};

/// The deepest nesting of objects and arrays taken; real resources stay under 20.
pub const DEPTH_MAX: usize = 64;
/// A number's literal; FHIR asks for 18 digits.
const NUMBER_LENGTH_MAX: usize = 64;
/// Values allowed in a document: this many, and one more for each [`BYTES_PER_VALUE`] bytes.
const VALUES_BASE: usize = 4096;
const BYTES_PER_VALUE: usize = 8;

/// Reads one JSON document.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|e| malformed(format!("The body is not UTF-8 at byte {}.", e.valid_up_to())))?;
    let mut reader = Reader { text, at: 0, depth: 0, values_left: VALUES_BASE + text.len() / BYTES_PER_VALUE, path: Path::new() };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("there is more after the end of the JSON document")),
    }
}

fn malformed(detail: String) -> Error {
    Error::new(&MALFORMED).detail(detail)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values_left: usize,
    path: Path<'a>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong(&self, what: &str) -> Error {
        malformed(format!("The JSON cannot be read at byte {}: {what}.", self.at))
    }

    fn fault(&self, rule: &'static str, text: &str) -> Error {
        Error::new(&MALFORMED).fault(self.path.expression(), rule, text)
    }

    fn take(&mut self, byte: u8, what: &str) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(what));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<Value> {
        self.values_left = match self.values_left.checked_sub(1) {
            Some(left) => left,
            None => return Err(Error::new(&TOO_LARGE).detail("The document holds too many values for its size.")),
        };
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.wrong("a value is expected")),
            None => Err(self.wrong("the document breaks off")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value>) -> Result<Value> {
        if self.depth == DEPTH_MAX {
            return Err(self.fault("depth", "The nesting is deeper than 64 levels."));
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value> {
        let mut map = Map::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            let (key, raw) = self.key()?;
            self.path.push(Segment::Key(raw));
            if map.contains_key(&key) {
                return Err(self.fault("duplicate", "The key stands twice in one object."));
            }
            self.space();
            self.take(b':', "a colon is expected")?;
            self.space();
            let value = self.value()?;
            self.path.pop();
            if self.depth == 1 && key == "resourceType" {
                // From here on the path starts at the resource's type.
                self.path.push(Segment::Key(root_name(self.text, &value)));
            }
            map.insert(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(map));
                }
                _ => return Err(self.wrong("a comma or the end of the object is expected")),
            }
            self.space();
        }
    }

    /// A key, and the slice of the text it stands for in a path.
    fn key(&mut self) -> Result<(String, &'a str)> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key in double quotes is expected"));
        }
        let from = self.at + 1;
        let key = self.string()?;
        Ok((key, &self.text[from..self.at - 1]))
    }

    fn array(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.path.push(Segment::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.wrong("a comma or the end of the array is expected")),
            }
            self.space();
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.wrong("a value is expected"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// Digits as they were sent: FHIR's `1.10` is not `1.1`.
    fn number(&mut self) -> Result<Value> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let literal = &self.text[from..self.at];
        if literal.len() > NUMBER_LENGTH_MAX {
            return Err(self.fault("length", "A number has more than 64 characters."));
        }
        let number: Number = literal.parse().map_err(|_| self.wrong("the number cannot be read"))?;
        Ok(Value::Number(number))
    }

    fn digits(&mut self) -> Result<()> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(self.wrong("a digit is expected")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let Some(plain) = rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20) else {
                return Err(self.wrong("a string is not closed"));
            };
            // The stop is an ASCII byte, so the slice ends on a character's border.
            out.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => out.push(self.escape()?),
                0 => return Err(self.fault("nul", "A NUL character stands in a string.")),
                _ => return Err(self.wrong("a control character stands in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        self.at += 1;
        let kind = self.peek();
        self.at += 1;
        let plain = match kind {
            Some(b'u') => return self.unicode(),
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.wrong("an escape is unknown")),
        };
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char> {
        let first = self.hex()?;
        let code = match first {
            0 => return Err(self.fault("nul", "A NUL character stands in a string.")),
            0xD800..=0xDBFF => {
                self.take(b'\\', "a low surrogate is expected")?;
                self.take(b'u', "a low surrogate is expected")?;
                let low = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&low) {
                    return Err(self.wrong("a low surrogate is expected"));
                }
                0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("a surrogate stands alone"))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let code = digits.and_then(|d| {
            d.iter().try_fold(0, |code, &b| Some(code * 16 + char::from(b).to_digit(16)?))
        });
        self.at += 4;
        code.ok_or_else(|| malformed(format!("The JSON cannot be read at byte {}: four hex digits are expected.", self.at - 4)))
    }
}

/// The text of a `resourceType` as a slice of the document, so that the path can borrow it.
fn root_name<'a>(text: &'a str, value: &Value) -> &'a str {
    let name = value.as_str().unwrap_or_default();
    text.find(name).map_or("", |at| &text[at..at + name.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
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
            "", " ", "{", "[", "\"", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "[1,]", "{\"a\":1,}", "01", "1.", ".5", "+1",
            "1e", "-", "tru", "nul", "NaN", "{} {}", "[1 2]", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
            "\"\\udc00\"", "\"a\nb\"", "// c\n{}",
        ] {
            let error = parse(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, &MALFORMED, "{body}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(parse(b"\"\\u00\xc3\xa9\"").is_err());
        assert!(parse(format!("1{}", "0".repeat(80)).as_bytes()).is_err());
    }

    #[test]
    fn an_object_that_looks_like_serde_internals_stays_an_object() {
        let value = parse(br#"{"$serde_json::private::Number":"1"}"#).unwrap();
        assert!(value.is_object());
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
}
