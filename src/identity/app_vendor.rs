//! A vendor whose software statements are believed (RFC 7591 §2.3).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static APP_VENDOR: Table = Table {
    name: "app_vendors",
    schema: "AppVendor",
    plural: "AppVendors",
    path: "/app-vendors",
    tag: "Identity",
    doc: "A vendor whose software statements are believed.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ManageIntegrations,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "issuer", how: How::Equal }, Filter { name: "status", how: How::Equal }],
    fields: &[
        Field::text("issuer").required().fixed().doc("iss of its software statements"),
        Field::text("name").required(),
        Field::json("jwks").read_only().doc("the keys that sign its statements (RFC 7517); changed by set-keys"),
        Field::text("jwks_uri").length(2000).form(Form::Address).read_only().doc("where it publishes such keys; changed by set-keys"),
        Field::choice("status", &["ACTIVE", "SUSPENDED"])
            .means(&["its statements are believed", "they are not, and no application of it may be used"])
            .defaulted()
            .read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "SUSPENDED", by: "suspend" }, Move { from: "SUSPENDED", to: "ACTIVE", by: "reinstate" }],
    }],
};
