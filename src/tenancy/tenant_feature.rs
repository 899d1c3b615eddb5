//! Capability flags of a tenant (catalogue 1.17, 11.09).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static TENANT_FEATURE: Table = Table {
    name: "tenant_features",
    schema: "TenantFeature",
    plural: "TenantFeatures",
    path: "/tenant-features",
    tag: "Tenancy",
    doc: "Capability flags of a tenant.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: true,
    patient: None,
    sorts: &[Sort { name: "feature_code", column: "feature_code", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "is_enabled", how: How::Equal }, Filter { name: "source", how: How::Equal }],
    fields: &[
        Field::text("feature_code").required(),
        Field::flag("is_enabled").defaulted(),
        Field::choice("source", &["PLAN", "GRANT", "TRIAL"]).means(&["part of the plan", "given", "on trial"]).defaulted(),
        Field::instant("valid_from"),
        Field::instant("valid_until"),
    ],
    machines: &[],
};
