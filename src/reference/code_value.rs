//! One code with its description (catalogue 15.09).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CODE_VALUE: Table = Table {
    name: "code_values",
    schema: "CodeValue",
    plural: "CodeValues",
    path: "/code-values",
    tag: "Code systems and master data",
    doc: "One code with its description.",
    home: Home::Shared,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["display_key"]) },
        Filter { name: "code", how: How::Equal },
        Filter { name: "code_system_id", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::uuid("code_system_id").required().fixed().refers(Refers::Tenant("code_systems")),
        Field::text("code").required(),
        Field::text("display").required().folded(),
        Field::text("definition"),
        Field::text("parent_code"),
        Field::json("properties").defaulted(),
        Field::date("effective_from"),
        Field::date("effective_to"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
