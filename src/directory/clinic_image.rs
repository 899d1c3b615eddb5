//! Pictures for the profile (catalogue 5.02, 5.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CLINIC_IMAGE: Table = Table {
    name: "clinic_images",
    schema: "ClinicImage",
    plural: "ClinicImages",
    path: "/clinic-images",
    tag: "Clinic profiles",
    doc: "Pictures for the profile.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: None,
    sorts: &[Sort { name: "sort_order", column: "sort_order", ty: Ty::Int, nullable: false }],
    filters: &[Filter { name: "file_id", how: How::Equal }, Filter { name: "is_cover", how: How::Equal }],
    fields: &[
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
        Field::text("caption"),
        Field::text("alt_text").length(4000),
        Field::int("sort_order").defaulted(),
        Field::flag("is_cover").defaulted(),
    ],
    machines: &[],
};
