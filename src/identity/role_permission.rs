//! Which permissions a role has (catalogue 2.17).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static ROLE_PERMISSION: Table = Table {
    name: "role_permissions",
    schema: "RolePermission",
    plural: "RolePermissions",
    path: "/role-permissions",
    tag: "Identity",
    doc: "Which permissions a role has.",
    home: Home::Shared,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "role_id", how: How::Equal }, Filter { name: "permission_id", how: How::Equal }],
    fields: &[
        Field::uuid("role_id").required().fixed().refers(Refers::Tenant("roles")),
        Field::uuid("permission_id").required().refers(Refers::Installation("permissions")),
    ],
    machines: &[],
};
