//! Identifier of one of our rows in another system (catalogue C30, 15.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static EXTERNAL_ID: Table = Table {
    name: "external_ids",
    schema: "ExternalId",
    plural: "ExternalIds",
    path: "/external-ids",
    tag: "Integrations",
    doc: "Identifier of one of our rows in another system.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::ManageIntegrations,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "resource_id", how: How::Equal },
        Filter { name: "value", how: How::Equal },
        Filter { name: "integration_id", how: How::Equal },
    ],
    fields: &[
        Field::text("resource_type").required().phi(),
        Field::uuid("resource_id").required(),
        Field::uuid("integration_id").refers(Refers::Tenant("tenant_integrations")),
        Field::text("system").required().phi(),
        Field::text("value").required().phi(),
        Field::instant("last_seen_at"),
    ],
    machines: &[],
};
