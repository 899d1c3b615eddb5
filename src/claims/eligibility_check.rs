//! One eligibility question to a payer and its answer (catalogue 14.12, 14.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static ELIGIBILITY_CHECK: Table = Table {
    name: "eligibility_checks",
    schema: "EligibilityCheck",
    plural: "EligibilityChecks",
    path: "/eligibility-checks",
    tag: "Fee schedules",
    doc: "One eligibility question to a payer and its answer.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewClaims,
    write: Permission::EditClaims,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "policy_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
        Filter { name: "interchange_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("policy_id").required().refers(Refers::Tenant("patient_insurance_policies")),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::date("service_date").required().phi(),
        Field::choice("status", &["QUEUED", "SENT", "ANSWERED", "FAILED"])
            .means(&["waits", "asked", "the payer answered", "ended with an error"])
            .defaulted()
            .read_only(),
        Field::flag("is_active").read_only(),
        Field::json("benefits").read_only().phi(),
        Field::texts("reject_codes").defaulted().read_only(),
        Field::uuid("interchange_id").read_only().refers(Refers::Tenant("x12_interchanges")),
        Field::instant("answered_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED"],
        moves: &[
            Move { from: "QUEUED", to: "SENT", by: "system" },
            Move { from: "SENT", to: "ANSWERED", by: "system" },
            Move { from: "QUEUED", to: "FAILED", by: "system" },
            Move { from: "SENT", to: "FAILED", by: "system" },
        ],
    }],
};
