//! Which procedures carried out which plan items (catalogue 9.15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PLAN_ITEM_PROCEDURE: Table = Table {
    name: "plan_item_procedures",
    schema: "PlanItemProcedure",
    plural: "PlanItemProcedures",
    path: "/plan-item-procedures",
    tag: "Treatment plans",
    doc: "Which procedures carried out which plan items.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewTreatment,
    write: Permission::EditTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "plan_item_id", how: How::Equal },
        Filter { name: "procedure_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("plan_item_id").required().refers(Refers::Tenant("treatment_plan_items")),
        Field::uuid("procedure_id").required().refers(Refers::Tenant("procedures")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
    ],
    machines: &[],
};
