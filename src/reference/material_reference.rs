//! Master data of dental materials (catalogue 15.10, 9.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static MATERIAL_REFERENCE: Table = Table {
    name: "material_reference",
    schema: "MaterialReference",
    plural: "MaterialReferences",
    path: "/material-references",
    tag: "Code systems and master data",
    doc: "Master data of dental materials.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key"]) },
        Filter { name: "is_implantable", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded(),
        Field::text("category").required(),
        Field::text("manufacturer"),
        Field::text("product_code"),
        Field::texts("allergens").defaulted(),
        Field::flag("is_implantable").defaulted(),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
