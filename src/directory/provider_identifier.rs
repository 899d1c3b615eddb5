//! Further identifiers of a provider: licence numbers by country (catalogue 5.04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static PROVIDER_IDENTIFIER: Table = Table {
    name: "provider_identifiers",
    schema: "ProviderIdentifier",
    plural: "ProviderIdentifiers",
    path: "/provider-identifiers",
    tag: "Clinic profiles",
    doc: "Further identifiers of a provider: licence numbers by country.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "provider_id", how: How::Equal }],
    fields: &[
        Field::uuid("provider_id").required().fixed().refers(Refers::Tenant("providers")),
        Field::text("system").required().doc("URI or short name of the register"),
        Field::text("value").required(),
        Field::text("jurisdiction").form(Form::Jurisdiction),
        Field::date("valid_until"),
    ],
    machines: &[],
};
