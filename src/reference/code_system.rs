//! A coding system: ICD-10, SNOMED, CDT, DICOM, internal (catalogue 15.09, 7.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static CODE_SYSTEM: Table = Table {
    name: "code_systems",
    schema: "CodeSystem",
    plural: "CodeSystems",
    path: "/code-systems",
    tag: "Code systems and master data",
    doc: "A coding system: ICD-10, SNOMED, CDT, DICOM, internal.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "requires_licence", how: How::Equal }],
    fields: &[
        Field::text("code").required(),
        Field::text("name").required(),
        Field::text("uri").required().length(2000),
        Field::text("system_version").required(),
        Field::text("code_pattern").doc("regular expression of valid codes"),
        Field::text("copyright_notice").doc("shown where descriptors are shown"),
        Field::flag("requires_licence").defaulted(),
        Field::date("valid_from"),
        Field::date("valid_until"),
    ],
    machines: &[],
};
