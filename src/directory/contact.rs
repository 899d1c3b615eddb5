//! The clinic's private directory of specialists it refers to (catalogue 5.06, 5.07, 16.10).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CONTACT: Table = Table {
    name: "contacts",
    schema: "Contact",
    plural: "Contacts",
    path: "/contacts",
    tag: "Clinic profiles",
    doc: "The clinic's private directory of specialists it refers to.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewReferral,
    write: Permission::EditReferral,
    group: true,
    patient: None,
    sorts: &[
        Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key", "specialty_key"]) },
        Filter { name: "specialty", how: How::Folded("specialty_key") },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
        Filter { name: "linked_tenant_id", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded().pii(),
        Field::text("specialty").required().folded().pii(),
        Field::text("phone").required().pii(),
        Field::text("email").required().form(Form::Email).pii(),
        Field::text("address").length(4000).pii(),
        Field::text("notes").length(4000).pii().doc("internal, never shown outside the clinic"),
        Field::choice("status", &["ACTIVE", "INACTIVE"]).means(&["in use", "out of use"]).defaulted(),
        Field::flag("is_active").read_only(),
        Field::uuid("linked_tenant_id")
            .refers(Refers::Installation("tenants"))
            .doc("clinic on the platform, makes on-platform referral possible"),
        Field::text("organization_name").pii(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "INACTIVE", by: "update" }, Move { from: "INACTIVE", to: "ACTIVE", by: "update" }],
    }],
};
