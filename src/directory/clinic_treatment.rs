//! A treatment a clinic offers (catalogue 5.02, 5.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CLINIC_TREATMENT: Table = Table {
    name: "clinic_treatments",
    schema: "ClinicTreatment",
    plural: "ClinicTreatments",
    path: "/clinic-treatments",
    tag: "Clinic profiles",
    doc: "A treatment a clinic offers.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key"]) },
        Filter { name: "procedure_catalog_id", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded(),
        Field::text("description").length(4000),
        Field::text("category"),
        Field::uuid("procedure_catalog_id").refers(Refers::Tenant("procedure_catalog")),
        Field::big("price_from_minor").at_least(0).doc("unit: minor currency unit"),
        Field::big("price_to_minor").doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency),
        Field::int("duration_minutes").doc("unit: min"),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
