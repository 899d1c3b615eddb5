//! The atomic permissions; each is a capability bit of the sealed context (catalogue 2.16, 11.09).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Stamps, Table, Verb};

pub static PERMISSION: Table = Table {
    name: "permissions",
    schema: "Permission",
    plural: "Permissions",
    path: "/permissions",
    tag: "Identity",
    doc: "The atomic permissions; each is a capability bit of the sealed context.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[],
    fields: &[
        Field::text("code").required().doc("see permissions in rules.yaml"),
        Field::text("name").required(),
        Field::int("bit").required().at_least(0).at_most(62),
        Field::text("description").required().length(4000),
    ],
    machines: &[],
};
