//! Compiles the official R4 definitions into one flat file of tables and an index over it, which the engine reads piece by
//! piece as types are first met. Nothing is parsed when the server starts.

#[path = "src/fhir/definitions/compile.rs"]
mod compile;
#[path = "src/fhir/definitions/parameter.rs"]
mod parameter;
#[allow(dead_code)] // the engine reads what is only written here
#[path = "src/fhir/definitions/structure.rs"]
mod structure;
#[allow(dead_code)] // as above
#[path = "src/fhir/definitions/terminology.rs"]
mod terminology;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::io::Write as _;
use std::path::Path;

/// What an element's type leads to, and an invariant's expression, are worked out by the engine.
type Link = ();
type Compiled = ();
type Failure = Box<dyn std::error::Error>;

const FOLDER: &str = "src/fhir/definitions";
const STRUCTURES: [&str; 4] = ["profiles-types", "profiles-resources", "extension-definitions", "profiles-others"];
const CODES: [&str; 2] = ["valuesets", "v3-codesystems"];
/// Guides that stand on R4: their profiles are told by what they change.
const GUIDES: [&str; 2] = ["us-core", "dental-data-exchange"];
/// What the originals are found by.
const HEAD: &[&str] = &[
    "abstract",
    "base",
    "baseDefinition",
    "code",
    "content",
    "date",
    "derivation",
    "instance",
    "kind",
    "name",
    "publisher",
    "status",
    "system",
    "target",
    "title",
    "type",
    "url",
    "version",
];
/// Whose words belong to others: their codes are named, their descriptions are not given on.
const WORDS_OF_OTHERS: [&str; 2] = ["http://snomed.info/sct", "http://www.ama-assn.org/go/cpt"];

/// Pieces of the flat file by their names, a table of each kind.
#[derive(Default)]
struct Tables {
    flat: String,
    /// The resources themselves, each compressed by itself.
    originals: Vec<u8>,
    index: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Tables {
    fn put(&mut self, table: &'static str, name: &str, also: &str, piece: &impl Serialize) -> Result<(), Failure> {
        let start = self.flat.len();
        self.flat.push_str(&serde_json::to_string(piece)?);
        let line = format!("({name:?}, {also}, {start}, {}),\n", self.flat.len());
        self.index.entry(table).or_default().entry(name.into()).or_insert(line);
        Ok(())
    }

    fn keep(&mut self, resource: &Value) -> Result<(), Failure> {
        let (Some(kind), Some(id)) = (resource["resourceType"].as_str(), resource["id"].as_str()) else { return Ok(()) };
        if self.index.get("ORIGINALS").is_some_and(|known| known.contains_key(&format!("{kind}/{id}"))) {
            return Ok(());
        }
        let mut resource = resource.clone();
        leave_words_of_others(&mut resource);
        let start = self.originals.len();
        let mut packed = DeflateEncoder::new(&mut self.originals, Compression::best());
        packed.write_all(resource.to_string().as_bytes())?;
        packed.finish()?;
        let told = |key: &&str| resource.get(*key).map(|value| ((*key).to_owned(), value.clone()));
        let head: Map<String, Value> = HEAD.iter().filter_map(told).collect();
        let piece = json!({"id": id, "head": head, "start": start, "end": self.originals.len()});
        self.put("ORIGINALS", &format!("{kind}/{id}"), "0", &piece)
    }

    fn index(&self) -> Result<String, Failure> {
        let mut text = String::new();
        for (table, lines) in &self.index {
            writeln!(text, "pub static {table}: [Place; {}] = [", lines.len())?;
            lines.values().for_each(|line| text.push_str(line));
            text.push_str("];\n");
        }
        Ok(text)
    }
}

fn resources(name: &str) -> Result<Vec<Value>, Failure> {
    let path = format!("{FOLDER}/r4/{name}.min.json.gz");
    println!("cargo::rerun-if-changed={path}");
    entries(serde_json::from_reader(std::io::BufReader::new(GzDecoder::new(std::fs::File::open(path)?)))?)
}

/// What R4 does not define: what dentistry is searched by, and operations.
fn own(name: &str) -> Result<Vec<Value>, Failure> {
    let path = format!("{FOLDER}/own/{name}.json");
    println!("cargo::rerun-if-changed={path}");
    entries(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

fn entries(mut bundle: Value) -> Result<Vec<Value>, Failure> {
    let entries = bundle["entry"].as_array_mut().ok_or("the file is no Bundle")?;
    Ok(entries.iter_mut().map(|entry| entry["resource"].take()).collect())
}

/// In the includes of a value set and in its expansion.
fn leave_words_of_others(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(leave_words_of_others),
        Value::Object(object) => {
            if object.get("system").and_then(Value::as_str).is_some_and(|system| WORDS_OF_OTHERS.contains(&system)) {
                let concepts = object.get_mut("concept").and_then(Value::as_array_mut);
                let concepts: Vec<_> = concepts.into_iter().flatten().filter_map(Value::as_object_mut).collect();
                concepts.into_iter().for_each(speechless);
                speechless(object);
            }
            object.values_mut().for_each(leave_words_of_others);
        }
        _ => {}
    }
}

fn speechless(concept: &mut Map<String, Value>) {
    for key in ["display", "_display", "designation"] {
        concept.shift_remove(key);
    }
}

/// Profiles in any order: one may be based on another. One whose base is of a guide that is not here is left out.
fn guide(tables: &mut Tables, known: &mut HashMap<String, structure::Structure>, guides: &[Value]) -> Result<(), Failure> {
    let mut waiting: Vec<&Value> = guides.iter().filter(|resource| resource["resourceType"] == "StructureDefinition").collect();
    loop {
        let before = waiting.len();
        let mut left = Vec::new();
        for definition in waiting {
            match compile::structure(definition, &|url| known.get(url).cloned()) {
                Ok(made) => {
                    tables.keep(definition)?;
                    tables.put("STRUCTURES", &made.url, "0", &made)?;
                    known.insert(made.url.clone(), made);
                }
                Err(_) => left.push(definition),
            }
        }
        waiting = left;
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    for resource in guides {
        let url = resource["url"].as_str().unwrap_or_default();
        match resource["resourceType"].as_str() {
            Some("ValueSet") => tables.put("VALUE_SETS", url, "0", &terminology::value_set(resource))?,
            Some("CodeSystem") => tables.put("CODE_SYSTEMS", url, "0", &terminology::code_system(resource))?,
            _ => continue,
        }
        tables.keep(resource)?;
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    for file in ["compile", "parameter", "structure", "terminology"] {
        println!("cargo::rerun-if-changed={FOLDER}/{file}.rs");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let mut tables = Tables::default();
    let mut known: HashMap<String, structure::Structure> = HashMap::new();
    for resource in STRUCTURES.iter().map(|name| resources(name)).collect::<Result<Vec<_>, _>>()?.iter().flatten() {
        tables.keep(resource)?;
        if resource["resourceType"] == "StructureDefinition" && resource["kind"] != "logical" {
            let made = compile::structure(resource, &|_| None)?;
            let concrete = made.kind == structure::Kind::Resource && !made.is_abstract && !made.is_profile;
            tables.put("STRUCTURES", &made.url, if concrete { "1" } else { "0" }, &made)?;
            known.insert(made.url.clone(), made);
        }
    }
    let guides = GUIDES.iter().map(|name| resources(name)).collect::<Result<Vec<_>, _>>()?.concat();
    guide(&mut tables, &mut known, &guides)?;
    for resource in CODES.iter().map(|name| resources(name)).collect::<Result<Vec<_>, _>>()?.iter().flatten() {
        let url = resource["url"].as_str().unwrap_or_default();
        tables.keep(resource)?;
        match resource["resourceType"].as_str() {
            Some("ValueSet") => tables.put("VALUE_SETS", url, "0", &terminology::value_set(resource))?,
            Some("CodeSystem") => tables.put("CODE_SYSTEMS", url, "0", &terminology::code_system(resource))?,
            _ => {}
        }
    }
    for resource in resources("search-parameters")?.iter().chain(&own("search-parameters")?) {
        tables.keep(resource)?;
        match resource["resourceType"].as_str() {
            Some("CompartmentDefinition") => {
                let made = parameter::compartment(resource);
                tables.put("COMPARTMENTS", &made.code, "0", &made)?;
            }
            _ => {
                let made = parameter::search_parameter(resource);
                for base in &made.base {
                    tables.put("PARAMETERS", &format!("{base}:{}", made.code), "0", &made)?;
                }
            }
        }
    }
    own("operations")?.iter().try_for_each(|operation| tables.keep(operation))?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("r4.tables"), &tables.flat)?;
    std::fs::write(Path::new(&out).join("r4.originals"), &tables.originals)?;
    std::fs::write(Path::new(&out).join("r4.rs"), tables.index()?)?;
    Ok(())
}
