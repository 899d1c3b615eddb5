//! What is generated from the code and committed beside it.

use super::Outcome;
use crate::server::{fhir, rest};
use std::path::Path;

/// `(file, content)` of everything under openapi/.
pub fn files() -> Vec<(&'static str, String)> {
    let statement = format!("{:#}", fhir::statement("https://enamel.example/fhir/r4"));
    vec![("enamel-v1.json", with_newline(rest::service().spec())), ("capability-statement.json", with_newline(statement))]
}

fn with_newline(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

pub fn write(dir: &Path) -> Outcome {
    std::fs::create_dir_all(dir)?;
    for (name, content) in files() {
        std::fs::write(dir.join(name), content)?;
        println!("{}", dir.join(name).display());
    }
    Ok(())
}
