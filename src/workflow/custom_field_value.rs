//! A value of a custom field (catalogue 15.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static CUSTOM_FIELD_VALUE: Table = Table {
    name: "custom_field_values",
    schema: "CustomFieldValue",
    plural: "CustomFieldValues",
    path: "/custom-field-values",
    tag: "Tasks",
    doc: "A value of a custom field.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "entity_id", how: How::Equal },
        Filter { name: "field_key", how: How::Equal },
        Filter { name: "value_text", how: How::Equal },
        Filter { name: "definition_id", how: How::Equal },
        Filter { name: "entity_type", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("definition_id").required().fixed().refers(Refers::Tenant("custom_field_definitions")),
        Field::choice(
            "entity_type",
            &["PATIENT", "ENCOUNTER", "PROCEDURE", "APPOINTMENT", "TREATMENT_PLAN", "REFERRAL", "CLAIM", "PROVIDER", "LOCATION"],
        )
        .means(&["patients", "visits", "procedures", "appointments", "treatment plans", "referrals", "claims", "providers", "locations"])
        .defaulted()
        .fixed()
        .doc("that of the definition when left out"),
        Field::uuid("entity_id").required().fixed(),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::text("field_key").defaulted().fixed().phi().doc("that of the definition when left out"),
        Field::text("value_text").example(r#""43""#).length(4000).phi(),
        Field::double("value_number"),
        Field::json("value_json").phi(),
    ],
    machines: &[],
};
