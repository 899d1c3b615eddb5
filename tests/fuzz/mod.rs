//! Every parser of foreign bytes under mutated input: no panic, bounded time and memory, and the laws that hold between
//! what is read and what is written.
mod dicom;
mod engine;
mod fhir;
mod identity;
mod memory;
mod texts;

use enamel::kernel::error::Error;
use engine::Target;

/// A refusal in a few words: its code and the rules it names.
fn refusal(error: &Error) -> String {
    assert!((400..500).contains(&error.code.status), "bytes from outside were answered with {}", error.code.status);
    let rules: Vec<&str> = error.faults.iter().take(3).map(|fault| fault.rule).collect();
    format!("{} {}", error.code.code, rules.join(","))
}

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
