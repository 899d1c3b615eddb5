//! One claim or service line of a remittance (catalogue 14.07).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static REMITTANCE_LINE: Table = Table {
    name: "remittance_lines",
    schema: "RemittanceLine",
    plural: "RemittanceLines",
    path: "/remittance-lines",
    tag: "Fee schedules",
    doc: "One claim or service line of a remittance.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewClaims,
    write: Permission::ViewClaims,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "remittance_id", how: How::Equal },
        Filter { name: "claim_id", how: How::Equal },
        Filter { name: "claim_line_id", how: How::Equal },
        Filter { name: "is_reversal", how: How::Equal },
    ],
    fields: &[
        Field::uuid("remittance_id").required().fixed().refers(Refers::Tenant("remittances")),
        Field::uuid("claim_id").refers(Refers::Tenant("claims")),
        Field::uuid("claim_line_id").refers(Refers::Tenant("claim_lines")),
        Field::text("status_code").required().phi(),
        Field::big("billed_minor").required().doc("unit: minor currency unit"),
        Field::big("paid_minor").required().doc("unit: minor currency unit"),
        Field::big("patient_responsibility_minor").doc("unit: minor currency unit"),
        Field::json("adjustments").defaulted().phi().doc("group, reason code, amount"),
        Field::flag("is_reversal").defaulted(),
        Field::text("currency").required().form(Form::Currency).phi(),
    ],
    machines: &[],
};
