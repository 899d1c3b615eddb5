//! A resource of a FHIR type that no table of ours is, kept whole (R4 §2.1; its content in `fhir_extras`).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Refers, Stamps, Table};

pub static KEPT_RESOURCE: Table = Table {
    name: "kept_resources",
    schema: "KeptResource",
    plural: "KeptResources",
    path: "/kept-resources",
    tag: "Integrations",
    doc: "A resource of a FHIR type without a table of its own.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[],
    fields: &[
        Field::text("resource_type").required().fixed(),
        Field::uuid("patient_id").refers(Refers::Tenant("patients")).doc("whose compartment it is in"),
    ],
    machines: &[],
};
