//! A fee table per tenant, location or payer (catalogue 14.04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static FEE_SCHEDULE: Table = Table {
    name: "fee_schedules",
    schema: "FeeSchedule",
    plural: "FeeSchedules",
    path: "/fee-schedules",
    tag: "Fee schedules",
    doc: "A fee table per tenant, location or payer.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClaims,
    write: Permission::ManageBilling,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "scope", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "payer_id", how: How::Equal },
        Filter { name: "is_default", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required(),
        Field::choice("scope", &["TENANT", "LOCATION", "PAYER"]).means(&["all of the tenant", "one location", "one payer"]).required(),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::uuid("payer_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("payer_id").refers(Refers::Shared("payers", "payer_tenant_id")),
        Field::text("currency").required().form(Form::Currency),
        Field::date("effective_from").required(),
        Field::date("effective_to"),
        Field::flag("is_default").defaulted(),
    ],
    machines: &[],
};
