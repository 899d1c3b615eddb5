//! The platform's invoice to a tenant (catalogue 14.09, B12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static INVOICE: Table = Table {
    name: "invoices",
    schema: "Invoice",
    plural: "Invoices",
    path: "/invoices",
    tag: "Platform billing of tenants",
    doc: "The platform's invoice to a tenant.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageBilling,
    write: Permission::ManageBilling,
    group: false,
    patient: None,
    sorts: &[Sort { name: "period_start", column: "period_start", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "period_start_from", how: How::From("period_start") },
        Filter { name: "period_start_to", how: How::Before("period_start") },
        Filter { name: "billing_account_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "document_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("billing_account_id").required().refers(Refers::Tenant("tenant_billing_accounts")),
        Field::text("invoice_number").required().read_only(),
        Field::date("period_start").required(),
        Field::date("period_end").required(),
        Field::choice("status", &["DRAFT", "OPEN", "PAID", "OVERDUE", "VOID", "UNCOLLECTIBLE"])
            .means(&["may change", "to be paid", "received in full", "late", "taken back", "given up"])
            .defaulted()
            .read_only(),
        Field::text("currency").required().form(Form::Currency),
        Field::big("subtotal_minor").defaulted().doc("unit: minor currency unit"),
        Field::big("tax_minor").defaulted().doc("unit: minor currency unit"),
        Field::big("total_amount_minor").defaulted().doc("unit: minor currency unit"),
        Field::date("due_date"),
        Field::instant("issued_at").read_only(),
        Field::instant("paid_at").read_only(),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "OPEN", by: "issue" },
            Move { from: "OPEN", to: "PAID", by: "record-payment" },
            Move { from: "OPEN", to: "OVERDUE", by: "system" },
            Move { from: "OVERDUE", to: "PAID", by: "record-payment" },
            Move { from: "OPEN", to: "VOID", by: "void" },
            Move { from: "OVERDUE", to: "VOID", by: "void" },
            Move { from: "DRAFT", to: "VOID", by: "void" },
            Move { from: "OVERDUE", to: "UNCOLLECTIBLE", by: "write-off" },
        ],
    }],
};
