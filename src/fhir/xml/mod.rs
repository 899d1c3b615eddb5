//! The XML form of resources (R4 §2.6.1), by the definitions: the order of elements, which repeat, which of a choice's types
//! it is, and what JSON has as a number. JSON stays the form inside; this reads XML into it and writes it as XML.

mod read;
mod write;

pub use read::read;
pub use write::write;

const FHIR: &[u8] = b"http://hl7.org/fhir";

#[cfg(test)]
mod tests;
