//! A package of treatments at one price (catalogue 5.02, 5.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static CLINIC_PACKAGE: Table = Table {
    name: "clinic_packages",
    schema: "ClinicPackage",
    plural: "ClinicPackages",
    path: "/clinic-packages",
    tag: "Clinic profiles",
    doc: "A package of treatments at one price.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "is_active", how: How::Equal }],
    fields: &[
        Field::text("name").required(),
        Field::text("description").length(4000),
        Field::json("includes").defaulted().doc("clinic_treatment ids with quantities, and extras such as hotel or transfer"),
        Field::big("price_minor").required().at_least(0).doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency),
        Field::date("valid_from"),
        Field::date("valid_until"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
