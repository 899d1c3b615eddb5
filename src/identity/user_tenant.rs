//! Membership of a user in a tenant (catalogue 2.14, 2.11, C04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static USER_TENANT: Table = Table {
    name: "user_tenants",
    schema: "UserTenant",
    plural: "UserTenants",
    path: "/user-tenants",
    tag: "Identity",
    doc: "Membership of a user in a tenant.",
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
        Filter { name: "default_location_id", how: How::Equal },
        Filter { name: "user_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().fixed().refers(Refers::Installation("users")),
        Field::uuid("default_location_id").refers(Refers::Tenant("locations")),
        Field::choice(
            "user_type",
            &["DENTIST", "HYGIENIST", "ASSISTANT", "ADMIN", "FRONT_DESK", "PATIENT", "PAYER_ANALYST", "REGULATOR", "DEVELOPER"],
        )
        .means(&[
            "treats patients as a dentist",
            "cleans teeth and treats gums",
            "helps at the chair",
            "runs the clinic",
            "receives, books and bills",
            "is treated",
            "analyst of a payer",
            "watches with a mandate",
            "builds integrations",
        ])
        .required(),
        Field::choice("status", &["ACTIVE", "INVITED", "DISABLED"])
            .means(&["may sign in", "invited, not joined", "may not sign in"])
            .defaulted(),
        Field::flag("is_active").read_only(),
        Field::text("title").pii(),
        Field::instant("joined_at"),
        Field::instant("left_at"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["INVITED", "ACTIVE"],
        moves: &[
            Move { from: "INVITED", to: "ACTIVE", by: "system" },
            Move { from: "ACTIVE", to: "DISABLED", by: "remove" },
            Move { from: "DISABLED", to: "ACTIVE", by: "restore" },
            Move { from: "INVITED", to: "DISABLED", by: "remove" },
        ],
    }],
};
