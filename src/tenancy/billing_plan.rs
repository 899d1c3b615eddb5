//! What a tenant may be billed for: the plans on offer, without what is internal about them (catalogue 1.15, C45).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Stamps, Table, Verb};

/// A view; its plans are changed as subscription plans.
pub static BILLING_PLAN: Table = Table {
    name: "billing_plans",
    schema: "BillingPlan",
    plural: "BillingPlans",
    path: "/billing-plans",
    tag: "Tenancy",
    doc: "The plans a tenant may be billed for.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::None,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[],
    fields: &[
        Field::text("code").required().read_only(),
        Field::text("name").required().read_only(),
        Field::big("price_per_month_minor").read_only().doc("null: on request; unit: minor currency unit"),
        Field::big("price_per_year_minor").read_only().doc("unit: minor currency unit"),
        Field::text("currency").required().read_only(),
        Field::big("included_ai_calls").read_only().doc("per month; null = unlimited"),
        Field::int("included_seats").read_only().doc("null = unlimited"),
        Field::big("included_storage_bytes").read_only().doc("null = unlimited; unit: bytes"),
    ],
    machines: &[],
};
