//! A FHIR resource of the directory that lacks what our records need, kept whole (R4 §2.1; its content in `fhir_extras`):
//! where somebody works whose place is not known here, say.

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Stamps, Table};

pub static KEPT_DIRECTORY_ENTRY: Table = Table {
    name: "kept_directory_entries",
    schema: "KeptDirectoryEntry",
    plural: "KeptDirectoryEntries",
    path: "/kept-directory-entries",
    tag: "Clinic profiles",
    doc: "A FHIR resource of the directory that is none of its records.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[],
    // Not fixed, though nothing changes it: a row says nothing else, and a new version is made by writing it.
    fields: &[Field::text("resource_type").required()],
    machines: &[],
};
