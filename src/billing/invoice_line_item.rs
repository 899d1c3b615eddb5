//! One line of a platform invoice (catalogue 14.10, 11.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static INVOICE_LINE_ITEM: Table = Table {
    name: "invoice_line_items",
    schema: "InvoiceLineItem",
    plural: "InvoiceLineItems",
    path: "/invoice-line-items",
    tag: "Platform billing of tenants",
    doc: "One line of a platform invoice.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageBilling,
    write: Permission::ManageBilling,
    group: false,
    patient: None,
    sorts: &[Sort { name: "line_no", column: "line_no", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "invoice_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "meter_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("invoice_id").required().fixed().refers(Refers::Tenant("invoices")),
        Field::choice(
            "kind",
            &["SUBSCRIPTION", "AI_OVERAGE", "STORAGE_OVERAGE", "SUPPORT", "SEAT_OVERAGE", "API_OVERAGE", "CREDIT", "TAX"],
        )
        .means(&[
            "the plan's price",
            "AI beyond the plan",
            "storage beyond the plan",
            "help by people",
            "seats beyond the plan",
            "API calls beyond the plan",
            "taken off the sum",
            "tax on the other lines",
        ])
        .required(),
        Field::text("description").required().length(4000),
        Field::uuid("meter_id").refers(Refers::Installation("usage_meters")),
        Field::double("quantity").required(),
        Field::big("unit_price_minor").required().doc("unit: minor currency unit"),
        Field::big("amount_minor").required().doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency),
        Field::int("line_no").required(),
    ],
    machines: &[],
};
