//! Where a provider works (catalogue 5.04, 1.19).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PROVIDER_LOCATION: Table = Table {
    name: "provider_locations",
    schema: "ProviderLocation",
    plural: "ProviderLocations",
    path: "/provider-locations",
    tag: "Clinic profiles",
    doc: "Where a provider works.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "is_primary", how: How::Equal },
    ],
    fields: &[
        Field::uuid("provider_id").required().fixed().refers(Refers::Tenant("providers")),
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::flag("is_primary").defaulted(),
        Field::date("valid_from"),
        Field::date("valid_until"),
    ],
    machines: &[],
};
