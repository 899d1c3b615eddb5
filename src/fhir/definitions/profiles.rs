//! Profiles, extensions and value sets beyond the specification: what a tenant has loaded, compiled into the same tables.

use super::Definitions;
use super::compile;
use super::structure::{Element, Structure};
use super::terminology::{self, CodeSystem, ValueSet};
use serde_json::Value;
use std::collections::HashMap;

/// Elements one set of definitions may have in all; US Core has about 30,000.
const ELEMENTS_MAX: usize = 400_000;

#[derive(Default)]
pub struct Profiles {
    structures: HashMap<String, Structure>,
    value_sets: HashMap<String, ValueSet>,
    code_systems: HashMap<String, CodeSystem>,
    elements: usize,
}

impl Profiles {
    /// Compiles definitions in any order: one may be based on another. What cannot be used comes back with its address and
    /// the reason.
    pub fn load<'r>(&mut self, resources: impl IntoIterator<Item = &'r Value>) -> Vec<(String, &'static str)> {
        let mut waiting: Vec<&Value> = Vec::new();
        for resource in resources {
            match resource["resourceType"].as_str() {
                Some("StructureDefinition") => waiting.push(resource),
                Some("ValueSet") => self.keep_set(terminology::value_set(resource)),
                Some("CodeSystem") => self.keep_system(terminology::code_system(resource)),
                _ => {}
            }
        }
        loop {
            let before = waiting.len();
            let mut refused = Vec::new();
            let mut left = Vec::new();
            for definition in waiting {
                if let Err(why) = self.compile(definition) {
                    refused.push((definition["url"].as_str().unwrap_or_default().to_owned(), why));
                    left.push(definition);
                }
            }
            waiting = left;
            if waiting.is_empty() || waiting.len() == before {
                return refused;
            }
        }
    }

    fn compile(&mut self, definition: &Value) -> Result<(), &'static str> {
        let made = compile::structure(definition, &|url| self.structure(url).cloned())?;
        let count = elements(&made.root);
        if self.elements + count > ELEMENTS_MAX {
            return Err("There are too many definitions.");
        }
        self.elements += count;
        self.structures.insert(made.url.clone(), made);
        Ok(())
    }

    fn keep_set(&mut self, set: ValueSet) {
        self.value_sets.insert(set.url.clone(), set);
    }
    fn keep_system(&mut self, system: CodeSystem) {
        self.code_systems.insert(system.url.clone(), system);
    }
    /// A loaded profile, or one of the specification's own.
    pub fn structure(&self, url: &str) -> Option<&Structure> {
        let url = url.split('|').next().unwrap_or(url);
        self.structures.get(url).or_else(|| Definitions.by_url(url))
    }
    pub fn value_set(&self, url: &str) -> Option<&ValueSet> {
        self.value_sets.get(url)
    }
    pub fn code_system(&self, url: &str) -> Option<&CodeSystem> {
        self.code_systems.get(url)
    }
}

fn elements(of: &Element) -> usize {
    1 + of.children.iter().chain(&of.slices).map(elements).sum::<usize>()
}
