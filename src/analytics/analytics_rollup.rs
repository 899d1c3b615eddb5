//! Daily figures per tenant and location for dashboards and reports (catalogue 15.16, 3.04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static ANALYTICS_ROLLUP: Table = Table {
    name: "analytics_rollups",
    schema: "AnalyticsRollup",
    plural: "AnalyticsRollups",
    path: "/analytics-rollups",
    tag: "Reporting and the analytical warehouse",
    doc: "Daily figures per tenant and location for dashboards and reports.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAnalytics,
    write: Permission::ViewAnalytics,
    group: true,
    patient: None,
    sorts: &[Sort { name: "day", column: "day", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "day_from", how: How::From("day") },
        Filter { name: "day_to", how: How::Before("day") },
        Filter { name: "metric", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
    ],
    fields: &[
        Field::choice(
            "metric",
            &[
                "APPOINTMENTS",
                "NO_SHOWS",
                "NEW_PATIENTS",
                "REFERRALS_OUT",
                "REFERRALS_IN",
                "PRODUCTION_MINOR",
                "COLLECTIONS_MINOR",
                "PLANS_PRESENTED",
                "PLANS_ACCEPTED",
                "AI_INFERENCES",
                "AI_OVERRIDES",
                "CLAIMS_SUBMITTED",
                "CLAIMS_DENIED",
                "STORAGE_BYTES",
            ],
        )
        .means(&[
            "appointments that took place",
            "patients who did not come",
            "patients seen for the first time",
            "referrals sent",
            "referrals received",
            "fees of completed procedures, minor units",
            "money received, minor units",
            "treatment plans shown to patients",
            "treatment plans that patients agreed to",
            "analyses by AI",
            "predictions that a clinician changed or rejected",
            "claims sent to payers",
            "claims that payers do not cover",
            "bytes in storage",
        ])
        .required(),
        Field::date("day").required(),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::big("value").required(),
        Field::text("currency").form(Form::Currency),
        Field::instant("computed_at").required(),
    ],
    machines: &[],
};
