//! Kinds of recall with interval and trigger procedures (catalogue 6.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static RECALL_TYPE: Table = Table {
    name: "recall_types",
    schema: "RecallType",
    plural: "RecallTypes",
    path: "/recall-types",
    tag: "Appointments",
    doc: "Kinds of recall with interval and trigger procedures.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "appointment_type_id", how: How::Equal },
        Filter { name: "is_default", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required(),
        Field::int("interval_months").required().at_least(1).at_most(120),
        Field::int("interval_days").defaulted(),
        Field::texts("trigger_codes").defaulted().doc("procedure codes that restart the interval"),
        Field::uuid("appointment_type_id").refers(Refers::Tenant("appointment_types")),
        Field::text("exclusive_group").doc("types of one group exclude each other, for example prophylaxis and perio"),
        Field::flag("is_default").defaulted(),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
