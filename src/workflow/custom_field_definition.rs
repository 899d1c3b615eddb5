//! A field a tenant adds to an entity (catalogue 15.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static CUSTOM_FIELD_DEFINITION: Table = Table {
    name: "custom_field_definitions",
    schema: "CustomFieldDefinition",
    plural: "CustomFieldDefinitions",
    path: "/custom-field-definitions",
    tag: "Tasks",
    doc: "A field a tenant adds to an entity.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageWorkflow,
    group: true,
    patient: None,
    sorts: &[Sort { name: "sort_order", column: "sort_order", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "entity_type", how: How::Equal },
        Filter { name: "data_type", how: How::Equal },
        Filter { name: "is_indexed", how: How::Equal },
        Filter { name: "is_required", how: How::Equal },
        Filter { name: "is_phi", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::choice(
            "entity_type",
            &["PATIENT", "ENCOUNTER", "PROCEDURE", "APPOINTMENT", "TREATMENT_PLAN", "REFERRAL", "CLAIM", "PROVIDER", "LOCATION"],
        )
        .means(&["patients", "visits", "procedures", "appointments", "treatment plans", "referrals", "claims", "providers", "locations"])
        .required()
        .fixed(),
        Field::text("field_key").example(r#""shoe_size""#).required().fixed(),
        Field::text("label").required(),
        Field::choice("data_type", &["TEXT", "NUMBER", "BOOLEAN", "DATE", "CHOICE", "JSON"])
            .means(&["letters and digits", "decimal number", "true or false", "a day", "one of the choices", "any JSON value"])
            .required()
            .fixed(),
        Field::json("validation_rules").defaulted().doc("min and max of a NUMBER, max_length of a TEXT, choices of a CHOICE"),
        Field::flag("is_indexed").defaulted().doc("searchable by value_text"),
        Field::flag("is_required").defaulted(),
        Field::flag("is_phi").defaulted().doc("decides encryption and export"),
        Field::int("sort_order").defaulted(),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
