//! The tenant's procedure codes, licensed or its own (catalogue 14.03).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static PROCEDURE_CATALOG_ENTRY: Table = Table {
    name: "procedure_catalog",
    schema: "ProcedureCatalogEntry",
    plural: "ProcedureCatalog",
    path: "/procedure-catalog",
    tag: "Code systems and master data",
    doc: "The tenant's procedure codes, licensed or its own.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["description_key"]) },
        Filter { name: "code", how: How::Equal },
        Filter { name: "is_custom", how: How::Equal },
        Filter { name: "tooth_rule", how: How::Equal },
        Filter { name: "surface_rule", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("code_system").required(),
        Field::text("code").required(),
        Field::text("code_version").required(),
        Field::text("description").required().length(4000).folded(),
        Field::flag("is_custom").defaulted().doc("tenant-custom code"),
        Field::text("category"),
        Field::choice("tooth_rule", &["NONE", "TOOTH", "AREA", "TOOTH_OR_AREA"])
            .means(&["takes no place", "needs a tooth", "needs an area of the mouth", "needs a tooth or an area"])
            .defaulted(),
        Field::choice("surface_rule", &["NONE", "OPTIONAL", "REQUIRED"])
            .means(&["takes no surfaces", "may have surfaces", "needs surfaces"])
            .defaulted(),
        Field::int("default_duration_minutes").doc("unit: min"),
        Field::big("default_fee_minor").doc("unit: minor currency unit"),
        Field::text("currency").form(Form::Currency),
        Field::date("effective_from"),
        Field::date("effective_to"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
