//! A logical group of people inside a tenant (catalogue 1.20, B14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TEAM: Table = Table {
    name: "teams",
    schema: "Team",
    plural: "Teams",
    path: "/teams",
    tag: "Tenancy",
    doc: "A logical group of people inside a tenant.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key"]) },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded(),
        Field::text("kind").required(),
        Field::text("description").length(4000),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::choice("status", &["ACTIVE", "INACTIVE"]).means(&["in use", "out of use"]).defaulted(),
        Field::flag("is_active").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "INACTIVE", by: "update" }, Move { from: "INACTIVE", to: "ACTIVE", by: "update" }],
    }],
};
