//! Codes in files: CSV with a line of names, or a FHIR CodeSystem in JSON. Read as a stream, one code at a time; knows no SQL.
//! A line that breaks a rule is told by its number and that rule, never by what stands in it.

use crate::kernel::error::Fault;
use crate::kernel::table::field::Ty;
use crate::kernel::table::{Draft, Field, Table};
use regex::Regex;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json, json};
use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, BufReader, Read};

pub const BYTES_MAX: u64 = 64 << 20;
pub const CODES_MAX: u64 = 500_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Csv,
    Fhir,
}

/// One code as it stands in the file: its line (or its place among the concepts), and its columns or the rule it breaks.
#[derive(Debug)]
pub struct Line {
    pub number: u64,
    pub row: Result<Map<String, Json>, &'static str>,
}

/// Why a whole file cannot be read.
pub type Unreadable = &'static str;

/// Calls `each` for every code until it says false.
pub fn read(form: Form, table: &'static Table, from: impl Read, each: &mut dyn FnMut(Line) -> bool) -> Result<(), Unreadable> {
    match form {
        Form::Csv => csv(table, from, each),
        Form::Fhir => fhir(table, from, each),
    }
}

/// What a file may say of a code: everything but where it belongs, which the import says.
fn columns(table: &'static Table) -> impl Iterator<Item = &'static Field> {
    const GIVEN: &[&str] = &["code_system_id", "code_system", "code_version"];
    table.fields.iter().filter(|field| field.on_create() && !GIVEN.contains(&field.name))
}

/// A table below a line of names, which shows its separator; lines may have any number of cells. Gives the names in small letters.
pub fn opened<R: Read>(from: R) -> Result<(csv::Reader<BufReader<R>>, Vec<String>), Unreadable> {
    let mut from = BufReader::new(from);
    let separator = separator(&mut from)?;
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).flexible(true).trim(csv::Trim::All).from_reader(from);
    let names = reader.headers().map_err(|_| "The line of names cannot be read.")?;
    let names = names.iter().map(|name| name.trim_start_matches('\u{feff}').to_ascii_lowercase()).collect();
    Ok((reader, names))
}

fn csv(table: &'static Table, from: impl Read, each: &mut dyn FnMut(Line) -> bool) -> Result<(), Unreadable> {
    let (mut reader, names) = opened(from)?;
    let fields = names.iter().map(|name| columns(table).find(|field| field.name == name));
    let fields = fields.collect::<Option<Vec<_>>>().ok_or("Its first line names a column that does not exist.")?;
    if fields.iter().map(|field| field.name).collect::<HashSet<_>>().len() < fields.len() {
        return Err("Its first line names a column twice.");
    }
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|_| "The file cannot be read to its end.")? {
        let number = record.position().map_or(0, csv::Position::line);
        let row = if record.len() == fields.len() { row(&fields, &record) } else { Err("cells") };
        if !each(Line { number, row }) {
            break;
        }
    }
    Ok(())
}

fn separator(from: &mut impl BufRead) -> Result<u8, Unreadable> {
    let start = from.fill_buf().map_err(|_| "The file cannot be read.")?;
    let head = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(if head.contains(&b';') { b';' } else { b',' })
}

fn row(fields: &[&'static Field], record: &csv::ByteRecord) -> Result<Map<String, Json>, &'static str> {
    let mut row = Map::new();
    for (field, cell) in fields.iter().zip(record) {
        let cell = std::str::from_utf8(cell).map_err(|_| "utf8")?;
        if !cell.is_empty() {
            row.insert(field.name.to_owned(), typed(field.ty, cell));
        }
    }
    Ok(row)
}

/// What does not read as its type stays text and is refused as any wrong type is.
fn typed(ty: Ty, cell: &str) -> Json {
    let parsed = match ty {
        Ty::Bool => match cell.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(json!(true)),
            "false" | "0" | "no" => Some(json!(false)),
            _ => None,
        },
        Ty::Int | Ty::BigInt => cell.parse::<i64>().ok().map(Json::from),
        Ty::Json => serde_json::from_str(cell).ok(),
        _ => None,
    };
    parsed.unwrap_or_else(|| json!(cell))
}

/// A concept of a CodeSystem. One concept of the first level is held at a time, with all below it.
#[derive(Deserialize)]
struct Concept {
    code: Option<String>,
    display: Option<String>,
    definition: Option<String>,
    #[serde(default)]
    concept: Vec<Concept>,
}

fn fhir(table: &'static Table, from: impl Read, each: &mut dyn FnMut(Line) -> bool) -> Result<(), Unreadable> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(from));
    let mut walk = Walk { named: columns(table).any(|field| field.name == "display"), number: 0, stopped: false, each };
    let kind = Whole(&mut walk).deserialize(&mut json);
    match (walk.stopped, kind) {
        (true, _) => Ok(()),
        (_, Ok(Some(kind))) if kind == "CodeSystem" => json.end().map_err(|_| "Something stands behind the CodeSystem."),
        (_, Ok(_)) => Err("It is no FHIR CodeSystem."),
        (_, Err(_)) => Err("It is no JSON of a FHIR CodeSystem."),
    }
}

struct Walk<'a> {
    /// Whether the table calls the words of a code `display`; the catalogue of procedures calls them `description`.
    named: bool,
    number: u64,
    stopped: bool,
    each: &'a mut dyn FnMut(Line) -> bool,
}

impl Walk<'_> {
    fn tell(&mut self, concept: Concept, parent: Option<&str>) {
        if self.stopped {
            return;
        }
        self.number += 1;
        let mut row = Map::new();
        let mut put = |name: &str, text: Option<&str>| text.map(|text| row.insert(name.to_owned(), json!(text)));
        put("code", concept.code.as_deref());
        put(if self.named { "display" } else { "description" }, concept.display.as_deref());
        if self.named {
            put("definition", concept.definition.as_deref());
            put("parent_code", parent);
        }
        self.stopped = !(self.each)(Line { number: self.number, row: Ok(row) });
        for below in concept.concept {
            self.tell(below, concept.code.as_deref());
        }
    }
}

/// The resource; gives its type.
struct Whole<'w, 'a>(&'w mut Walk<'a>);

impl<'de> DeserializeSeed<'de> for Whole<'_, '_> {
    type Value = Option<String>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<String>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = Option<String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CodeSystem")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let mut kind = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "resourceType" => kind = Some(map.next_value()?),
                "concept" => map.next_value_seed(Concepts(self.0))?,
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(kind)
    }
}

struct Concepts<'w, 'a>(&'w mut Walk<'a>);

impl<'de> DeserializeSeed<'de> for Concepts<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Concepts<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("concepts")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut concepts: A) -> Result<(), A::Error> {
        while !self.0.stopped {
            match concepts.next_element::<Concept>()? {
                Some(concept) => self.0.tell(concept, None),
                None => return Ok(()),
            }
        }
        Err(serde::de::Error::custom("stopped"))
    }
}

/// The rules of one import: those of the table, the pattern of the system, each code once, parents that exist.
pub struct Rules {
    table: &'static Table,
    given: Map<String, Json>,
    pattern: Option<Regex>,
    codes: HashSet<String>,
    parents: Vec<(u64, String)>,
    pub lines: u64,
}

impl Rules {
    /// `given`: what the import says of every row. The pattern is one for whole codes.
    pub fn new(table: &'static Table, given: Map<String, Json>, pattern: Option<&str>) -> Result<Rules, Unreadable> {
        let pattern = pattern.map(|pattern| regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build());
        let pattern = pattern.transpose().map_err(|_| "The code_pattern of the system is no regular expression.")?;
        Ok(Rules { table, given, pattern, codes: HashSet::new(), parents: Vec::new(), lines: 0 })
    }

    /// The row with what the import says of it, or every rule it breaks.
    pub fn check(&mut self, line: Line) -> Result<Map<String, Json>, Vec<Fault>> {
        self.lines += 1;
        let mut row = line.row.map_err(|rule| vec![fault("line", rule, "The line cannot be read.")])?;
        row.extend(self.given.clone());
        let mut faults = Draft::create(self.table, &row).err().map(|error| error.faults).unwrap_or_default();
        if let Some(code) = row.get("code").and_then(Json::as_str) {
            if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(code)) {
                faults.push(fault("code", "pattern", "It is not what the system's code_pattern says."));
            }
            if !self.codes.insert(code.to_owned()) {
                faults.push(fault("code", "duplicate", "The code stands in the file twice."));
            }
        }
        if let Some(parent) = row.get("parent_code").and_then(Json::as_str) {
            self.parents.push((line.number, parent.to_owned()));
        }
        if faults.is_empty() { Ok(row) } else { Err(faults) }
    }

    /// What can be said only at the end: lines whose parent stands nowhere; and every code of the file.
    pub fn end(self) -> (Vec<(u64, Fault)>, HashSet<String>) {
        let orphans = self.parents.iter().filter(|(_, parent)| !self.codes.contains(parent));
        let orphans = orphans.map(|(line, _)| (*line, fault("parent_code", "parent", "There is no such code in the file.")));
        let orphans = orphans.collect();
        (orphans, self.codes)
    }
}

fn fault(field: &str, rule: &'static str, text: &str) -> Fault {
    Fault { field: field.to_owned(), rule, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::code_value::CODE_VALUE;
    use crate::reference::procedure_catalog_entry::PROCEDURE_CATALOG_ENTRY;

    fn told(form: Form, table: &'static Table, text: &str) -> Result<Vec<(u64, Vec<&'static str>)>, Unreadable> {
        let given = match table.name {
            "code_values" => json!({"code_system_id": uuid::Uuid::from_u128(1)}),
            _ => json!({"code_system": "HOUSE", "code_version": "1"}),
        };
        let mut rules = Rules::new(table, given.as_object().unwrap().clone(), Some("[TX][0-9]+")).unwrap();
        let mut told = Vec::new();
        read(form, table, text.as_bytes(), &mut |line| {
            let number = line.number;
            told.push((number, rules.check(line).err().unwrap_or_default().iter().map(|fault| fault.rule).collect()));
            true
        })?;
        told.extend(rules.end().0.into_iter().map(|(line, fault)| (line, vec![fault.rule])));
        Ok(told)
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them_and_every_rule_is_named() {
        let text =
            "\u{feff}code;display;parent_code;is_active\nT1;\"One\nof two lines\";;yes\nT2;Two;T9;no\nT2;Again;;\nY1;;;maybe\nT5;a;b;c;d\n";
        let told = told(Form::Csv, &CODE_VALUE, text).unwrap();
        let expected: Vec<(u64, Vec<&str>)> = vec![
            (2, vec![]),
            (4, vec![]),
            (5, vec!["duplicate"]),
            (6, vec!["type", "required", "pattern"]),
            (7, vec!["cells"]),
            (4, vec!["parent"]),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_catalogue_has_its_own_columns_and_their_types() {
        let text = "code,description,tooth_rule,default_fee_minor,currency\nT1,Filling,TOOTH,8500,EUR\nT2,Crown,SOMETIMES,x,EUR\n";
        assert_eq!(told(Form::Csv, &PROCEDURE_CATALOG_ENTRY, text).unwrap(), [(2, vec![]), (3, vec!["value", "type"])]);
        for bad in ["code,tenant_id\n", "code,code_version\n", "code,code\n"] {
            assert!(told(Form::Csv, &PROCEDURE_CATALOG_ENTRY, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hierarchy_of_concepts_is_told_with_its_parents() {
        let text = r#"{"concept":[{"display":"One","concept":[{"code":"T2","display":"Two"}],"code":"T1"},{"code":"T1"}],"resourceType":"CodeSystem"}"#;
        assert_eq!(told(Form::Fhir, &CODE_VALUE, text).unwrap(), [(1, vec![]), (2, vec![]), (3, vec!["required", "duplicate"])]);
        for bad in ["", "[]", "{}", r#"{"resourceType":"Patient"}"#, r#"{"resourceType":"CodeSystem","concept":[{"code":7}]}"#] {
            assert!(told(Form::Fhir, &CODE_VALUE, bad).is_err(), "{bad}");
        }
        let many = r#"{"resourceType":"CodeSystem","concept":["#.to_owned() + &"{\"code\":\"T1\"},".repeat(9) + "{}]}";
        let mut seen = 0;
        read(Form::Fhir, &CODE_VALUE, many.as_bytes(), &mut |_| {
            seen += 1;
            seen < 3
        })
        .unwrap();
        assert_eq!(seen, 3);
    }
}
