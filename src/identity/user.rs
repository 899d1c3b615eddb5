//! A global login identity of a person or a service (catalogue 2.01, C03, C04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static USER: Table = Table {
    name: "users",
    schema: "User",
    plural: "Users",
    path: "/users",
    tag: "Identity",
    doc: "A global login identity of a person or a service.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: true,
    patient: None,
    sorts: &[
        Sort { name: "full_name", column: "full_name_key", ty: Ty::Text, nullable: false },
        Sort { name: "email", column: "email_key", ty: Ty::Text, nullable: false },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "q", how: How::Words(&["email_key", "full_name_key"]) },
        Filter { name: "email", how: How::Folded("email_key") },
        Filter { name: "tenant_user_type", how: How::Elsewhere { sql: "sec.user_type_of(r.id) = $value", blind: false } },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
        Filter { name: "mfa_enabled", how: How::Equal },
    ],
    fields: &[
        Field::text("email").required().form(Form::Email).folded().pii().doc("unique across the system on email_key"),
        Field::text("full_name").required().folded().pii(),
        Field::choice("kind", &["HUMAN", "SERVICE"])
            .means(&["a person", "an application's own login"])
            .defaulted()
            .doc("SERVICE: the identity of an API client"),
        Field::text("role").computed("sec.role_of(r.id)").doc("the strongest role in the caller's tenant"),
        Field::text("phone").form(Form::Phone).pii(),
        Field::text("preferred_locale").defaulted().form(Form::Language).pii(),
        Field::choice("status", &["ACTIVE", "INVITED", "DISABLED"])
            .means(&["may sign in", "invited, not joined", "may not sign in"])
            .defaulted()
            .read_only(),
        Field::flag("is_active").read_only(),
        Field::instant("email_verified_at").read_only(),
        Field::instant("last_login_at").read_only(),
        Field::int("failed_login_count").hidden(),
        Field::instant("locked_until").read_only(),
        Field::flag("mfa_enabled").defaulted().read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["INVITED", "ACTIVE"],
        moves: &[
            Move { from: "INVITED", to: "ACTIVE", by: "accept-invitation" },
            Move { from: "ACTIVE", to: "DISABLED", by: "disable" },
            Move { from: "DISABLED", to: "ACTIVE", by: "enable" },
            Move { from: "INVITED", to: "DISABLED", by: "disable" },
        ],
    }],
};
