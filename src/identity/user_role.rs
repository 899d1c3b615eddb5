//! A role given to a user in a tenant, scoped and time-bounded (catalogue 2.18, 2.19, 2.24, 2.26, B14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static USER_ROLE: Table = Table {
    name: "user_roles",
    schema: "UserRole",
    plural: "UserRoles",
    path: "/user-roles",
    tag: "Identity",
    doc: "A role given to a user in a tenant, scoped and time-bounded.",
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
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "role_id", how: How::Equal },
        Filter { name: "resource_scope", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "team_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().fixed().refers(Refers::Installation("users")),
        Field::uuid("role_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("role_id").required().refers(Refers::Shared("roles", "role_tenant_id")),
        Field::choice("resource_scope", &["ALL_LOCATIONS", "LOCATION", "TEAM", "SELF"])
            .means(&["the whole tenant", "one location", "one team's patients", "one's own patients"])
            .defaulted(),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::uuid("team_id").refers(Refers::Tenant("teams")),
        Field::json("attributes").defaulted().pii().doc("further attributes used in access decisions"),
        Field::instant("valid_from"),
        Field::instant("valid_until"),
    ],
    machines: &[],
};
