//! A user's membership of a team, with optional location scope (catalogue 1.21, B14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static TEAM_MEMBER: Table = Table {
    name: "team_members",
    schema: "TeamMember",
    plural: "TeamMembers",
    path: "/team-members",
    tag: "Tenancy",
    doc: "A user's membership of a team, with optional location scope.",
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
        Filter { name: "team_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("team_id").required().fixed().refers(Refers::Tenant("teams")),
        Field::uuid("user_id").required().fixed().refers(Refers::Installation("users")),
        Field::uuid("location_id").refers(Refers::Tenant("locations")).doc("null: all locations"),
        Field::text("role_in_team"),
        Field::instant("valid_from"),
        Field::instant("valid_until"),
    ],
    machines: &[],
};
