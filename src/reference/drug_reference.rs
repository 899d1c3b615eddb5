//! Master data of drugs (catalogue 15.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static DRUG_REFERENCE: Table = Table {
    name: "drug_reference",
    schema: "DrugReference",
    plural: "DrugReferences",
    path: "/drug-references",
    tag: "Code systems and master data",
    doc: "Master data of drugs.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "q", how: How::Words(&["name_key"]) }, Filter { name: "is_active", how: How::Equal }],
    fields: &[
        Field::text("name").required().folded(),
        Field::text("code_system"),
        Field::text("code"),
        Field::text("generic_name"),
        Field::text("form"),
        Field::text("strength"),
        Field::text("route"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
