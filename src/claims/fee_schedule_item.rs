//! The fee of one code (catalogue 14.04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static FEE_SCHEDULE_ITEM: Table = Table {
    name: "fee_schedule_items",
    schema: "FeeScheduleItem",
    plural: "FeeScheduleItems",
    path: "/fee-schedule-items",
    tag: "Fee schedules",
    doc: "The fee of one code.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClaims,
    write: Permission::ManageBilling,
    group: true,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "code", how: How::Equal },
        Filter { name: "fee_schedule_id", how: How::Equal },
        Filter { name: "catalog_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("fee_schedule_id").required().fixed().refers(Refers::Tenant("fee_schedules")),
        Field::uuid("catalog_id").refers(Refers::Tenant("procedure_catalog")),
        Field::text("code_system").required(),
        Field::text("code").required(),
        Field::big("fee_minor").required().at_least(0).doc("unit: minor currency unit"),
        Field::big("allowed_minor").doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency),
    ],
    machines: &[],
};
