//! Code systems and master data. Catalogue §15.09 to 15.10, 14.03.
pub mod code_licence;
pub mod code_system;
pub mod code_value;
pub mod drug_reference;
pub mod equipment_reference;
pub mod fhir_material;
pub mod fhir_medication;
pub mod import;
pub mod load;
pub mod material_reference;
pub mod procedure_catalog_entry;
pub mod sheet;
mod stream;

use crate::fhir::mapping::Mapping;
use crate::kernel::operation::Operation;
use crate::kernel::table::Table;

/// The records of this room; each gets its endpoints, its history and its place in the isolation matrix from here.
pub static TABLES: &[&Table] = &[
    &code_system::CODE_SYSTEM,
    &code_value::CODE_VALUE,
    &code_licence::CODE_LICENCE,
    &drug_reference::DRUG_REFERENCE,
    &material_reference::MATERIAL_REFERENCE,
    &equipment_reference::EQUIPMENT_REFERENCE,
    &procedure_catalog_entry::PROCEDURE_CATALOG_ENTRY,
];

pub static RESOURCES: &[&Mapping] = &[&fhir_medication::MAPPING, &fhir_material::MATERIAL, &fhir_material::DEFINITION];

pub static OPERATIONS: &[&Operation] = &[&import::IMPORT_VALUES, &import::IMPORT_CATALOG];
