//! A payment advice of a payer, balanced before posting (catalogue 14.07, 14.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static REMITTANCE: Table = Table {
    name: "remittances",
    schema: "Remittance",
    plural: "Remittances",
    path: "/remittances",
    tag: "Fee schedules",
    doc: "A payment advice of a payer, balanced before posting.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewClaims,
    write: Permission::EditClaims,
    group: true,
    patient: None,
    sorts: &[Sort { name: "payment_date", column: "payment_date", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "payer_id", how: How::Equal },
        Filter { name: "payment_method", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "interchange_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("payer_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("payer_id").required().refers(Refers::Shared("payers", "payer_tenant_id")),
        Field::text("trace_number").required().phi(),
        Field::date("payment_date").required().phi(),
        Field::choice("payment_method", &["ACH", "CHECK", "CARD", "NON_PAYMENT"])
            .means(&["bank transfer, ACH", "written on a bank", "virtual card", "nothing is paid"])
            .required(),
        Field::big("amount_minor").required().doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::choice("status", &["RECEIVED", "BALANCED", "UNBALANCED", "POSTED"])
            .means(&["read", "its sums agree", "its sums do not agree", "put to its claims"])
            .defaulted()
            .read_only(),
        Field::big("difference_minor").defaulted().read_only().doc("unit: minor currency unit"),
        Field::uuid("interchange_id").refers(Refers::Tenant("x12_interchanges")),
        Field::instant("posted_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["RECEIVED"],
        moves: &[
            Move { from: "RECEIVED", to: "BALANCED", by: "system" },
            Move { from: "RECEIVED", to: "UNBALANCED", by: "system" },
            Move { from: "UNBALANCED", to: "BALANCED", by: "system" },
            Move { from: "BALANCED", to: "POSTED", by: "post" },
        ],
    }],
};
