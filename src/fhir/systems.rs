//! Systems of codes that mappings of several domains name.

pub const LOINC: &str = "http://loinc.org";
pub const SNOMED: &str = "http://snomed.info/sct";
/// Units of measure.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// Teeth by ISO 3950 (FDI), as our columns hold them.
pub const TOOTH: &str = "urn:iso:std:iso:3950";
pub const SURFACE: &str = "http://terminology.hl7.org/CodeSystem/FDI-surface";
/// Areas of the oral cavity by ISO 3950.
pub const AREA: &str = "urn:enamel:oral-area";
