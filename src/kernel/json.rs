//! The one JSON reader: bytes of a stranger become a [`Value`] or a fault with its place.
//!
//! Our own reader, because serde_json takes the last of two equal keys silently, reads `\u0000`, and under
//! `arbitrary_precision` tells a number from an object by a magic key that a caller could send. RFC 8259 grammar,
//! no leniency, digits kept as they were sent. Bounded: depth, and values in proportion to bytes (a `Value` is far larger
//! than the `1,` it came from). What is refused is named by its place, never by the value that stood there.

use super::error::{Error, MALFORMED, Result, TOO_LARGE};
use super::path::{Path, Segment};
use serde_json::{Map, Number, Value};

/// What one kind of document may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The deepest nesting of objects and arrays.
    pub depth_max: usize,
    /// Values allowed: [`VALUES_BASE`], and one more for each so many bytes.
    pub bytes_per_value: usize,
    /// The outermost key whose text places are named from: `Patient.name[0]` instead of `name[0]`.
    pub named_by: Option<&'static str>,
}

impl Limits {
    /// A body of our own API; real ones stay under a depth of 10.
    pub const BODY: Limits = Limits { depth_max: 64, bytes_per_value: 8, named_by: None };
}

/// A number's literal; FHIR asks for 18 digits.
const NUMBER_LENGTH_MAX: usize = 64;
const VALUES_BASE: usize = 4096;
/// serde_json tells its own numbers and raw values by keys of this form: an object that carried one would be read back as
/// something else.
const PRIVATE_KEYS: &str = "$serde_json::private::";

/// Reads one JSON document.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => read(text, limits),
        Err(wrong) => {
            // What is readable before it leads to the place.
            let readable = std::str::from_utf8(&bytes[..wrong.valid_up_to()]).unwrap_or_default();
            let place = read(readable, limits).err().and_then(|broken| broken.faults.into_iter().next()).map(|fault| fault.field);
            let detail = format!("The body is not UTF-8 at byte {}.", wrong.valid_up_to());
            Err(Error::new(&MALFORMED).detail(detail).fault(place.unwrap_or_default(), "utf8", "The text is not UTF-8."))
        }
    }
}

fn read(text: &str, limits: Limits) -> Result<Value> {
    let values_left = VALUES_BASE + text.len() / limits.bytes_per_value;
    let mut reader = Reader { text, at: 0, depth: 0, values_left, path: Path::new(), limits };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("there is more after the end of the JSON document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values_left: usize,
    path: Path<'a>,
    limits: Limits,
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
        self.fault("syntax", "This is not JSON.").detail(format!("The JSON cannot be read at byte {}: {what}.", self.at))
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
        if self.depth == self.limits.depth_max {
            return Err(self.fault("depth", "The text nests too deep."));
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
            // In FHIR `_birthDate` is told as a part of `birthDate`.
            let told = if self.limits.named_by.is_some() { raw.strip_prefix('_').unwrap_or(raw) } else { raw };
            self.path.push(Segment::Key(told));
            if map.contains_key(&key) {
                return Err(self.fault("duplicate", "The key stands twice in one object."));
            }
            if key.starts_with(PRIVATE_KEYS) {
                return Err(self.fault("key", "A key of this form is not taken."));
            }
            self.space();
            self.take(b':', "a colon is expected")?;
            self.space();
            let value = self.value()?;
            self.path.pop();
            if self.depth == 1 && self.limits.named_by == Some(&key) {
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

    /// Digits as they were sent: `1.10` is not `1.1`.
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
        let number: Number = self.text[from..self.at].parse().map_err(|_| self.wrong("the number cannot be read"))?;
        // As it is written again, with a sign before its exponent: what was taken once is taken again.
        if number.as_str().len() > NUMBER_LENGTH_MAX {
            return Err(self.fault("length", "A number has more than 64 characters."));
        }
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
        let code = digits.and_then(|d| d.iter().try_fold(0, |code, &b| Some(code * 16 + char::from(b).to_digit(16)?)));
        self.at += 4;
        code.ok_or_else(|| self.wrong("four hex digits are expected"))
    }
}

/// The text that places are named from, as a slice of the document, so that the path can borrow it.
fn root_name<'a>(text: &'a str, value: &Value) -> &'a str {
    let name = value.as_str().unwrap_or_default();
    text.find(name).map_or("", |at| &text[at..at + name.len()])
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
