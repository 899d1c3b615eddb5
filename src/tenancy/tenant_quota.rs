//! Limits of a tenant, one row each; null means unlimited (catalogue 1.18, C41, 16.25, 11.09).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Stamps, Table, Verb};

pub static TENANT_QUOTA: Table = Table {
    name: "tenant_quotas",
    schema: "TenantQuota",
    plural: "TenantQuotas",
    path: "/tenant-quotas",
    tag: "Tenancy",
    doc: "Limits of a tenant, one row each; null means unlimited.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "hard_limit", how: How::Equal }],
    fields: &[
        Field::int("max_users").at_least(0),
        Field::int("max_locations").at_least(0),
        Field::int("max_patients").at_least(0),
        Field::big("max_storage_bytes").at_least(0).doc("unit: bytes"),
        Field::big("max_ai_inferences_per_month").at_least(0),
        Field::int("api_rate_limit_per_minute").at_least(1).doc("units a minute: a read costs one, a search and an export more"),
        Field::int("max_webhook_subscriptions"),
        Field::big("max_file_bytes").doc("unit: bytes"),
        Field::flag("hard_limit").defaulted().doc("off: overage is billed instead of refused"),
    ],
    machines: &[],
};
