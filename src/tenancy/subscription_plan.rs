//! Catalogue of commercial plans (catalogue 1.15, C45).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static SUBSCRIPTION_PLAN: Table = Table {
    name: "subscription_plans",
    schema: "SubscriptionPlan",
    plural: "SubscriptionPlans",
    path: "/subscription-plans",
    tag: "Tenancy",
    doc: "Catalogue of commercial plans.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("code").required(),
        Field::text("name").required(),
        Field::text("description").length(4000),
        Field::big("price_per_month_minor").at_least(0).doc("null: on request; unit: minor currency unit"),
        Field::big("price_per_year_minor").at_least(0).doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency),
        Field::big("included_ai_calls").at_least(0).doc("per month; null = unlimited"),
        Field::int("included_seats").at_least(0).doc("null = unlimited"),
        Field::big("included_storage_bytes").at_least(0).doc("null = unlimited; unit: bytes"),
        Field::int("included_api_rate_per_minute"),
        Field::texts("included_features").defaulted(),
        Field::int("trial_days").defaulted(),
        Field::choice("status", &["ACTIVE", "RETIRED"]).means(&["offered", "no longer offered"]).defaulted(),
    ],
    machines: &[Machine { column: "status", initial: &["ACTIVE"], moves: &[Move { from: "ACTIVE", to: "RETIRED", by: "retire" }] }],
};
