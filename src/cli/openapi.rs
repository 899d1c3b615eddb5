//! What is generated from the code and committed beside it.

use super::{Outcome, breaking, line};
use crate::server::{fhir, rest};
use std::path::Path;

/// `(file, content)` of everything under openapi/.
pub fn files() -> Vec<(&'static str, String)> {
    let statement = format!("{:#}", fhir::statement("https://enamel.example/fhir/r4"));
    vec![("enamel-v1.json", with_newline(format!("{:#}", rest::document()))), ("capability-statement.json", with_newline(statement))]
}

fn with_newline(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

pub fn write(dir: &Path, may_break: bool) -> Outcome {
    std::fs::create_dir_all(dir)?;
    if let (Ok(held), false) = (std::fs::read_to_string(dir.join("enamel-v1.json")), may_break) {
        let breaks = breaking::breaks(&serde_json::from_str(&held)?, &rest::document());
        if !breaks.is_empty() {
            return Err(line(format!("{} breaks; --breaking writes them:\n{}", breaks.len(), breaks.join("\n"))));
        }
    }
    for (name, content) in files() {
        std::fs::write(dir.join(name), content)?;
        println!("{}", dir.join(name).display());
    }
    Ok(())
}
