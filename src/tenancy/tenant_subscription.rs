//! A tenant's subscription to a plan over time (catalogue 1.16, B12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TENANT_SUBSCRIPTION: Table = Table {
    name: "tenant_subscriptions",
    schema: "TenantSubscription",
    plural: "TenantSubscriptions",
    path: "/tenant-subscriptions",
    tag: "Tenancy",
    doc: "A tenant's subscription to a plan over time.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ManageBilling,
    write: Permission::ManageBilling,
    group: true,
    patient: None,
    sorts: &[Sort { name: "start_at", column: "start_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "start_at_from", how: How::From("start_at") },
        Filter { name: "start_at_to", how: How::Before("start_at") },
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "billing_cycle", how: How::Equal },
        Filter { name: "is_trial", how: How::Equal },
        Filter { name: "auto_renew", how: How::Equal },
    ],
    fields: &[
        Field::uuid("plan_id").required().refers(Refers::Installation("subscription_plans")),
        Field::instant("start_at").required(),
        Field::instant("end_at"),
        Field::choice("status", &["TRIALING", "ACTIVE", "PAST_DUE", "CANCELLED", "EXPIRED"])
            .means(&["on trial", "paid", "a payment is late", "ends with its period", "ended"])
            .defaulted()
            .read_only(),
        Field::choice("billing_cycle", &["MONTHLY", "YEARLY"]).means(&["by the month", "by the year"]).defaulted(),
        Field::flag("is_trial").defaulted(),
        Field::instant("trial_ends_at"),
        Field::flag("auto_renew").defaulted(),
        Field::int("seats").at_least(1),
        Field::instant("cancelled_at").read_only(),
        Field::text("cancel_reason"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["TRIALING", "ACTIVE"],
        moves: &[
            Move { from: "TRIALING", to: "ACTIVE", by: "activate" },
            Move { from: "TRIALING", to: "CANCELLED", by: "cancel" },
            Move { from: "ACTIVE", to: "CANCELLED", by: "cancel" },
            Move { from: "PAST_DUE", to: "CANCELLED", by: "cancel" },
            Move { from: "ACTIVE", to: "PAST_DUE", by: "system" },
            Move { from: "PAST_DUE", to: "ACTIVE", by: "system" },
            Move { from: "TRIALING", to: "EXPIRED", by: "system" },
            Move { from: "ACTIVE", to: "EXPIRED", by: "system" },
            Move { from: "CANCELLED", to: "EXPIRED", by: "system" },
            Move { from: "ACTIVE", to: "ACTIVE", by: "change-plan" },
        ],
    }],
};
