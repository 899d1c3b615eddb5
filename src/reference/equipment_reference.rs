//! Master data of devices and equipment (catalogue 15.10, 10.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static EQUIPMENT_REFERENCE: Table = Table {
    name: "equipment_reference",
    schema: "EquipmentReference",
    plural: "EquipmentReferences",
    path: "/equipment-references",
    tag: "Code systems and master data",
    doc: "Master data of devices and equipment.",
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
        Field::text("category").required(),
        Field::text("manufacturer"),
        Field::text("model"),
        Field::text("modality_code"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
