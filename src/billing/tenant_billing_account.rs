//! Billing profile of a tenant (catalogue 14.08).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Stamps, Table, Verb};

pub static TENANT_BILLING_ACCOUNT: Table = Table {
    name: "tenant_billing_accounts",
    schema: "TenantBillingAccount",
    plural: "TenantBillingAccounts",
    path: "/tenant-billing-accounts",
    tag: "Platform billing of tenants",
    doc: "Billing profile of a tenant.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ManageBilling,
    write: Permission::ManageBilling,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("invoicing_contact_name").required().pii(),
        Field::text("invoicing_contact_email").required().pii(),
        Field::json("billing_address").required().pii(),
        Field::text("payment_method_token").write_only().sealed(),
        Field::text("payment_method_brand").pii(),
        Field::text("payment_method_last4").pii(),
        Field::text("currency").required().form(Form::Currency).pii(),
        Field::text("tax_id").sealed().pii(),
        Field::int("payment_terms_days").defaulted(),
        Field::choice("status", &["ACTIVE", "ON_HOLD"]).means(&["in use", "nothing is billed"]).defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "ON_HOLD", by: "update" }, Move { from: "ON_HOLD", to: "ACTIVE", by: "update" }],
    }],
};
