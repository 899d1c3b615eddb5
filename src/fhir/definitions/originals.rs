//! HL7's own resources (StructureDefinition, ValueSet, CodeSystem, SearchParameter, OperationDefinition,
//! CompartmentDefinition) as they were published under CC0, each compressed by itself. Displays of code systems that are
//! under another licence are left out by `build.rs`.

use flate2::read::DeflateDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/r4.originals"));

#[derive(Deserialize)]
pub struct Original {
    pub id: String,
    /// The short elements it is found by.
    head: Map<String, Value>,
    start: usize,
    end: usize,
}

impl Original {
    pub fn head(&self, element: &str) -> Option<&Value> {
        self.head.get(element)
    }
    pub fn text(&self, element: &str) -> Option<&str> {
        self.head(element)?.as_str()
    }
    pub fn resource(&self) -> Option<Value> {
        serde_json::from_reader(DeflateDecoder::new(PACKED.get(self.start..self.end)?)).ok()
    }
}
